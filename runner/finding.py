"""The ledger of a state folder, and the runs in it: what commands need that start none."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.errors import InputError
from runner.holding import is_live
from runner.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.plan import Plan
    from runner.records import RunRecord
    from runner.state import StateFolder


@contextmanager
def opened(state: StateFolder) -> Iterator[Ledger]:
    """Open the ledger of a state folder; raises LedgerError."""
    ledger = Ledger(state.ledger)
    try:
        yield ledger
    finally:
        ledger.close()


@contextmanager
def opened_for(state: StateFolder, run_id: str) -> Iterator[Ledger]:
    """Open the ledger that holds a run; InputError when the folder holds no runs at all, or not this one."""
    if not state.holds_runs():
        raise InputError(f"there is no run {run_id!r}: {state.path} holds no runs")
    with opened(state) as ledger:
        find_run(ledger, run_id)
        yield ledger


def find_run(ledger: Ledger, run_id: str) -> RunRecord:
    """Return a run; InputError when the ledger has no such run."""
    try:
        return ledger.history.run(run_id)
    except KeyError:
        raise InputError(f"there is no run {run_id!r} in {ledger.path}; `teardown status` lists them") from None


def find_resumable(state: StateFolder, run_id: str | None, *, retry_failed: bool) -> RunRecord:
    """Return the run to go on with, the newest unfinished one by default; InputError when there is nothing to do."""
    if not state.holds_runs():
        raise InputError(f"there is nothing to resume: {state.path} holds no runs")
    with opened(state) as ledger:
        return resumable(ledger, run_id, retry_failed=retry_failed)


def resumable(ledger: Ledger, run_id: str | None, *, retry_failed: bool) -> RunRecord:
    """Return the run to go on with, the newest unfinished one by default; InputError when there is nothing to do."""
    if run_id is None:
        unfinished = ledger.history.unfinished(troubled=retry_failed)
        if not unfinished:
            raise InputError("there is nothing to resume: every run of this state folder is finished")
        return unfinished[0]
    record = find_run(ledger, run_id)
    if record.dry_run or record.sandbox:
        kind = "a dry run" if record.dry_run else "a rehearsal against a sandbox that is gone"
        raise InputError(f"run {run_id} cannot be resumed: it was {kind}; start a new one")
    if not ledger.history.is_open(run_id, troubled=retry_failed):
        mend = "" if retry_failed else "; --retry-failed takes up what failed"
        raise InputError(f"run {run_id} has nothing to resume{mend}")
    return record


def deletes(state: StateFolder, run_id: str) -> bool:
    """Whether a run is to delete targets, and nobody has said yet whether it may."""
    with opened(state) as ledger:
        history = ledger.history
        return bool(history.rules(run_id).get("delete")) and not history.removals(run_id)


def other_runs(state: StateFolder, plan: Plan) -> list[tuple[str, bool]]:
    """Return the ids of unfinished runs of the same plan, newest first, each with whether a process works on it."""
    if not state.holds_runs():
        return []
    now = time.time()
    with opened(state) as ledger:
        unfinished = ledger.history.unfinished()
        same = [run.id for run in unfinished if run.plan_name == plan.name or run.plan_sha256 == plan.sha256]
        return [(run_id, is_live(ledger, run_id, now)) for run_id in same]
