"""A run seen from another process: whether it lives, why it waits, how long it will take, and how to steer it."""

from __future__ import annotations

import time
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from runner.errors import InputError
from runner.finding import opened
from runner.holding import is_live
from runner.model import OPEN, State
from runner.report import fold

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.ledger import Ledger
    from runner.records import Command, LaneRecord, RunRecord
    from runner.state import StateFolder

Kind = Literal["any", "live", "open", "real"]
"""Which runs: all, those that a process works on, that a resume could take up, that a rollback could undo."""
_NEWEST = 50


def steer(ledger: Ledger, run_id: str, command: Command, reason: str | None, now: float) -> None:
    """Tell the process that works on a run what is wanted of it; InputError when there is none."""
    if not is_live(ledger, run_id, now):
        raise InputError(f"nothing works on run {run_id} now; `teardown status` tells how it stands")
    if not ledger.command(run_id, command, reason):
        raise InputError(f"run {run_id} was told to stop already, and that stands; `teardown resume` goes on with it")


def newest(state: StateFolder, kind: Kind) -> list[tuple[str, str]]:
    """Return the newest runs of a kind, newest first, each with its plan's name and status; raises LedgerError."""
    if not state.holds_runs():
        return []
    now = time.time()
    with opened(state) as ledger:
        runs = islice(_of_kind(ledger, kind, now), _NEWEST)
        return [(run.id, f"{run.plan_name}, {standing(ledger, run.id, now)['status']}") for run in runs]


def _of_kind(ledger: Ledger, kind: Kind, now: float) -> Iterable[RunRecord]:
    if kind == "open":
        return ledger.history.unfinished(troubled=True)
    if kind == "real":
        return (run for run in ledger.history.runs() if not (run.dry_run or run.sandbox or run.rollback_of))
    return (run for run in ledger.history.runs() if kind == "any" or is_live(ledger, run.id, now))


def standing(ledger: Ledger, run_id: str, now: float) -> dict[str, Any]:
    """Return a run as one flat object: the report's ``run`` with its totals and lanes, and what is live about it.

    ``status`` is ``running`` or ``paused`` while a process works on it; ``eta_s`` is in seconds, null when nothing is
    left to do or nobody does it; a lane has ``waiting``, the reason why it sends nothing.
    """
    with ledger.snapshot():
        return _standing(ledger, run_id, now)


def _standing(ledger: Ledger, run_id: str, now: float) -> dict[str, Any]:
    report = fold(ledger.history, run_id)
    live = is_live(ledger, run_id, now)
    command, reason = ledger.history.command(run_id) if live else (None, None)
    lanes = ledger.history.lanes(run_id)
    facts = {
        "live": live,
        "command": command,
        "command_reason": reason,
        "eta_s": _eta(ledger, run_id, lanes) if live else None,
        "totals": _totals(ledger, run_id, report.totals) if live else report.totals,
        "lanes": [
            row | {"waiting": lane.waiting if live else None} for row, lane in zip(report.lanes, lanes, strict=True)
        ],
    }
    status = ("paused" if command == "pause" else "running") if live else report.status
    return report.run | {"status": status, "targets": report.targets} | facts


def _totals(ledger: Ledger, run_id: str, totals: dict[str, int]) -> dict[str, int]:
    """Return the totals of a live run, in which an item in flight is not yet unknown."""
    in_flight = sum(count for (state, _), count in ledger.history.counts(run_id).items() if state is State.IN_FLIGHT)
    return totals | {"unknown": totals["unknown"] - in_flight, "in_flight": in_flight}


def _eta(ledger: Ledger, run_id: str, lanes: list[LaneRecord]) -> float | None:
    """Return how long the slowest lane needs for what it has left, at the pace it has kept so far."""
    accounts = {target.no: target.account for target in ledger.history.targets(run_id)}
    left: Counter[str] = Counter()
    for tab in ledger.history.tabs(run_id):
        if tab.state in OPEN:
            left[accounts[tab.target]] += tab.count
    paces = {lane.account: lane.tally.requests / max(lane.tally.active_s, 1.0) for lane in lanes}
    times = [count / paces[account] for account, count in left.items() if paces.get(account)]
    return round(max(times), 1) if times else None
