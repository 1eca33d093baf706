"""Reading the ledger: what runs there are, and what is known of each of their items."""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from msgspec import Struct

from runner import rows
from runner.errors import LedgerError, StepRefused
from runner.model import TROUBLED, UNFINISHED, State
from runner.records import Command, ItemRecord, LaneRecord, Pulse, Removal, RunRecord, Timeline
from runner.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from pathlib import Path

SHIFT = 24
"""How far an item's id holds its target's number shifted left; the rest is its place there."""


class Target(Struct, frozen=True):
    """One group of a run; ``whole`` while its plan says ``all`` and nobody has looked yet."""

    no: int
    account: str
    provider: str
    target: str | None
    whole: bool
    if_missing: bool


class Standing(NamedTuple):
    """How one item stands: whether a look ever saw it attached.

    ``only_refused`` says of a failed or unknown one that all that was sent is one attempt, which was refused.
    """

    id: int
    number: str
    state: State
    known: bool
    attempts: int
    verified: bool
    only_refused: bool


class Tab(Struct, frozen=True):
    """How many items of a target stand alike."""

    target: int
    state: State
    seen: bool
    reason: str | None
    count: int

    @classmethod
    def of(cls, row: Iterable[Any]) -> Tab:
        """Return the tab that a row of the ledger says, or what was kept of one."""
        target, state, seen, reason, count = row
        return cls(target, State(state), bool(seen), reason, count)


class History:
    """Reads from an open ledger; KeyError for a run that it does not hold, LedgerError when it cannot be read."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    def runs(self) -> list[RunRecord]:
        """Return every run, newest first."""
        return [rows.run(row) for row in self._rows(f"SELECT {rows.RUN} FROM run ORDER BY id DESC")]

    def run(self, run_id: str) -> RunRecord:
        """Return one run."""
        return rows.run(self._one(rows.RUN, run_id))

    def rules(self, run_id: str) -> dict[str, Any]:
        """Return the rules that the run was begun with, as the ledger was given them."""
        rules: dict[str, Any] = orjson.loads(self._one("rules", run_id)[0])
        return rules

    def unfinished(self, *, troubled: bool = False) -> list[RunRecord]:
        """Return the runs for real that have items left to settle, or ``troubled`` ones, newest first."""
        real = [run for run in self.runs() if not run.dry_run and not run.sandbox]
        return [run for run in real if self.is_open(run.id, troubled=troubled)]

    def is_open(self, run_id: str, *, troubled: bool = False) -> bool:
        """Whether something of the run is still to be done; with ``troubled`` what failed counts as well.

        A run without an ending was killed, or goes on: what it did has not been verified, nor its report written.
        """
        if self.run(run_id).ending is None:
            return True
        if any(target.whole for target in self.targets(run_id)):
            return True
        states = UNFINISHED | TROUBLED if troubled else UNFINISHED
        if any(each.open or (troubled and each.troubled) for each in self.removals(run_id)):
            return True
        return any(tab.state in states for tab in self.tabs(run_id))

    def targets(self, run_id: str) -> list[Target]:
        """Return the groups of the run, in plan order."""
        query = (
            "SELECT target.no, account, provider, target, whole = 1, if_missing FROM target JOIN run ON run.no = run"
            " WHERE run.id = ? ORDER BY target.no"
        )
        found = self._rows(query, (run_id,))
        return [
            Target(no, account, provider, target, bool(w), bool(m)) for no, account, provider, target, w, m in found
        ]

    def items(self, run_id: str) -> Iterator[ItemRecord]:
        """Yield every item, in plan order."""
        places = {each.no: (each.account, each.provider, each.target) for each in self.targets(run_id)}
        query = f"SELECT {rows.ITEM} FROM item WHERE id BETWEEN ? AND ? ORDER BY id"
        moves = self._moves(run_id, places)
        gaps = self._gaps(run_id) if moves else {}
        for row in self._rows(query, self.item_range(run_id)):
            item = rows.item(row, places[row[0] >> SHIFT])
            yield item._replace(moved_to=moves[item.id >> SHIFT], gap_ms=gaps.get(item.id)) if moves else item

    def _moves(self, run_id: str, targets: Iterable[int]) -> dict[int, str]:
        """Return where the numbers of each target are moved to; empty in a run that moves nothing."""
        found = self._rows("SELECT json_extract(rules, '$.reassign') FROM run WHERE id = ?", (run_id,))
        said = orjson.loads(next(found, (None,))[0] or "{}")
        return {no: destination_name(said[str(place)]) for place, no in enumerate(targets)} if said else {}

    def _gaps(self, run_id: str) -> dict[int, float]:
        query = "SELECT item, ms FROM gap WHERE item BETWEEN ? AND ? AND ms IS NOT NULL"
        return dict(self._rows(query, self.item_range(run_id)))

    def left_at(self, item: int) -> float | None:
        """Return since when a number that is moved may have been without a place; None where that is not known."""
        return next((left for (left,) in self._rows("SELECT left_at FROM gap WHERE item = ?", (item,))), None)

    def items_of(self, target: int, states: Collection[State], *, after: int = 0, most: int = -1) -> list[Standing]:
        """Return the items of one target that are in one of ``states``: all, or so many with ids above."""
        marks = ", ".join("?" * len(states))
        query = (
            "SELECT id, number, state, before IS NOT NULL, attempts, verified,"
            " marked = 0 AND state IN ('failed', 'unknown')"
            " AND (SELECT count(*) = 1 AND min(error_code) = 'refused' FROM attempt WHERE item = item.id)"
            f" FROM item WHERE id BETWEEN ? AND ? AND state IN ({marks}) ORDER BY id LIMIT ?"
        )
        first, last = max(target << SHIFT, after + 1), ((target + 1) << SHIFT) - 1
        found = self._rows(query, (first, last, *states, most))
        return [
            Standing(no, number, rows.STATES[state], bool(known), attempts, bool(verified), bool(refused))
            for no, number, state, known, attempts, verified, refused in found
        ]

    def tried(self, items: Collection[int]) -> set[int]:
        """Return those of the items that something was sent for before, or may have been by a process that died."""
        query = (
            "SELECT id FROM item WHERE id IN (SELECT value FROM json_each(?))"
            " AND (marked = 1 OR EXISTS (SELECT 1 FROM attempt WHERE item = item.id))"
        )
        return {item for (item,) in self._rows(query, (orjson.dumps(list(items)).decode(),))}

    def has_sent(self, run_id: str) -> bool:
        """Whether any process has sent something for the run, as far as that was recorded."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM attempt WHERE item BETWEEN ? AND ?)"
            " OR EXISTS (SELECT 1 FROM item WHERE id BETWEEN ? AND ?"
            " AND (marked = 1 OR confirmed_by IS NOT NULL OR state IN ('in_flight', 'stranded')))"
        )
        (sent,) = next(self._rows(query, self.item_range(run_id) * 2))
        return bool(sent)

    def before(self, item: int) -> dict[str, Any] | None:
        """Return what the newest pre-check that saw the item attached saw of it."""
        (text,) = next(self._rows("SELECT before FROM item WHERE id = ?", (item,)))
        return orjson.loads(text) if text else None

    def befores(self, target: int) -> Iterator[tuple[str, str]]:
        """Yield the numbers of one target with what is known of where they were attached, as JSON."""
        query = "SELECT number, before FROM item WHERE id BETWEEN ? AND ? AND before IS NOT NULL"
        yield from self._rows(query, (target << SHIFT, ((target + 1) << SHIFT) - 1))

    def sights(self, target: int) -> Iterator[tuple[int, str, str]]:
        """Yield id, number and what is known as JSON of all items of one target that were seen attached."""
        query = "SELECT id, number, before FROM item WHERE id BETWEEN ? AND ? AND before IS NOT NULL ORDER BY id"
        yield from self._rows(query, (target << SHIFT, ((target + 1) << SHIFT) - 1))

    def ready(self, targets: Collection[int]) -> Iterator[tuple[int, str, str]]:
        """Yield id, number and what is known as JSON of all items of some targets that may be sent, in their order."""
        query = (
            "SELECT id, number, before FROM item WHERE id BETWEEN ? AND ? AND seen = 1"
            " AND state IN (SELECT old FROM step WHERE new = 'in_flight') ORDER BY id"
        )
        for target in sorted(targets):
            yield from self._rows(query, (target << SHIFT, ((target + 1) << SHIFT) - 1))

    def to_send(self, targets: Collection[int], after: int, upto: int) -> list[tuple[int, str]]:
        """Return id and number of all items of some targets that may be sent, with ids above and up to these."""
        query = (
            "SELECT id, number FROM item WHERE id BETWEEN ? AND ? AND id > ? AND id <= ? AND seen = 1"
            " AND state IN (SELECT old FROM step WHERE new = 'in_flight') ORDER BY id"
        )
        ranges = ((target << SHIFT, ((target + 1) << SHIFT) - 1) for target in sorted(targets))
        return [(item, number) for ids in ranges for item, number in self._rows(query, (*ids, after, upto))]

    def number(self, run_id: str) -> int:
        """Return the number that other tables know the run by."""
        return int(self._one("no", run_id)[0])

    def removals(self, run_id: str) -> list[Removal]:
        """Return what the run was to delete, and what became of it."""
        query = (
            f"SELECT {rows.REMOVAL} FROM removal WHERE run = (SELECT no FROM run WHERE id = ?) ORDER BY account, thing"
        )
        return [rows.removal(row) for row in self._rows(query, (run_id,))]

    def given(self, run_id: str) -> list[dict[str, Any]]:
        """Return all that users said of where numbers of the run were attached, each once."""
        query = (
            "SELECT DISTINCT json_extract(before, '$.reattach') FROM item WHERE id BETWEEN ? AND ?"
            " AND json_extract(before, '$.reattach') IS NOT NULL"
        )
        return [orjson.loads(text) for (text,) in self._rows(query, self.item_range(run_id))]

    def tabs(self, run_id: str) -> list[Tab]:
        """Return the run's items, counted by how they stand: once for all when a process leaves it."""
        for (kept,) in self._rows("SELECT tabs FROM run WHERE id = ? AND tabs IS NOT NULL", (run_id,)):
            return [Tab.of(row) for row in orjson.loads(kept)]
        return self.recount(run_id)

    def recount(self, run_id: str) -> list[Tab]:
        """Return the same, counted now: a pass over all items of the run."""
        columns = f"id >> {SHIFT}, state, seen, reason, count(*)"
        query = f"SELECT {columns} FROM item WHERE id BETWEEN ? AND ? GROUP BY 1, 2, 3, 4"
        return [Tab.of(row) for row in self._rows(query, self.item_range(run_id))]

    def counts(self, run_id: str) -> dict[tuple[State, bool], int]:
        """Return how many items are in each state, apart by whether the newest pre-check saw them attached."""
        counts: Counter[tuple[State, bool]] = Counter()
        for tab in self.tabs(run_id):
            counts[tab.state, tab.seen] += tab.count
        return dict(counts)

    def user_of(self, check: str) -> str | None:
        """Return the run that used up the saved check with this SHA-256, None where it was not used."""
        return next((run for (run,) in self._rows("SELECT run FROM used_check WHERE sha256 = ?", (check,))), None)

    def command(self, run_id: str) -> tuple[Command | None, str | None]:
        """Return what somebody wants of the process that works on the run, and why."""
        command, reason = self._one("command, command_reason", run_id)
        return command, reason

    def score(self, run_id: str) -> tuple[int, int]:
        """Return how many of the items that something was sent for have failed, and how many have finished.

        Those that a pre-check has just seen attached, and that are to be sent again, count as neither.
        """
        query = (
            "SELECT sum(state IN ('failed', 'unknown', 'stranded')), count(*) FROM item"
            " WHERE id BETWEEN ? AND ? AND attempts > 0"
            " AND seen = 0 AND state NOT IN ('planned', 'in_flight')"
        )
        failures, finished = next(self._rows(query, self.item_range(run_id)))
        return failures or 0, finished

    def position(self, run_id: str, nth: int, *, seen: bool) -> int:
        """Return the id of the run's ``nth`` item (from 1) not excluded, or that may be sent; else the last."""
        first, last = self.item_range(run_id)
        which = "seen = 1" if seen else "reason IS NOT 'excluded'"
        query = f"SELECT id FROM item WHERE id BETWEEN ? AND ? AND {which} ORDER BY id LIMIT 1 OFFSET ?"
        (found,) = next(self._rows(query, (first, last, nth - 1)), (last,))
        return int(found)

    def lanes(self, run_id: str) -> list[LaneRecord]:
        """Return one record an account, summed over all processes, in plan order."""
        planned: Counter[str] = Counter()
        providers: dict[str, str] = {}
        sizes: Counter[int] = Counter()
        for tab in self.tabs(run_id):
            sizes[tab.target] += tab.count
        for target in self.targets(run_id):
            providers.setdefault(target.account, target.provider)
            planned[target.account] += sizes[target.no]
        counted = self._tallies(run_id)
        return [
            LaneRecord(account, provider, rate, planned[account], tally, waiting)
            for account, provider in providers.items()
            for rate, tally, waiting in [counted.get(account, (0.0, Tally(), None))]
        ]

    def timeline(self, run_id: str, slots: int) -> Timeline:
        """Return what the run sent when, from its beginning to its end (else its newest attempt), in so many slots."""
        ids, run = self.item_range(run_id), self.run(run_id)
        last = "SELECT max(at) FROM attempt WHERE item BETWEEN ? AND ?"
        end = run.finished_at or next(self._rows(last, ids))[0] or run.started_at
        width = max(1, math.ceil((end - run.started_at) / slots))
        slots = max(1, math.ceil((end - run.started_at) / width))
        query = (  # a clock that was set meanwhile puts an attempt into the first or the last slot
            f"SELECT item >> {SHIFT}, max(0, min(?, CAST((at - ?) / ? AS INTEGER))), count(*),"
            " count(*) - count(error_code), sum(error_code IS 'throttled'), total(latency_ms), max(latency_ms)"
            " FROM attempt WHERE item BETWEEN ? AND ? GROUP BY 1, 2"
        )
        accounts = {target.no: target.account for target in self.targets(run_id)}
        found = self._rows(query, (slots - 1, run.started_at, width, *ids))
        return Timeline(run.started_at, width, slots, [Pulse(accounts[no], *rest) for no, *rest in found])

    def plan_text(self, run_id: str, most: int) -> str | None:
        """Return up to ``most`` characters of the plan as it ran, which lies beside the ledger; None if it does not."""
        try:
            with (self._path.parent / "runs" / run_id / "plan.yaml").open(encoding="utf-8") as file:
                return file.read(most)
        except (OSError, UnicodeError):
            return None

    def _tallies(self, run_id: str) -> dict[str, tuple[float, Tally, str | None]]:
        """Return rate, sum of counts and reason to wait of each lane; rate and reason are the newest process's."""
        query = "SELECT account, rate, tally, waiting FROM lane JOIN run ON run.no = run WHERE id = ? ORDER BY session"
        sums: dict[str, tuple[float, Tally, str | None]] = {}
        for account, rate, text, waiting in self._rows(query, (run_id,)):
            fields = orjson.loads(text)
            fields["buckets"] = Counter({int(key): count for key, count in fields["buckets"].items()})
            tally = sums[account][1] if account in sums else Tally()
            tally.add(Tally(**fields))
            sums[account] = (rate, tally, waiting)
        return sums

    def item_range(self, run_id: str) -> tuple[int, int]:
        """Return the first and the last id that an item of the run can have."""
        query = "SELECT min(target.no), max(target.no) FROM target JOIN run ON run.no = run WHERE run.id = ?"
        first, last = next(self._rows(query, (run_id,)))
        return (first or 0) << SHIFT, ((last or 0) + 1 << SHIFT) - 1

    def _one(self, columns: str, run_id: str) -> tuple[Any, ...]:
        for row in self._rows(f"SELECT {columns} FROM run WHERE id = ?", (run_id,)):
            return row
        raise KeyError(run_id)

    def _rows(self, query: str, values: Iterable[object] = ()) -> Iterator[tuple[Any, ...]]:
        with translated(self._path):
            yield from self._db.execute(query, tuple(values))


def destination_name(said: Mapping[str, Any]) -> str:
    """Return what a destination is called: the slug of a bridge, the name of a configuration of gateways."""
    return str(said.get("bridge") or said["name"])


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into LedgerErrors about ``path``."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        if "step refused" in str(error):
            raise StepRefused(str(error)) from error
        raise LedgerError(f"the ledger {path} refused an entry: {error}") from error
    except sqlite3.Error as error:
        raise LedgerError(
            f"the ledger {path} cannot be used: {error}; check the disk, or give another --state-dir"
        ) from error
    except OSError as error:
        raise LedgerError(f"{path} cannot be written: {error.strerror}; give another --state-dir") from error
