"""Those who are told: a web hook and a mail server, each a real server in a thread."""

import base64
import json
import socketserver
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hook:
    """A web hook: what was posted to it, and how it answers; ``hold`` keeps it from answering until it is set."""

    port: int = 0
    status: int = 200
    arrived: threading.Event = field(default_factory=threading.Event)
    hold: threading.Event = field(default_factory=threading.Event)
    posts: list = field(default_factory=list)

    def __post_init__(self):
        self.hold.set()

    def url(self, path="told"):
        """The address by which Apprise reaches it."""
        return f"json://127.0.0.1:{self.port}/{path}"

    @property
    def titles(self):
        return [post["title"] for post in self.posts]

    @property
    def messages(self):
        return [post["message"] for post in self.posts]

    def attached(self):
        """Name and content of what came with the only post."""
        (post,) = self.posts
        return [(each["filename"], base64.b64decode(each["base64"])) for each in post["attachments"]]


@contextmanager
def hook():
    """Serve a web hook while the block runs."""
    told = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            told.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            told.arrived.set()
            told.hold.wait()
            self.send_response(told.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as told.port:
        try:
            yield told
        finally:
            told.hold.set()


@contextmanager
def mailbox():
    """Serve SMTP while the block runs, and give port and mails."""
    mails = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                verb = line[:4].upper()
                if verb == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
                self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 fine\r\n")

    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield port, mails


@contextmanager
def _serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
