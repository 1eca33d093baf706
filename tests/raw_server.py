"""A server that does to each request what its script says, byte by byte."""

import asyncio
import json
import socket
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from yarl import URL

from runner.connections import Connections
from runner.errors import RequestError
from runner.transport import Transport

TOKEN = "tok-live-5f2"

EPOCH = 1_800_000_000.0
"""What the wall clock of the tests shows, in seconds since the epoch."""


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class RawServer:
    """Each act is bytes to say or a coroutine function of the stream; the last act is for all further requests."""

    acts: list
    on_connect: object = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    url: str = ""
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _open: dict = field(default_factory=dict)

    async def handle(self, reader, writer):
        self.connections += 1
        self._open[asyncio.current_task()] = writer
        try:
            if self.on_connect:
                await self.on_connect(self, writer)
            while not writer.is_closing() and (request := await _read(reader)):
                self.requests.append(request)
                self._arrived.set()
                act = self.acts[min(len(self.requests), len(self.acts)) - 1]
                await (say(act) if isinstance(act, bytes) else act)(self, writer)
        except OSError:
            pass
        finally:
            writer.close()

    async def received(self, count):
        """Wait until so many requests have arrived."""
        while len(self.requests) < count:
            self._arrived.clear()
            await self._arrived.wait()

    async def end(self):
        """Drop every connection and wait until nobody is left."""
        self._over.set()
        for writer in self._open.values():
            writer.transport.abort()
        await asyncio.gather(*self._open)


async def _read(reader):
    """The next request, or None when the client has gone."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    except asyncio.IncompleteReadError:
        return None
    return Request(head[0], headers, body, asyncio.get_running_loop().time())


def answer(status=200, body=None, headers=None, *, reason="Reason", raw=None):
    """The bytes of a whole answer; ``body`` is sent as JSON, ``raw`` as it is."""
    content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def say(data, *, then_close=False):
    async def act(server, writer):
        writer.write(data)
        await writer.drain()
        if then_close:
            writer.close()

    return act


def hang(data=b""):
    """Say ``data`` and then nothing more."""

    async def act(server, writer):
        writer.write(data)
        await writer.drain()
        await server._over.wait()

    return act


async def reset(server, writer):
    """Drop the connection with a reset packet."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def serving(*acts, on_connect=None, ssl=None):
    server = RawServer([*acts], on_connect)
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=ssl)
    server.url = f"{'https' if ssl else 'http'}://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        await server.end()
        await listener.wait_closed()


@asynccontextmanager
async def transporting(*, timeout=5.0, secrets=(), max_body=2**20, concurrency=4):  # noqa: ASYNC109 - the transport's own
    async with Connections(concurrency, timeout) as connections:
        yield Transport(connections, timeout, secrets, lambda: EPOCH, max_body)


async def send(server, *, method="POST", body=None, **options):
    """One request to the server: the answer, or the error that it ended in."""
    async with transporting(**options) as transport:
        return await ask(transport, server, method, body)


async def ask(transport, server, method="POST", body=None):
    try:
        return await transport.request(method, URL(server.url + "/x"), {"Authorization": TOKEN}, body)
    except RequestError as error:
        return error


async def meet(*acts, on_connect=None, **options):
    """What a request ends in that meets a server which acts so."""
    async with serving(*acts, on_connect=on_connect) as server:
        return await send(server, **options)
