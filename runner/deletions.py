"""What a running process writes of things to delete; each function belongs into a transaction of its caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from runner.records import Removal

_PLAN = (
    "INSERT INTO removal (run, account, provider, kind, thing, state, reason) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET state = excluded.state, reason = excluded.reason WHERE state = 'kept'"
)
_MARK = (
    "UPDATE removal SET state = 'in_flight', attempts = attempts + 1"
    " WHERE run = ? AND account = ? AND kind = ? AND thing = ?"
)
_SETTLE = (
    "UPDATE removal SET state = ?, confirmed_by = ?, reason = ?, note = ?, error_code = ?, error_message = ?,"
    " http_status = ?, attempts = ?, finished_at = ? WHERE run = ? AND account = ? AND kind = ? AND thing = ?"
)


def plan(db: sqlite3.Connection, run: int, removals: Iterable[Removal]) -> None:
    """Record what is to be deleted, or why it is kept from the start."""
    rows = ((run, each.account, each.provider, each.kind, each.thing, each.state, each.reason) for each in removals)
    db.executemany(_PLAN, rows)


def mark(db: sqlite3.Connection, run: int, removal: Removal) -> None:
    """Mark one as in flight, and count the attempt that follows."""
    db.execute(_MARK, (run, removal.account, removal.kind, removal.thing))


def settle(db: sqlite3.Connection, run: int, removal: Removal) -> None:
    """Record what became of one."""
    fault = removal.fault
    error = (fault.code, fault.message, fault.http_status) if fault else (None, None, None)
    how = (removal.state, removal.confirmed_by, removal.reason, removal.note, *error)
    db.execute(
        _SETTLE, (*how, removal.attempts, removal.finished_at, run, removal.account, removal.kind, removal.thing)
    )
