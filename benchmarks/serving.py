"""Servers to measure against, each a process of its own: ours, which behaves like a provider, and nginx."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.workload import PER_BRIDGE

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 10
_ROOT = Path(__file__).parents[1]
_NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; default_type application/json; keepalive_requests 100000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=1024; location / {{ return 200 '{answer}'; }} }}
}}
"""
_ANSWER = '{"status_code":200,"message":"Provider disconnected from bridge successfully.","data":{}}'


@dataclass(frozen=True, slots=True)
class Server:
    """Our server at ``url``."""

    url: str

    def reset(self) -> None:
        """Attach everything again and count from nought."""
        self._control("reset")

    def counts(self) -> dict[str, Any]:
        """Return what arrived since the last reset."""
        return self._control("counts")

    def _control(self, word: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/control/{word}", timeout=_PATIENCE) as answer:  # noqa: S310 - ours
            counts: dict[str, Any] = json.load(answer)
            return counts


@contextmanager
def serving(numbers: int, per_bridge: int = PER_BRIDGE) -> Iterator[Server]:
    """Serve so many numbers while the block runs, so many on a bridge."""
    command = [sys.executable, "-m", "benchmarks.server", str(numbers), str(per_bridge)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        assert process.stdout  # noqa: S101 - it is a pipe
        try:
            yield Server(f"http://127.0.0.1:{process.stdout.readline().strip()}")
        finally:
            process.communicate()


def find_nginx() -> str | None:
    """Return where nginx is; it may stand where only root looks."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def nginx(program: str) -> Iterator[str]:
    """Let nginx answer every request with the same success while the block runs; yields its URL."""
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        config = Path(folder) / "nginx.conf"
        config.write_text(_NGINX.format(folder=folder, port=port, answer=_ANSWER), encoding="utf-8")
        command = [program, "-p", folder, "-c", str(config)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                _wait_for(port, process)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < give_up:
        with suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.01)
    raise SystemExit("nginx did not start; take it out of PATH to measure without it")
