"""The figures of a run, folded from the ledger like its report: neither Prometheus nor OpenTelemetry is known here."""

from __future__ import annotations

import bisect
from contextlib import closing
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from runner.ledger import Ledger
from runner.report import fold
from runner.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runner.history import History
    from runner.records import LaneRecord, RunRecord
    from runner.report import Report
    from runner.tally import Tally

Kind = Literal["gauge", "counter", "histogram"]
Unit = Literal["", "s"]
Labels = dict[str, str]

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latency histogram, in seconds; beyond the last one there is one more bucket."""


class Spread(Struct, frozen=True):
    """How values are spread over ``BOUNDS``: ``counts`` of each bucket alone, and the ``total`` of the values.

    ``low`` and ``high`` are the smallest and the largest of them, 0 where there are none.
    """

    counts: tuple[int, ...]
    total: float
    low: float
    high: float

    @classmethod
    def of(cls, tally: Tally) -> Spread:
        """Return the latencies of ``tally`` in seconds, each as the middle of its bucket there: within 2.2 %."""
        counts = [0] * (len(BOUNDS) + 1)
        latencies = [(milliseconds / 1000, count) for milliseconds, count in tally.latencies()]
        for seconds, count in latencies:
            counts[bisect.bisect_left(BOUNDS, seconds)] += count
        total = sum(seconds * count for seconds, count in latencies)
        low = min((seconds for seconds, _ in latencies), default=0.0)
        return cls(tuple(counts), total, low, tally.longest_ms / 1000)


class Family(Struct, frozen=True):
    """One instrument with all of its series; ``name`` is dotted, and lacks its unit."""

    name: str
    kind: Kind
    help: str
    unit: Unit
    series: list[tuple[Labels, float | Spread]]


class Figures(Struct, frozen=True):
    """All instruments of a run of ``plan``, as they stood ``at``; times are seconds since the epoch."""

    plan: str
    started_at: float
    at: float
    families: list[Family]


def gather(path: Path, run_id: str, now: float) -> Figures:
    """Fold the run in the ledger at ``path`` as it stands ``now``; raises LedgerError and ReportError."""
    with closing(Ledger(path)) as ledger:
        history = ledger.history
        record, report = history.run(run_id), fold(history, run_id)
        families = [*_run(record, report, _last_success(history, record, report), now), *_lanes(record, history)]
    return Figures(record.plan_name, record.started_at, now, families)


def _run(record: RunRecord, report: Report, success: float | None, now: float) -> Iterator[Family]:
    plan = {"plan": record.plan_name}
    ended = record.finished_at
    status = "running" if ended is None else report.status
    lasted = (ended or now) - record.started_at
    outcomes = [(plan | {"outcome": name}, count) for name, count in report.totals.items() if name != "planned"]

    def one(name: str, text: str, value: float | None, unit: Unit = "", **labels: str) -> Family:
        return Family(f"teardown.{name}", "gauge", text, unit, [] if value is None else [(plan | labels, value)])

    yield one("build.info", "Which release wrote these figures.", 1, version=VERSION)
    yield one("run.info", "Which run these figures are of.", 1, run_id=record.id, status=status)
    yield Family("teardown.run.numbers", "gauge", "Numbers of the plan by what became of them.", "", list(outcomes))
    yield one("run.in_progress", "1 while a process works on the run, or was killed.", int(ended is None))
    yield one("run.start_timestamp", "When the run began.", record.started_at, "s")
    yield one("run.end_timestamp", "When the newest process left the run.", ended, "s")
    yield one("run.duration", "From the beginning of the run to its end, or to now.", lasted, "s")
    yield one("run.exit_code", "What the newest process of the run exits with.", report.exit_code)
    yield one("run.last_success_timestamp", "When a run of the plan last ended with exit code 0.", success, "s")
    yield one("run.last_update_timestamp", "When these figures were made.", now, "s")


def _lanes(record: RunRecord, history: History) -> Iterator[Family]:
    lanes = history.lanes(record.id)
    labels = [{"plan": record.plan_name, "account": lane.account, "provider": lane.provider} for lane in lanes]

    def each(
        name: str, kind: Kind, text: str, value: Callable[[LaneRecord], float | Spread], unit: Unit = ""
    ) -> Family:
        return Family(f"teardown.{name}", kind, text, unit, list(zip(labels, map(value, lanes), strict=True)))

    def waits(lane: LaneRecord) -> int:
        return int(record.finished_at is None and lane.waiting is not None)

    yield each("lane.numbers", "gauge", "Numbers of the plan in an account.", lambda lane: lane.planned)
    yield each("lane.requests", "counter", "Requests that left, reads included.", lambda lane: lane.tally.requests)
    yield each("lane.retries", "counter", "Detaches that were repeated.", lambda lane: lane.tally.retries)
    yield each("lane.throttled", "counter", "Answers that asked for a pause.", lambda lane: lane.tally.throttled)
    yield each("lane.active", "counter", "Time in which requests could leave.", lambda lane: lane.tally.active_s, "s")
    yield each("lane.rate_limit_per_second", "gauge", "Requests a second that are allowed.", lambda lane: lane.rate)
    yield each("lane.waiting", "gauge", "1 while a lane sends nothing because it has to wait.", waits)
    yield each("request.duration", "histogram", "How long answers took.", lambda lane: Spread.of(lane.tally), "s")


def _last_success(history: History, record: RunRecord, report: Report) -> float | None:
    """When a run of the same plan last succeeded: this one, else the newest before it."""
    if report.status == "succeeded" and record.rollback_of is None:
        return record.finished_at
    earlier = (
        each for each in history.runs() if each.plan_name == record.plan_name and not (each.sandbox or each.rollback_of)
    )
    return next((each.finished_at for each in earlier if fold(history, each.id).status == "succeeded"), None)
