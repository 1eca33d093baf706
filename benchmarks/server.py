"""A provider that does hardly anything: answers what the adapters read, remembers what is detached, counts.

One process of its own, so that what it costs is in no client's figure: ``python -m benchmarks.server NUMBERS SIZE``
(of a bridge) prints its port and serves until its standard input ends. Nothing is checked, nothing is refused.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, unquote

import orjson

from benchmarks.workload import GATEWAY, bridge, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BRIDGES = "/api/v2/platform/telephony/bridges/"
_PHONES = "/v2/sip/phone-numbers"
_GATEWAYS = ("/v2/sip/inbound-gateways", "/v2/sip/outbound-gateways", "/v2/sip/routing-rule")
_MOST_A_PAGE = 100


class World:
    """So many numbers, on bridges of ``per_bridge`` and all of them at one gateway."""

    def __init__(self, numbers: int, per_bridge: int) -> None:
        self.numbers = numbers
        self.per_bridge = per_bridge
        self.reset()

    def reset(self) -> dict[str, Any]:
        """Attach everything again and count from nought."""
        self.gone: set[str] = set()
        self.connections = self.repeated = 0
        self.sample = b""
        self.read_at: list[float] = []
        self.detached_at: list[float] = []
        return {}

    def counts(self) -> dict[str, Any]:
        """Return what arrived since the last reset; times in seconds."""
        times = sorted(self.read_at + self.detached_at)
        return {
            "detaches": len(self.detached_at),
            "repeated": self.repeated,
            "reads": len(self.read_at),
            "connections": self.connections - 1,  # the one that asks
            "busiest_second": busiest(times),
            "sample": self.sample.decode(),
            "detaching_s": self.detached_at[-1] - self.detached_at[0] if self.detached_at else 0.0,
        }

    def answer(self, request: bytes, body: bytes) -> Any:
        """Return the document for a whole request with this body; the newest detach is kept as a sample."""
        method, target, _ = request.decode().split(" ", 2)
        path, _, query = target.partition("?")
        if path.startswith("/control/"):
            return {"reset": self.reset, "counts": self.counts}[path.removeprefix("/control/")]()
        if method == "POST":
            self.sample = request
            return self._detach(path, orjson.loads(body))
        self.read_at.append(time.monotonic())
        if path.startswith(_PHONES):
            return self._phones(path.removeprefix(_PHONES), parse_qs(query))
        if path.startswith(_GATEWAYS):
            return {"pageInfo": {"total": 0}, "data": []}
        return self._bridge(path.removeprefix(_BRIDGES).strip("/"))

    def _detach(self, path: str, body: Mapping[str, str]) -> Any:
        self.detached_at.append(time.monotonic())
        named = body.get("phone_number") or body["phoneNumber"]
        self.repeated += named in self.gone
        self.gone.add(named)
        if path.startswith(_PHONES):
            return {
                "message": "Detached successfully",
                "phoneNumber": {"e164": named},
                "inbound": GATEWAY,
                "outbound": GATEWAY,
            }
        slug = path.removeprefix(_BRIDGES).partition("/")[0]
        data = {"message": "Provider disconnected successfully", "bridge_slug": slug}
        return {"status_code": 200, "message": "Provider disconnected from bridge successfully.", "data": data}

    def _bridge(self, slug: str) -> Any:
        if not slug:
            rows: list[dict[str, Any]] = []
            return {"count": 0, "status_code": 200, "message": "Bridges fetched successfully.", "data": rows}
        place = int(slug.rpartition("-")[2])
        first = place * self.per_bridge
        listed = [(index, number(index)) for index in range(first, min(first + self.per_bridge, self.numbers))]
        rows = [
            {"id": 9001 + index, "number_id": 501 + index, "number": each, "state": "ASSIGNED", "status": "active"}
            for index, each in listed
            if each not in self.gone
        ]
        data = {"id": 301 + place, "name": slug, "slug": bridge(place), "numbers": rows}
        return {"status_code": 200, "message": "Bridge fetched successfully.", "data": data}

    def _phones(self, alone: str, query: Mapping[str, list[str]]) -> Any:
        if alone:
            return self._phone(unquote(alone.removeprefix("/")))
        size = min(int(query["perPage"][0]), _MOST_A_PAGE)
        page = int(query["page"][0])
        listed = range((page - 1) * size, min(page * size, self.numbers))
        info = {"currentPage": page, "perPage": size, "lastPage": -(-self.numbers // size), "total": self.numbers}
        return {"pageInfo": info, "data": [self._phone(number(index)) for index in listed]}

    def _phone(self, e164: str) -> Any:
        gateway = None if e164 in self.gone else {"id": GATEWAY, "name": "Sales"}
        phone = {"phoneNumberId": f"pn_{e164[1:]}", "e164": e164, "status": "ACTIVE"}
        return {"phoneNumber": phone, "inbound": gateway, "outbound": gateway}


def busiest(times: list[float]) -> int:
    """Return how many of the ascending ``times`` fall into one second at most, wherever that begins."""
    most = first = 0
    for last, moment in enumerate(times):
        while times[first] <= moment - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as far as well-behaved clients use it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting = b""
        self._write: Callable[[bytes], None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        self._write = cast("asyncio.WriteTransport", transport).write
        self._world.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer every request that is here whole."""
        self._waiting += data
        while (end := self._waiting.find(b"\r\n\r\n")) >= 0:
            head = self._waiting[:end].lower()
            _, _, length = head.partition(b"content-length:")
            size = int(length.split(b"\r\n", 1)[0]) if length else 0
            if len(self._waiting) < end + 4 + size:
                return
            body = self._waiting[end + 4 : end + 4 + size]
            request, self._waiting = self._waiting[: end + 4 + size], self._waiting[end + 4 + size :]
            content = orjson.dumps(self._world.answer(request, body))
            self._write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(content)
            )
            self._write(content)


async def serve(world: World) -> None:
    """Serve on a free port, which is printed, until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(world), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    with suppress(ImportError):
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(serve(World(*map(int, sys.argv[1:]))))
