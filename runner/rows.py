"""The ledger's rows as records."""

from __future__ import annotations

from typing import Any

import orjson

from runner.model import Fault, State
from runner.records import ItemRecord, RunRecord

Place = tuple[str, str, str | None]
"""Account, provider and target."""
RUN = (
    "id, plan, dry_run, sandbox, rollback_of, reason, started_at, finished_at, ending, signal, notes,"
    " version, host, user"
)
ITEM = (
    "id, number, state, seen, before, confirmed_by, reason, error_code, error_message, http_status,"
    " max(attempts, (SELECT count(*) FROM attempt WHERE item = item.id)), finished_at, verified"
)
_STATES = {state.value: state for state in State}  # a hundred times cheaper than State(…), once a row


def run(row: tuple[Any, ...]) -> RunRecord:
    """Return the record of one row."""
    run_id, plan, dry_run, sandbox, rollback_of, reason, started_at, finished_at, ending, signal, notes, *who = row
    known = orjson.loads(plan)
    return RunRecord(
        id=run_id,
        plan_name=known["name"],
        plan_path=known["path"],
        plan_sha256=known["sha256"],
        metadata=known["metadata"],
        description=known["description"],
        dry_run=bool(dry_run),
        sandbox=bool(sandbox),
        rollback_of=rollback_of,
        reason=reason,
        started_at=started_at,
        finished_at=finished_at,
        ending=ending,
        signal=signal,
        notes=tuple(orjson.loads(notes)),
        version=who[0],
        host=who[1],
        user=who[2],
        moves=known.get("moves", False),
    )


def item(row: tuple[Any, ...], place: Place) -> ItemRecord:
    """Return the record of one row."""
    no, number, state, seen, before, confirmed_by, reason, code, message, status, attempts, finished_at, verified = row
    return ItemRecord(
        no,
        *place,
        number,
        _STATES[state],
        bool(seen),
        confirmed_by,
        reason,
        Fault(code, message, status) if code else None,
        attempts,
        finished_at,
        orjson.loads(before) if before else None,
        bool(verified),
    )
