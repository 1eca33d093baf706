"""How well `rate: auto` uses a limit that nobody tells, and that changes while the run goes on.

One `teardown run` against a server of its own process, for each way of counting (a sliding second, a token bucket) and
with `Retry-After: 1` or without. Prints the share of the hidden limit that was used, and of the requests that were
refused, after a warm-up; writes both to benchmarks/results/adaptive.json.

    python benchmarks/adaptive.py                 # limits 100, 40 and 150 a second, two minutes each: 24 minutes
    python benchmarks/adaptive.py --phase 30      # half a minute each: rougher, as every change costs its time
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

RATES = (100, 40, 150)
WARM_UP = 15.0
BURST = 0.1
RESULTS = Path(__file__).parent / "results" / "adaptive.json"


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
            taken = level + 1 <= rate * BURST
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


async def serve(options: argparse.Namespace) -> None:
    """Serve until a line comes in; say the port first, and what was seen in the end."""
    limit = Limit(list(RATES), options.phase, options.bucket)
    attached, seen = set(numbers(options.phase)), []  # type: tuple[set[str], list[tuple[float, bool]]]
    header = b"Retry-After: 1\r\n" if options.retry_after else b""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Provider(limit, attached, seen, header), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.readline)
    json.dump({"began": limit.began, "seen": seen}, sys.stdout)


def numbers(phase: float) -> list[str]:
    """Return more numbers than can be detached while the limit still changes."""
    return [f"+1415{2_000_000 + index}" for index in range(int(sum(RATES) * phase * 1.2))]


def measure(phase: float, *, bucket: bool, retry_after: bool) -> dict[str, float]:
    """Run once for as long as the limits last, and return what was used and refused after the warm-up."""
    flags = ["--bucket"] * bucket + ["--retry-after"] * retry_after
    command = [sys.executable, __file__, "--serve", "--phase", str(phase), *flags]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as server, tempfile.TemporaryDirectory() as folder:  # type: ignore[call-overload]
        run(Path(folder), int(server.stdout.readline()), phase)
        seen = json.loads(server.communicate("\n")[0])
    return judge(phase, seen["began"], seen["seen"])


def run(folder: Path, port: int, phase: float) -> None:
    """Run a plan that is larger than what can be done until its deadline, which ends it with exit code 5."""
    account = {"provider": "unpod", "org_handle": "acme", "base_url": f"http://127.0.0.1:{port}", "rate": "auto"}
    (folder / "token").write_text("bench")
    config = {"accounts": {"a": account | {"token": f"file:{folder}/token"}}, "guards": {"max_numbers": 1_000_000}}
    (folder / "config.yaml").write_text(json.dumps(config))
    group = {"account": "a", "bridge": "b", "numbers": numbers(phase)}
    (folder / "plan.yaml").write_text(json.dumps({"version": 1, "name": "adaptive", "teardown": [group]}))
    command = [sys.executable, "-m", "runner", "--config", f"{folder}/config.yaml", "--state-dir", f"{folder}/state"]
    options = ["--yes", "--no-progress", "--no-verify", "--quiet", "--deadline", f"{len(RATES) * phase:.0f}s"]
    subprocess.run([*command, "run", folder / "plan.yaml", *options], check=False, stdout=subprocess.DEVNULL)


def judge(phase: float, began: float, seen: list[tuple[float, bool]]) -> dict[str, float]:
    """Return shares: of the limit that was used, in all and by phase, and of the requests that were refused."""
    late = [(at - began, taken) for at, taken in seen if WARM_UP <= at - began < len(RATES) * phase]
    used = [sum(taken for at, taken in late if int(at / phase) == index) for index in range(len(RATES))]
    could = [rate * (phase - WARM_UP * (index == 0)) for index, rate in enumerate(RATES)]
    shares = {f"used at {rate}/s": done / most for rate, done, most in zip(RATES, used, could, strict=True)}
    refused = sum(not taken for _, taken in late) / len(late)
    return {
        key: round(value, 4) for key, value in {"used": sum(used) / sum(could), **shares, "refused": refused}.items()
    }


def main() -> None:
    """Measure all four, print them, and write them down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phase", type=float, default=120.0, help="seconds for which each limit holds (above 15)")
    for flag in ("--serve", "--bucket", "--retry-after"):
        parser.add_argument(flag, action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options))
        return
    results = {}
    for bucket in (False, True):
        for retry_after in (False, True):
            name = f"{'bucket' if bucket else 'sliding second'}{', Retry-After: 1' if retry_after else ''}"
            results[name] = measure(options.phase, bucket=bucket, retry_after=retry_after)
            print(f"{name:<32}", *(f"{key} {value:.4f}  " for key, value in results[name].items()), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"phase_s": options.phase, "rates": RATES, "shares": results}, indent=2))


if __name__ == "__main__":
    main()
