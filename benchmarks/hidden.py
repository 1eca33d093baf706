"""A provider with a limit that nobody tells, and that changes while a run goes on.

One process of its own: ``python -m benchmarks.hidden PHASE [bucket] [retry-after]`` prints its port, serves until a
line comes in, and then prints what it has seen as JSON. Each of the ``RATES`` holds for ``PHASE`` seconds, counted in a
sliding second or in a bucket; with ``retry-after`` a refusal asks for a second of silence.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from dataclasses import dataclass, field

RATES = (100, 40, 150)
_BURST = 0.1


@dataclass
class Limit:
    """The ``rates`` in turn, each for ``phase`` seconds; counted in a sliding second or a bucket."""

    rates: list[int]
    phase: float
    bucket: bool
    began: float | None = None
    _log: deque[float] = field(default_factory=deque)
    _level: float = 0.0
    _last: float = 0.0

    def rate(self, now: float) -> int:
        """Return how many requests a second are taken at ``now``."""
        self.began = now if self.began is None else self.began
        return self.rates[min(int((now - self.began) / self.phase), len(self.rates) - 1)]

    def takes(self, now: float) -> bool:
        """Count a request, and return whether it is taken."""
        rate = self.rate(now)
        if self.bucket:
            level = max(0.0, self._level - (now - self._last) * rate)
            taken = level + 1 <= rate * _BURST
            self._level, self._last = level + taken, now
            return taken
        while self._log and self._log[0] <= now - 1:
            self._log.popleft()
        if taken := len(self._log) < rate:
            self._log.append(now)
        return taken


class Provider(asyncio.Protocol):
    """One connection to an Unpod-like server: a bridge ``b`` with the numbers in ``attached``."""

    def __init__(self, limit: Limit, attached: set[str], seen: list[tuple[float, bool]], retry_after: bytes) -> None:
        self._limit, self._attached, self._seen, self._retry_after = limit, attached, seen, retry_after
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the line that answers go to."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self._buffer) < end + 4 + length:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        now = time.monotonic()
        taken = self._limit.takes(now)
        self._seen.append((now, taken))
        if not taken:
            self._say(b"429 Too Many Requests", {"message": "slow down"}, self._retry_after)
        elif body:
            number = json.loads(body)["phone_number"]
            self._attached.discard(number)
            self._say(b"200 OK", {"data": {"bridge_slug": "b", "phone_number": number}})
        else:
            self._say(b"200 OK", {"data": {"slug": "b", "numbers": [{"number": each} for each in self._attached]}})

    def _say(self, status: bytes, document: object, extra: bytes = b"") -> None:
        body = json.dumps(document).encode()
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
        self._transport.write(head % (status, extra, len(body)) + body)  # type: ignore[attr-defined] # a socket's


def numbers(phase: float) -> list[str]:
    """Return more numbers than can be detached while the limit still changes."""
    return [f"+1415{2_000_000 + index}" for index in range(int(sum(RATES) * phase * 1.2))]


async def serve(phase: float, *kinds: str) -> None:
    """Serve until a line comes in; say the port first, and what was seen in the end."""
    limit = Limit(list(RATES), phase, "bucket" in kinds)
    attached, seen = set(numbers(phase)), []  # type: tuple[set[str], list[tuple[float, bool]]]
    header = b"Retry-After: 1\r\n" if "retry-after" in kinds else b""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Provider(limit, attached, seen, header), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    json.dump({"began": limit.began, "seen": seen}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), *sys.argv[2:]))
