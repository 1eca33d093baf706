"""What a running process writes, many items at once; each function belongs into a transaction of its caller.

Each is one statement for all of its rows, which travel as JSON: with a statement for each row SQLite would hand the
interpreter's lock back and forth as often, and those who send would wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from runner.model import Pending, Stranded

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Mapping

    from runner.model import SkipReason
    from runner.records import Attempt, Settled

_DEPART = "INSERT OR IGNORE INTO gap (item, left_at) SELECT value, ? FROM json_each(?)"
_STAY = "DELETE FROM gap WHERE item IN (SELECT value FROM json_each(?))"
_ARRIVE = "UPDATE gap SET ms = entry.value FROM json_each(?) AS entry WHERE gap.item = CAST(entry.key AS INTEGER)"
_SETTLE = (
    "UPDATE item SET state = ?, confirmed_by = ?, reason = ?, error_code = ?, error_message = ?, http_status = ?,"
    " attempts = attempts + ?, verified = ?, finished_at = entry.value"
    " FROM json_each(?) AS entry WHERE item.id = CAST(entry.key AS INTEGER)"
)
_ATTEMPT = (
    "INSERT INTO attempt (item, at, latency_ms, http_status, error_code)"
    " SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),"
    " json_extract(value, '$[3]'), json_extract(value, '$[4]') FROM json_each(?)"
)
_VERIFIED = "UPDATE item SET verified = 1 WHERE id IN (SELECT value FROM json_each(?))"
_LEFT_IN_FLIGHT = (
    "UPDATE item SET state = 'planned', marked = 1 WHERE state = 'in_flight' AND id IN (SELECT value FROM json_each(?))"
)
_SEEN = (
    "UPDATE item SET seen = 1, before = entry.value"
    " FROM json_each(?) AS entry WHERE item.id = CAST(entry.key AS INTEGER)"
)
_SKIP = (
    "UPDATE item SET state = 'skipped', reason = ?, finished_at = ?, error_code = NULL, error_message = NULL,"
    " http_status = NULL WHERE id BETWEEN ? AND ? AND state = 'planned'"
    " AND (number IN (SELECT value FROM json_each(?)) OR EXISTS (SELECT 1 FROM json_each(?) WHERE number GLOB value))"
)
_ALLOW = "UPDATE item SET seen = ? WHERE id IN (SELECT value FROM json_each(?))"
_SPARE = (
    "UPDATE item SET state = 'skipped', reason = 'in_call', finished_at = ?, error_code = NULL, error_message = NULL,"
    " http_status = NULL WHERE state = 'planned' AND id IN (SELECT value FROM json_each(?))"
)
_NEXT = (
    "SELECT json_group_array(json_array(id, number)) FROM (SELECT id, number FROM item WHERE id > ? AND id <= ?"
    " AND seen = 1 AND state IN (SELECT old FROM step WHERE new = 'in_flight')"
    " AND (id >> 24) IN (SELECT no FROM target WHERE run = ? AND account = ?) ORDER BY id LIMIT ?)"
)
_MARK = (
    "UPDATE item SET state = 'in_flight', seen = 0, error_code = NULL, error_message = NULL, http_status = NULL,"
    " finished_at = NULL WHERE id IN (SELECT value FROM json_each(?))"
)


def claim(db: sqlite3.Connection, run: int, account: str, *, after: int, upto: int, most: int) -> list[tuple[int, str]]:
    """Mark the next items of a lane as in flight, and return their ids and numbers in plan order."""
    (block,) = db.execute(_NEXT, (after, upto, run, account, most)).fetchone()
    claimed = [(item, number) for item, number in orjson.loads(block)]
    mark(db, [item for item, _ in claimed])
    return claimed


def mark(db: sqlite3.Connection, items: Iterable[int]) -> None:
    """Mark items as in flight."""
    db.execute(_MARK, (_rows(items),))


def see(db: sqlite3.Connection, sightings: Iterable[tuple[int, Mapping[str, Any]]]) -> None:
    """Note what was seen of items that may be sent, and plan those again that an earlier process had left in flight."""
    by_item = dict(sightings)
    db.execute(_LEFT_IN_FLIGHT, (_rows(by_item),))
    db.execute(_SEEN, (_by_item(by_item),))


def depart(db: sqlite3.Connection, items: Iterable[int], at: float) -> None:
    """Note when items may have been taken off, unless that is known."""
    db.execute(_DEPART, (at, _rows(items)))


def stay(db: sqlite3.Connection, items: Iterable[int]) -> None:
    """Forget when items may have been taken off: they were not, or are back."""
    db.execute(_STAY, (_rows(items),))


def attempt(db: sqlite3.Connection, attempts: Iterable[Attempt]) -> None:
    """Add attempts."""
    db.execute(_ATTEMPT, (_rows(map(tuple, attempts)),))


def verify(db: sqlite3.Connection, items: Iterable[int]) -> None:
    """Note that detached items were seen gone."""
    db.execute(_VERIFIED, (_rows(items),))


def skip(db: sqlite3.Connection, reason: SkipReason, at: float, ids: tuple[int, int], like: Collection[str]) -> None:
    """Leave planned items alone whose number is in ``like``, or begins as something there that ends in ``*``."""
    begins = {each for each in like if each.endswith("*")}
    db.execute(_SKIP, (reason, at, *ids, _rows(set(like) - begins), _rows(begins)))


def allow(db: sqlite3.Connection, items: Iterable[int], *, allowed: bool) -> None:
    """Note whether items may be sent."""
    db.execute(_ALLOW, (allowed, _rows(items)))


def spare(db: sqlite3.Connection, items: Iterable[int], at: float) -> None:
    """Leave those of the items alone that are planned: they are in a call."""
    db.execute(_SPARE, (at, _rows(items)))


def settle(db: sqlite3.Connection, settled: Collection[Settled]) -> None:
    """Record outcomes in their order, those that are alike at once, and how long numbers were without a place."""
    # A number that turns out to be attached to nothing has no gap yet.
    if gaps := [(each.item, each.gap_ms) for each in settled if each.gap_ms or isinstance(each.outcome, Stranded)]:
        db.execute(_ARRIVE, (_by_item(dict(gaps)),))
    alike: dict[tuple[object, ...], dict[int, float | None]] = {}
    met: set[int] = set()
    for each in settled:
        if each.item in met:  # another outcome of the same item: what came before it goes first
            _write(db, alike)
            met.clear()
        met.add(each.item)
        finished_at = None if isinstance(each.outcome, Pending) else each.at
        alike.setdefault(_columns(each), {})[each.item] = finished_at
    _write(db, alike)


def _write(db: sqlite3.Connection, alike: dict[tuple[object, ...], dict[int, float | None]]) -> None:
    for columns, entries in alike.items():
        db.execute(_SETTLE, (*columns, _by_item(entries)))
    alike.clear()


def _columns(each: Settled) -> tuple[object, ...]:
    outcome = each.outcome
    fault = getattr(outcome, "fault", None)
    error = (fault.code, fault.message, fault.http_status) if fault else (None, None, None)
    how = (getattr(outcome, "confirmed_by", None), getattr(outcome, "reason", None))
    return (outcome.state, *how, *error, each.attempts, each.verified)


def _by_item(values: Mapping[int, object]) -> str:
    """Return an object, of which SQLite hands out key and value as they are: those of a row it has to extract."""
    return orjson.dumps(values, option=orjson.OPT_NON_STR_KEYS).decode()


def _rows(rows: Iterable[object]) -> str:
    return orjson.dumps(list(rows)).decode()
