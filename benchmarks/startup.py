"""How long until a command answers? Against an interpreter that imports argparse, in the same turns."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.measure import Answer, Size, ask, interleaved, ratios, run, spread
from benchmarks.workload import Workload

_BASE = 'python -c "import argparse"'
_TURNS = 3


def startup(size: Size) -> Answer:
    """Measure what is typed most, each several times a turn."""
    with tempfile.TemporaryDirectory() as name:
        plan = Path(name) / "plan.yaml"
        Workload("unpod", 10).write_plan(plan)
        runner = (sys.executable, "-m", "runner")
        commands: dict[str, tuple[str | Path, ...]] = {
            _BASE: (sys.executable, "-c", "import argparse"),
            "teardown --version": (*runner, "--version"),
            "teardown --help": (*runner, "--help"),
            "teardown run --help": (*runner, "run", "--help"),
            "teardown validate, ten numbers": (*runner, "validate", plan),
        }
        work = {name: partial(run, command) for name, command in commands.items()}
        used = interleaved(work, size.repeats * _TURNS)
    cpu = {name: [usage.cpu_s * 1000 for usage in each] for name, each in used.items()}
    rows = [
        {
            "command": name,
            "CPU ms": spread(each, 0),
            "against argparse": spread(ratios(each, cpu[_BASE])),
            "ms above it": f"{median(each) - median(cpu[_BASE]):.0f}",
            "wall ms": spread([usage.wall_s * 1000 for usage in used[name]], 0),
        }
        for name, each in cpu.items()
    ]
    title = f"Start-up, median of {size.repeats * _TURNS} (least to most)"
    return Answer("startup", title, rows, {name: round(median(each), 1) for name, each in cpu.items()})


if __name__ == "__main__":
    ask(startup)
