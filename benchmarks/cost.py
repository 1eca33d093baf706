"""What does a number cost? CPU of whole processes that detach the same numbers, against a bare loop."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Answer, Size, ask, interleaved, ratios, run, spread
from benchmarks.runs import PLAIN, WITH_UVLOOP, prepared, teardown, uses_uvloop
from benchmarks.serving import Server, find_nginx, nginx, serving
from benchmarks.workload import CONCURRENCY, Workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.measure import Usage

NUMBERS = 20_000
_CLIENTS = Path(__file__).parent / "clients"
_PIN = Path(__file__).parents[1] / "tests" / "vendor" / "package.json"
_SDK = "@videosdk.live/server-sdk"
_XARGS_SHARE = 20
_BARE = {"unpod": "bare aiohttp loop", "videosdk": "bare aiohttp loop, VideoSDK"}


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to detach ``numbers``, measured against the contender called ``against``."""

    numbers: int
    against: str
    work: Callable[[], Usage]


@dataclass(frozen=True, slots=True)
class Field:
    """Where a workload is measured: the server, and the folder with the files."""

    workload: Workload
    server: Server
    folder: Path

    @property
    def bare(self) -> str:
        """What the bare loop of this workload is called."""
        return _BARE[self.workload.provider]

    def contender(self, *command: str | Path, share: int = 1) -> Contender:
        """Return a command that detaches one of ``share`` of the numbers."""
        numbers = max(1, self.workload.count // share)
        return Contender(numbers, self.bare, partial(self._checked, command, numbers))

    def script(self, name: str, *options: str, url: str | None = None) -> tuple[str | Path, ...]:
        """Return the command of a script that posts the list."""
        where = (url or self.server.url, self.workload.field, str(CONCURRENCY), self.folder / "list.txt")
        return (sys.executable, _CLIENTS / name, *where, json.dumps(self.workload.headers), *options)

    def runner(self, *options: str, command: tuple[str, ...] = PLAIN) -> Contender:
        """Return the runner."""
        work = partial(teardown, self.workload, self.server, self.folder, *options, command=command)
        return Contender(self.workload.count, self.bare, lambda: work()[0])

    def _checked(self, command: tuple[str | Path, ...], numbers: int) -> Usage:
        self.server.reset()
        used = run(command)
        if (arrived := self.server.counts()["detaches"]) != numbers:
            raise SystemExit(f"{command[0]} detached {arrived} of {numbers} numbers")
        return used


def cost(size: Size) -> Answer:
    """Measure all that are here; say what is not."""
    count, missing = size.of(NUMBERS), list[str]()
    with ExitStack() as stack:
        server = stack.enter_context(serving(count))
        loads = [Workload(provider, count) for provider in ("unpod", "videosdk")]
        fields = [Field(load, server, stack.enter_context(prepared(load, server))) for load in loads]
        contenders = dict[str, Contender]()
        for source in (_runners(*fields), _scripts(fields[0], missing), _vendor(fields[1], missing)):
            contenders.update(source)
        if program := find_nginx():
            url = stack.enter_context(nginx(program))
            work = partial(run, fields[0].script("bare.py", url=url))
            contenders["bare aiohttp loop, nginx answers"] = Contender(count, fields[0].bare, work)
        else:
            missing.append("nginx: not installed")
        used = interleaved({name: each.work for name, each in contenders.items()}, size.repeats)
    notes = [f"Left out: {each}." for each in missing]
    title = f"CPU of detaching {count:,} numbers, {CONCURRENCY} at a time, median of {size.repeats} (least to most)"
    against = {name: _ratios(name, contenders, used) for name in contenders}
    rows = [_row(name, used[name], contenders[name].numbers, against[name]) for name in contenders]
    return Answer("cost", title, rows, {name: round(median(each), 3) for name, each in against.items()}, notes)


def _runners(unpod: Field, videosdk: Field) -> Iterator[tuple[str, Contender]]:
    for field, suffix in ((unpod, ""), (videosdk, ", VideoSDK")):
        yield field.bare, field.contender(*field.script("bare.py"))
        yield f"teardown run{suffix}", field.runner()
        yield f"teardown run --no-verify{suffix}", field.runner("--no-verify")
    if uses_uvloop():
        yield "teardown run, uvloop", unpod.runner(command=WITH_UVLOOP)
        yield "teardown run --no-verify, uvloop", unpod.runner("--no-verify", command=WITH_UVLOOP)


def _scripts(field: Field, missing: list[str]) -> Iterator[tuple[str, Contender]]:
    if find_spec("uvloop"):
        yield "bare aiohttp loop, uvloop", field.contender(*field.script("bare.py", "uvloop"))
    else:
        missing.append("uvloop: not installed")
    if find_spec("requests"):
        yield f"requests, {CONCURRENCY} threads", field.contender(*field.script("threads.py"))
    else:
        missing.append("requests: not installed")
    if curl := shutil.which("curl"):
        yield "curl -Z", field.contender(curl, "-K", _curl_config(field))
        head = [word for name, value in field.workload.headers.items() for word in ("-H", f"{name}: {value}")]
        each = [curl, "--silent", "--output", "/dev/null", *head, "--data-binary"]
        pool = ["xargs", "-d", "\\n", "-n", "2", "-P", str(CONCURRENCY), "-a", str(_xargs_list(field))]
        yield f"xargs -P{CONCURRENCY} curl", field.contender(*pool, *each, share=_XARGS_SHARE)
    else:
        missing.append("curl: not installed")


def _curl_config(field: Field) -> Path:
    """Write one section a number; options hold for one section only, ``parallel`` for all."""
    path = field.folder / "curl.txt"
    headers = "".join(f'header = "{name}: {value}"\n' for name, value in field.workload.headers.items())
    common = f'{headers}output = "/dev/null"\n'
    sections = (
        f'url = "{field.server.url}{where}"\ndata-binary = "{{\\"{field.workload.field}\\":\\"{number}\\"}}"\n{common}'
        for where, number in field.workload.requests()
    )
    first = f"silent\nparallel\nparallel-max = {CONCURRENCY}\n"
    path.write_text(first + "next\n".join(sections), encoding="utf-8")
    return path


def _xargs_list(field: Field) -> Path:
    """Write a body and a URL in turn, for a share of the numbers: a process each takes its time."""
    path = field.folder / "xargs.txt"
    some = list(field.workload.requests())[: max(1, field.workload.count // _XARGS_SHARE)]
    lines = (f"{json.dumps({field.workload.field: number})}\n{field.server.url}{where}\n" for where, number in some)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _vendor(field: Field, missing: list[str]) -> Iterator[tuple[str, Contender]]:
    if problem := _install_sdk():
        missing.append(f"the vendor's Node SDK: {problem}")
        return
    where = (field.server.url, str(CONCURRENCY), field.folder / "list.txt")
    yield "VideoSDK's Node SDK", field.contender("node", _CLIENTS / "vendor.mjs", *where)


def _install_sdk() -> str | None:
    """Install the version that the tests pin beside the script, unless it is there; why not, or None."""
    pinned = json.loads(_PIN.read_bytes())["dependencies"][_SDK]
    manifest = _CLIENTS / "node_modules" / _SDK / "package.json"
    if absent := [tool for tool in ("node", "npm") if not shutil.which(tool)]:
        return f"{' and '.join(absent)} not found"
    if manifest.exists() and json.loads(manifest.read_bytes())["version"] == pinned:
        return None
    options = ("--no-save", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline")
    command = ("npm", "install", *options, "--prefix", _CLIENTS, f"{_SDK}@{pinned}")
    try:
        done = subprocess.run(command, capture_output=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        return "npm did not install it within three minutes"
    return "npm could not install it" if done.returncode else None


def _ratios(name: str, contenders: dict[str, Contender], used: dict[str, list[Usage]]) -> list[float]:
    """Return the CPU a number of a contender, divided by that of its bare loop in the same turn."""
    mine, base = (
        [usage.cpu_s / contenders[each].numbers for usage in used[each]] for each in (name, contenders[name].against)
    )
    return ratios(mine, base)


def _row(name: str, used: list[Usage], numbers: int, against: list[float]) -> dict[str, Any]:
    return {
        "client": name,
        "µs CPU a number": spread([usage.cpu_s / numbers * 1e6 for usage in used], 0),
        "against the bare loop": spread(against),
        "wall s": spread([usage.wall_s for usage in used]),
        "peak MB": spread([usage.peak_kib / 1024 for usage in used], 0),
    }


if __name__ == "__main__":
    ask(cost)
