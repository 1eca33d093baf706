"""The fold: what the ledger holds of a run -> what became of it. Nothing else is read, and nothing is written."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from runner.errors import TeardownError
from runner.goal import Goal, goal_of
from runner.log import stamp
from runner.model import Fault, State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from runner.records import ItemRecord, LaneRecord, Removal, RunRecord, Timeline

Row = dict[str, Any]
Totals = dict[str, int]

REATTACHED = ("reattached", "already_attached")
"""What becomes of an item in a rollback besides the others."""
OUTCOMES = ("detached", "already_detached", "skipped", "failed", "unknown", "pending")
"""What becomes of an item in a run that detaches, in the order in which totals show it."""
MOVED = ("moved", "already_moved", "stranded")
"""What becomes of an item in a run that moves its numbers besides the others."""
TROUBLED = ("failed", "unknown", "stranded")

_CALLED = {state: state.value for state in State} | {State.PLANNED: "pending", State.IN_FLIGHT: "unknown"}
_NO_ANSWER = Fault("no_answer", "an attempt may have been sent, and nothing has settled yet what it did")
_BATCH = 500


class ReportError(TeardownError):
    """The report cannot be made or written; one sentence."""


class Source(Protocol):
    """What the fold reads: the ledger, or whatever holds the same records."""

    def run(self, run_id: str) -> RunRecord:
        """Return the run."""
        ...

    def items(self, run_id: str) -> Iterator[ItemRecord]:
        """Yield its items, in the plan's order."""
        ...

    def lanes(self, run_id: str) -> list[LaneRecord]:
        """Return its lanes."""
        ...

    def counts(self, run_id: str) -> dict[tuple[State, bool], int]:
        """Return how many items stand at (state, whether the newest pre-check saw them attached)."""
        ...

    def removals(self, run_id: str) -> list[Removal]:
        """Return what it was to delete, and what became of that."""
        ...

    def timeline(self, run_id: str, slots: int) -> Timeline:
        """Return what the run sent when, in so many slots."""
        ...

    def rules(self, run_id: str) -> dict[str, Any]:
        """Return its guards, window and limit."""
        ...

    def plan_text(self, run_id: str, most: int) -> str | None:
        """Return up to ``most`` characters of its plan, if that is still there."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a run; ``run``, ``totals``, ``lanes`` and ``targets`` have the shapes of ``teardown.report/1``."""

    run: dict[str, Any]
    totals: Totals
    lanes: list[dict[str, Any]]
    source: Source = field(repr=False, compare=False)
    targets: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> str:
        """``succeeded``, ``failed``, ``aborted``, ``interrupted``, ``blocked`` or ``dry_run``."""
        return str(self.run["status"])

    @property
    def exit_code(self) -> int | None:
        """What the process that ran it exits with; None while the run goes on, or when it was killed."""
        code: int | None = self.run["exit_code"]
        return code

    @property
    def goal(self) -> Goal:
        """What the run wants of its numbers."""
        return goal_of(self.run["rollback_of"], moves=self.run["moves"])

    @property
    def troubles(self) -> int:
        """How many items failed, are unknown or stranded."""
        return sum(self.totals.get(name, 0) for name in TROUBLED)

    def numbers(self) -> Iterator[Row]:
        """Yield a row per item in the plan's order, read from the ledger again: they never sit in memory together.

        Raises ReportError after the last row when the rows of an ended run are not what the totals say.
        """
        seen: Counter[str] = Counter()
        would = self.goal.would if self.run["dry_run"] else None
        for item in self.source.items(self.run["id"]):
            row = _row(item, would)
            seen[row["outcome"]] += 1
            yield row
        wanted = {outcome: self.totals[outcome] for outcome in self.totals if outcome != "planned"}
        if seen.total() != self.totals["planned"] or (self.run["finished_at"] and seen != Counter(wanted)):
            raise ReportError(f"the rows of run {self.run['id']} are not what its totals say; write the report again")

    def batches(self) -> Iterator[list[Row]]:
        """Yield the same rows, some hundreds at a time."""
        rows = self.numbers()
        while batch := list(islice(rows, _BATCH)):
            yield batch


def fold(source: Source, run_id: str) -> Report:
    """Fold what ``source`` holds of the run into its report; ReportError when the counts do not add up to the plan."""
    run, lanes = source.run(run_id), source.lanes(run_id)
    totals = _totals(run, sum(lane.planned for lane in lanes), source.counts(run_id))
    removals, check = source.removals(run_id), source.rules(run_id).get("check")
    status, exit_code = verdict(run, totals, removals)
    lines = [_lane(lane) for lane in lanes]
    return Report(_run(run, status, exit_code, check), totals, lines, source, [_target(each) for each in removals])


def verdict(run: RunRecord, totals: Totals, removals: Collection[Removal] = ()) -> tuple[str, int | None]:
    """Status and exit code, from the report alone; the first line that fits decides.

    ============================================  ===========  ============
    the run                                       status       exit code
    ============================================  ===========  ============
    goes on, or was killed (no ending)            interrupted  null
    was refused before the first detach           blocked      3
    a signal ended it, and pending or unknown     interrupted  128 + signal
    was a dry run that looked at everything       dry_run      0
    anything pending                              aborted      5
    anything failed, unknown or stranded          failed       4
    else                                          succeeded    0
    ============================================  ===========  ============

    So a signal that came when everything was settled anyway counts as finished. A dry run that was stopped half-way
    is interrupted or aborted like any other; one that finished is ``dry_run`` whatever it saw. A target that is to be
    deleted counts as pending while that is not decided, and as unknown or failed when it could not be done; one that
    is kept by a rule counts as nothing.
    """
    pending = totals["pending"] + sum(each.open for each in removals)
    troubled = sum(totals.get(name, 0) for name in TROUBLED) + sum(each.troubled for each in removals)
    if run.ending is None:
        return "interrupted", None
    if run.ending == "blocked":
        return "blocked", 3
    if run.ending == "interrupted" and pending + totals["unknown"]:
        return "interrupted", 128 + (run.signal or signal.SIGINT)
    if run.dry_run and (run.ending == "finished" or not pending):
        return "dry_run", 0
    if pending:
        return "aborted", 5
    return ("failed", 4) if troubled else ("succeeded", 0)


def outcome_of(state: State, *, seen: bool, would: str | None) -> str:
    """Return what the report calls an item that stands at ``state``; ``would`` what a dry run calls one to be sent."""
    if would and seen and state is State.PLANNED:
        return would
    return _CALLED[state]


def _totals(run: RunRecord, planned: int, counts: dict[tuple[State, bool], int]) -> Totals:
    would = goal_of(run.rollback_of, moves=run.moves).would if run.dry_run else None
    more = REATTACHED if run.rollback_of else MOVED if run.moves else ()
    names = (*more, *OUTCOMES, *filter(None, [would]))
    totals = {"planned": planned, **dict.fromkeys(names, 0)}
    for (state, seen), count in counts.items():
        totals[outcome_of(state, seen=seen, would=would)] += count
    counted = sum(totals.values()) - planned
    if counted != planned:
        raise ReportError(f"the ledger holds {counted} items of run {run.id}, and its plan has {planned}: no report")
    return totals


def _run(run: RunRecord, status: str, exit_code: int | None, check: str | None) -> dict[str, Any]:
    return {
        "id": run.id,
        "status": status,
        "exit_code": exit_code,
        "dry_run": run.dry_run,
        "plan": {
            "name": run.plan_name,
            "path": run.plan_path,
            "sha256": run.plan_sha256,
            "metadata": run.metadata,
            "description": run.description,
        },
        "check": check,
        "rollback_of": run.rollback_of,
        "moves": run.moves,
        "reason": run.reason,
        "sandbox": run.sandbox,
        "signal": run.signal,
        "notes": list(run.notes),
        "started_at": stamp(run.started_at),
        "finished_at": _stamp(run.finished_at),
        "duration_s": None if run.finished_at is None else round(run.finished_at - run.started_at, 3),
        "version": run.version,
        "host": run.host,
        "user": run.user,
    }


def _lane(lane: LaneRecord) -> dict[str, Any]:
    tally = lane.tally
    # A first request leaves at once: over less than a second that would look like a rate that nobody allowed.
    seconds = max(tally.active_s, 1.0)
    return {
        "account": lane.account,
        "provider": lane.provider,
        "planned": lane.planned,
        "requests": tally.requests,
        "retries": tally.retries,
        "throttled": tally.throttled,
        "rate": lane.rate,
        "achieved_rate": round(tally.requests / seconds, 2) if tally.active_s > 0 else None,
        "latency_ms": {
            "p50": _rounded(tally.percentile(50)),
            "p95": _rounded(tally.percentile(95)),
            "max": _rounded(tally.longest_ms if tally.buckets else None),
        },
    }


def _row(item: ItemRecord, would: str | None) -> Row:
    fault = _NO_ANSWER if item.state is State.IN_FLIGHT else item.fault
    row: Row = {
        "number": item.number,
        "account": item.account,
        "provider": item.provider,
        "target": item.target,
        "outcome": outcome_of(item.state, seen=item.seen_attached, would=would),
        "confirmed_by": item.confirmed_by,
        "verified": item.verified,
        "reason": item.reason,
        "attempts": _attempts(item),
        "finished_at": _stamp(item.finished_at),
        "before": item.before,
        "error": _error(fault) if fault else None,
    }
    if item.moved_to:
        row |= {"moved_to": item.moved_to, "gap_ms": item.gap_ms}
    return row


def _attempts(item: ItemRecord) -> int:
    """Return how many requests left; where a kill left only the mark of one, it counts for what it may have done."""
    one = item.state in (State.IN_FLIGHT, State.UNKNOWN) or item.confirmed_by == "verification"
    return item.attempts or int(one)


def _target(removal: Removal) -> dict[str, Any]:
    """Return what became of something to delete; what is not decided is kept so far, or in doubt."""
    outcome, reason, fault = str(removal.state), removal.reason, removal.fault
    if removal.state == "planned":
        outcome, reason = "kept", "run_not_finished"
    elif removal.state == "in_flight":
        outcome, reason, fault = "unknown", None, _NO_ANSWER
    return {
        "account": removal.account,
        "provider": removal.provider,
        "kind": removal.kind,
        "target": removal.thing,
        "outcome": outcome,
        "confirmed_by": removal.confirmed_by,
        "reason": reason,
        "note": removal.note,
        "attempts": removal.attempts,
        "finished_at": _stamp(removal.finished_at),
        "error": _error(fault) if fault else None,
    }


def _stamp(seconds: float | None) -> str | None:
    return None if seconds is None else stamp(seconds)


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 1)


def _error(fault: Fault) -> dict[str, Any]:
    return {"code": fault.code, "message": fault.message, "http_status": fault.http_status}
