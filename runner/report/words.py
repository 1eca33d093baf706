"""What a report says in sentences, the same on the terminal, in a ticket and on a page."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from runner.policy import FAILURE_GUARD
from runner.report.fold import TROUBLED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.report.fold import Report, Row

_REASONS = {
    "unknown_to_account": "the account does not know this number",
    "target_gone": "its target is gone",
    "protected": "it is protected",
    "attached_elsewhere": "it is attached elsewhere",
    "not_attached": "it is attached to nothing",
    "excluded": "it was excluded on the command line",
    "in_call": "it was in a call",
}
_KEPT = {
    "dry_run": "this was a dry run",
    "not_confirmed": "nobody confirmed that it may be deleted",
    "not_verified": "its numbers were not all seen gone",
    "not_all_gone": "not all of its numbers are gone",
    "not_empty": "something is left on it",
    "run_not_finished": "the run did not come so far",
}


_ON_THEIR_WAY = frozenset({"moved", "already_moved", "would_move"})


def verdict_sentence(report: Report) -> str:
    """Return one sentence that says how the run ended."""
    totals = report.totals
    planned, pending = _numbers(totals["planned"]), totals["pending"]
    goal = report.goal
    match report.status:
        case "succeeded":
            skipped = f"{totals['skipped']:,} skipped, and no other" if totals["skipped"] else "and none"
            return f"Succeeded: {planned} planned, {skipped} is left to do."
        case "failed":
            return f"Failed: {_trouble(report)}, of {planned}."
        case "aborted":
            return f"Aborted part-way: {pending:,} of {planned} left to do{_and_trouble(report)}."
        case "blocked":
            return f"Blocked before the first {goal.noun}: {planned} planned, {pending:,} left to do."
        case "dry_run":
            return f"Dry run: {totals[goal.would]:,} of {planned} would be {goal.participle}; nothing was sent."
    how = "Not finished (still going on, or killed)" if report.exit_code is None else "Interrupted"
    return f"{how}: {pending:,} of {planned} left to do{_and_trouble(report)}."


def next_command(report: Report) -> str | None:
    """Return the command that goes on from here; None where there is nothing to go on with."""
    if report.run["dry_run"] or report.run["sandbox"]:  # a rehearsal's sandbox is gone
        return None
    counted_out = any(FAILURE_GUARD in note for note in report.run["notes"])  # by failures that still count
    if report.status == "failed" or (report.status == "aborted" and counted_out):
        return f"teardown resume {report.run['id']} --retry-failed"
    return f"teardown resume {report.run['id']}" if report.status in {"aborted", "interrupted"} else None


def rollback_command(report: Report) -> str | None:
    """Return the command that puts back what a run has detached; None where there is nothing to put back."""
    taken_off = report.totals["detached"] + report.totals.get("stranded", 0)
    if report.run["dry_run"] or report.run["sandbox"] or not taken_off:
        return None
    return f"teardown rollback {report.run['id']}"


def why(row: Row) -> str:
    """Return why a row ended as it did, empty where its outcome says it all."""
    if row["error"]:
        return str(row["error"]["message"])
    if row["outcome"] in _ON_THEIR_WAY:
        return f"to {row['moved_to']}"
    return _REASONS.get(row["reason"], row["reason"] or "")


def where(row: Row) -> str:
    """Return account and target of a row as one word, as ``--only`` takes it."""
    return f"{row['account']}/{row['target']}" if row["target"] else str(row["account"])


def counted(report: Report) -> list[tuple[str, int]]:
    """Return the outcomes that occurred and how often, in the order of the totals."""
    return [(name, count) for name, count in report.totals.items() if count and name != "planned"]


def troubled(report: Report) -> Iterator[Row]:
    """Yield the rows that failed or are unknown; reads nothing where there are none."""
    if report.troubles:
        yield from (row for row in report.numbers() if row["outcome"] in TROUBLED)


def _numbers(count: int) -> str:
    return "1 number" if count == 1 else f"{count:,} numbers"


def _trouble(report: Report) -> str:
    totals = report.totals
    parts = {
        "attached to nothing": totals.get("stranded", 0),
        report.goal.undone: totals["failed"],
        "unknown": totals["unknown"],
    }
    undecided = Counter(_undone(target) for target in report.targets)
    parts |= {f"target{'s' * (count > 1)} {what}": count for what, count in undecided.items() if what}
    return ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)


def _undone(target: Row) -> str | None:
    """Return what a target is that should have been deleted and was not; None where all is as it should be."""
    if target["outcome"] == "unknown":
        return "of which nobody knows whether it is deleted"
    if target["error"] or target["reason"] == "run_not_finished":
        return "not deleted"
    return None


def fate(target: Row) -> str:
    """Return what became of something to delete, with the reason where there is one."""
    what = f"{target['outcome'].replace('_', ' ')} {target['kind']} {target['target']} of {target['account']}"
    return ": ".join(filter(None, [what, why_kept(target)]))


def why_kept(target: Row) -> str:
    """Return why it ended so, empty where it was deleted."""
    return str((target["error"] or {}).get("message") or target["note"] or _KEPT.get(target["reason"], ""))


def _and_trouble(report: Report) -> str:
    trouble = _trouble(report)
    return f"; {trouble}" if trouble else ""
