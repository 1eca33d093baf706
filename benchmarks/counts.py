"""What does a number take, counted and not timed? The same on every machine, so that tests can hold it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from benchmarks.measure import Answer, Size, ask
from benchmarks.runs import prepared, teardown
from benchmarks.serving import Server, serving
from benchmarks.workload import CONCURRENCY, Workload

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS = 1000
_COMMANDS = (("--version",), ("--help",), ("run", "--help"), ("validate", "--help"))


@dataclass(frozen=True, slots=True)
class Counts:
    """What one more number adds to a run, and how many connections a run of them opens."""

    requests: float
    transactions: float
    log_lines: float
    calls: float
    """Functions called, Python's and C's."""
    blocks: float
    """Blocks of memory still in use at the end."""
    connections: int


def count(provider: str, numbers: int, *options: str) -> Counts:
    """Count a run of so many numbers and one of twice as many; what the second has more is the numbers' own."""
    once, twice = (_totals(Workload(provider, each), options) for each in (numbers, 2 * numbers))
    each = {name: (twice[name] - once[name]) / numbers for name in once if name != "connections"}
    return Counts(**each, connections=twice["connections"])


def modules(*words: str) -> frozenset[str]:
    """Return the modules that ``teardown WORDS`` imports and a bare interpreter does not."""
    return _imported("-m", "runner", *words) - _imported("-c", "")


def counts(size: Size) -> Answer:
    """Count at both providers."""
    number = size.of(NUMBERS)
    counted = {provider: asdict(count(provider, number)) for provider in ("unpod", "videosdk")}
    names = [name for name in counted["unpod"] if name != "connections"]
    rows = [
        {"a number takes": name.replace("_", " ")} | {at: f"{each[name]:,.3f}" for at, each in counted.items()}
        for name in names
    ]
    loaded = {" ".join(words): len(modules(*words)) for words in _COMMANDS}
    figures = {f"{at} {name}": value for at, each in counted.items() for name, value in each.items()}
    notes = [
        f"`teardown {words}` imports {loads} modules that a bare interpreter does not."
        for words, loads in loaded.items()
    ]
    most = max(each["connections"] for each in counted.values())
    notes.append(f"The run with the most connections opened {most}, with {CONCURRENCY} workers.")
    return Answer("counts", "Counts, the same on every machine", rows, figures | loaded, notes)


def _totals(load: Workload, options: tuple[str, ...]) -> dict[str, int]:
    with serving(load.count) as server, prepared(load, server) as folder:
        totals = _counted("calls", load, server, folder, options)
        totals |= _counted("blocks", load, server, folder, options)
        log = next((folder / "state").glob("runs/*/log.jsonl"))
        totals["log_lines"] = log.read_bytes().count(b"\n")
    return totals


def _counted(what: str, load: Workload, server: Server, folder: Path, options: tuple[str, ...]) -> dict[str, int]:
    file = folder / "counted.json"
    command = (sys.executable, "-m", "benchmarks.counted", str(file), what)
    seen = teardown(load, server, folder, *options, command=command)[1]
    counted: dict[str, int] = json.loads(file.read_bytes())
    return counted | {"requests": seen["detaches"] + seen["reads"], "connections": seen["connections"]}


def _imported(*words: str) -> frozenset[str]:
    command = [sys.executable, "-X", "importtime", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = (line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:"))
    return frozenset(lines)


if __name__ == "__main__":
    ask(counts)
