"""Does a ledger with many runs still answer at once? Reading one run of many, against one that is alone."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Answer, Size, ask, interleaved, ratios, run, spread
from benchmarks.workload import PER_BRIDGE, bridge, number
from runner.ledger import Ledger
from runner.model import Detached
from runner.records import Attempt, NewTarget, RunRecord, Settled
from runner.state import StateFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.measure import Usage

NUMBERS = 20_000
_AT_ONCE = 5000
_ACCOUNT = "bench"


def ledger(size: Size) -> Answer:
    """Read two ledgers with runs of the same size: one run in the first, ``size.runs`` in the second."""
    count = size.of(NUMBERS)
    with tempfile.TemporaryDirectory() as name:
        alone, many = StateFolder(Path(name) / "alone"), StateFolder(Path(name) / "many")
        for state, runs in ((alone, 1), (many, size.runs)):
            print(f"  writing {runs} x {count:,} numbers", file=sys.stderr, flush=True)
            fill(state, runs, count)
        out = Path(name) / "report.json"
        commands: dict[str, Sequence[str | Path]] = {
            "status": ("status",),
            "status, as JSON": ("status", "--json"),
            "status RUN": ("status", _run_id(0)),
            "report RUN": ("report", _run_id(0), "-o", out),
        }
        work: dict[str, Callable[[], Usage]] = {}
        for what, words in commands.items():
            for state in (alone, many):
                command = (sys.executable, "-m", "runner", *words, "--state-dir", state.path)
                work[f"{what} in {state.path.name}"] = partial(run, command)
        used = {name: [usage.cpu_s * 1000 for usage in each] for name, each in interleaved(work, size.repeats).items()}
        weight = many.ledger.stat().st_size / 2**20
    rows, figures = [], {}
    for what in commands:
        few, most = used[f"{what} in alone"], used[f"{what} in many"]
        figures[what] = round(median(ratios(most, few)), 2)
        rows.append(
            {
                "command": f"teardown {what}",
                "CPU ms, one run": spread(few, 0),
                f"CPU ms, {size.runs} runs": spread(most, 0),
                "ratio": spread(ratios(most, few)),
            }
        )
    title = f"Reading a ledger with runs of {count:,} numbers ({weight:,.0f} MB), median of {size.repeats}"
    return Answer("ledger", title, rows, figures)


def fill(state: StateFolder, runs: int, count: int) -> None:
    """Write so many finished runs, through the steps that a run takes."""
    state.prepare()
    book = Ledger(state.ledger)
    try:
        for place in range(runs):
            _fill_run(book, _run_id(place), 1.8e9 + place * 3600, count)
    finally:
        book.close()


def _run_id(place: int) -> str:
    return f"20261122T{place:06d}000Z-0000"


def _fill_run(book: Ledger, run_id: str, at: float, count: int) -> None:
    book.begin(_record(run_id, at), {"guards": {}, "window": {}, "limit": None}, _targets(count))
    last = 0
    book.saw([(item.id, {"id": item.id}) for item in book.history.items(run_id)], ())
    while block := book.claim(run_id, _ACCOUNT, after=last, upto=1 << 62, most=_AT_ONCE):
        last = block[-1][0]
        book.record(
            [Attempt(item, at, 20.0, 200, None) for item, _ in block],
            [Settled(item, Detached("response"), at + 1, 1, verified=True) for item, _ in block],
        )
    book.finish(run_id, at + 1, "finished", None, ())


def _targets(count: int) -> list[NewTarget]:
    firsts = range(0, count, PER_BRIDGE)
    return [
        NewTarget(_ACCOUNT, "unpod", bridge(place), list(map(number, range(first, min(first + PER_BRIDGE, count)))))
        for place, first in enumerate(firsts)
    ]


def _record(run_id: str, at: float) -> RunRecord:
    return RunRecord(
        id=run_id,
        plan_name="benchmark",
        plan_path="plan.yaml",
        plan_sha256="0" * 64,
        metadata={},
        description=None,
        dry_run=False,
        sandbox=False,
        rollback_of=None,
        reason=None,
        started_at=at,
        finished_at=None,
        ending=None,
        signal=None,
        notes=(),
        version="0",
        host="localhost",
        user="nobody",
    )


if __name__ == "__main__":
    ask(ledger)
