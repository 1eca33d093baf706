"""The durable record of runs, items and attempts: one SQLite file, private to the user.

Nothing is sent that was not marked here before, and the report is a fold over this and nothing else. The storage itself
refuses a step that the table of allowed steps (`runner.model.STEPS`) forbids. Every method is one transaction.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import orjson
from msgspec.structs import astuple

from runner import deletions, entries
from runner.errors import LeaseLost, LedgerError
from runner.history import SHIFT, History, translated
from runner.model import STEPS
from runner.records import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from pathlib import Path

    from runner.model import SkipReason
    from runner.records import Attempt, Command, Ending, NewTarget, Removal, RunRecord, Settled
    from runner.tally import Tally

VERSION = 2
_EXCLUDE = "UPDATE item SET state = 'skipped', reason = 'excluded', finished_at = ? WHERE id BETWEEN ? AND ?"


class Ledger:
    """An open ledger. Raises LedgerError, with the mend, for everything that the file or the disk refuses."""

    def __init__(self, path: Path) -> None:
        with translated(path):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _alone(path.parent):
                _create(path)
                self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
                self.path = path
                self.fence: str | None = None
                self.history = History(self._db, path)
                try:
                    self._prepare()
                except BaseException:
                    self.close()
                    raise

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def begin(self, run: RunRecord, rules: Mapping[str, Any], targets: Iterable[NewTarget]) -> None:
        """Record a run, the rules that a resume has to hold to as well, and its items as planned, in plan order."""
        plan: dict[str, Any] = {"name": run.plan_name, "path": run.plan_path, "sha256": run.plan_sha256}
        plan |= {"metadata": run.metadata, "description": run.description, "moves": run.moves}
        values = {
            "id": run.id,
            "plan": _json(plan),
            "rules": _json(rules),
            "dry_run": run.dry_run,
            "sandbox": run.sandbox,
            "rollback_of": run.rollback_of,
            "reason": run.reason,
            "started_at": run.started_at,
            "version": run.version,
            "host": run.host,
            "user": run.user,
        }
        with self._transaction() as db:
            no = _insert(db, "run", values)
            for each in targets:
                row = {"run": no, "account": each.account, "provider": each.provider, "target": each.target}
                row |= {"whole": each.numbers is None, "if_missing": each.if_missing}
                target = _insert(db, "target", row)
                _insert_items(db, target, each.numbers or (), each.befores)
                if each.excluded:
                    db.execute(_EXCLUDE, (run.started_at, target << SHIFT, ((target + 1) << SHIFT) - 1))

    def expand(self, target: int, found: Collection[str]) -> None:
        """Record the numbers that a look found at a target whose plan says ``all``."""
        with self._transaction() as db:
            _insert_items(db, target, found)
            db.execute("UPDATE target SET whole = 2 WHERE no = ?", (target,))

    def skip(
        self, run_id: str, reason: SkipReason, at: float, *, after: int = 0, like: Collection[str] = ("*",)
    ) -> None:
        """Settle the planned items with ids above ``after`` whose number is in ``like``, also with ``*`` at its end."""
        first, last = self.history.item_range(run_id)
        with self._transaction() as db:
            entries.skip(db, reason, at, (max(first, after + 1), last), like)

    def reopen(self, run_id: str) -> None:
        """Record that another process goes on with the run; what earlier ones saw entitles to nothing any more."""
        with self._transaction() as db:
            left = "ending = NULL, signal = NULL, finished_at = NULL, tabs = NULL, command = NULL, notes = '[]'"
            db.execute(f"UPDATE run SET {left} WHERE id = ?", (run_id,))  # noqa: S608 - a literal of our own
            db.execute(
                "UPDATE item SET seen = 0 WHERE id BETWEEN ? AND ? AND seen = 1", self.history.item_range(run_id)
            )

    def saw(self, sightings: Iterable[tuple[int, Mapping[str, Any]]], settled: Collection[Settled]) -> None:
        """Record a pre-check: what it saw of items that may be sent from now on, and those that it settled."""
        with self._transaction() as db:
            entries.see(db, sightings)
            entries.settle(db, settled)

    def hold(self, items: Iterable[int]) -> None:
        """Take back that these items may be sent, until `release_held`."""
        with self._transaction() as db:
            entries.allow(db, items, allowed=False)

    def release_held(self, items: Iterable[int]) -> None:
        """Let items be sent again that were held."""
        with self._transaction() as db:
            entries.allow(db, items, allowed=True)

    def spare(self, items: Collection[int], at: float) -> None:
        """Leave items alone that are in a call; what something was sent for before stays what it is."""
        with self._transaction() as db:
            entries.allow(db, items, allowed=False)
            entries.spare(db, items, at)

    def claim(
        self, run_id: str, account: str, *, after: int, upto: int, most: int, departs: float | None = None
    ) -> list[tuple[int, str]]:
        """Mark the next items of a lane as in flight, durably, and return their ids and numbers in plan order.

        Only items that the pre-check saw attached are taken, with ids above ``after`` and up to ``upto``. Of those that
        are moved it is noted that they may be without a place from ``departs`` on, unless they are already.
        """
        with self._transaction() as db:
            run = db.execute("SELECT no FROM run WHERE id = ?", (run_id,)).fetchone()[0]
            claimed = entries.claim(db, run, account, after=after, upto=upto, most=most)
            if departs is not None:
                entries.depart(db, [item for item, _ in claimed], departs)
            return claimed

    def stayed(self, items: Iterable[int]) -> None:
        """Record of items that are moved that a look saw them where they were: they are not without a place."""
        with self._transaction() as db:
            entries.stay(db, items)

    def plan_removals(self, run_id: str, removals: Iterable[Removal]) -> None:
        """Record what is to be deleted, as confirmed or as kept; what was recorded as kept is taken up again."""
        with self._transaction() as db:
            deletions.plan(db, self.history.number(run_id), removals)

    def mark_removal(self, run_id: str, removal: Removal) -> None:
        """Mark it as in flight, durably; StepRefused while a number of the run is open."""
        with self._transaction() as db:
            deletions.mark(db, self.history.number(run_id), removal)

    def settle_removal(self, run_id: str, removal: Removal) -> None:
        """Record what became of it."""
        with self._transaction() as db:
            deletions.settle(db, self.history.number(run_id), removal)

    def mark(self, items: Iterable[int]) -> None:
        """Mark these items as in flight, durably; StepRefused unless the pre-check saw that all of them may be sent."""
        with self._transaction() as db:
            entries.mark(db, items)

    def record(self, attempts: Iterable[Attempt], settled: Collection[Settled], verified: Iterable[int] = ()) -> None:
        """Add attempts, record outcomes (Pending is planned again), and note detached items that were seen gone."""
        with self._transaction() as db:
            entries.attempt(db, attempts)
            entries.settle(db, settled)
            entries.verify(db, verified)

    def count(
        self, run_id: str, session: str, account: str, *, rate: float, tally: Tally, waiting: str | None = None
    ) -> None:
        """Record what one process has counted so far on one lane of a run, and why it waits."""
        counted = asdict(replace(tally, buckets={str(key): n for key, n in tally.buckets.items()}))  # type: ignore[arg-type] # JSON keys
        with self._transaction() as db:
            db.execute(
                "INSERT INTO lane SELECT no, ?, ?, ?, ?, ? FROM run WHERE id = ? ON CONFLICT (run, session, account)"
                " DO UPDATE SET rate = excluded.rate, tally = excluded.tally, waiting = excluded.waiting",
                (session, account, rate, _json(counted), waiting, run_id),
            )

    def lease(self, wanted: Iterable[Lease], now: float, is_dead: Callable[[Lease], bool]) -> list[Lease]:
        """Take all of the ``wanted`` leases, or none: then return those that others hold and that have not run out.

        ``is_dead`` says of a holder that it is gone for certain, so that its lease need not run out first.
        """
        with self._transaction() as db:
            held = []
            for each in wanted:
                row = db.execute("SELECT * FROM lease WHERE account = ?", (each.account,)).fetchone()
                holder = Lease(*row) if row else None
                if holder and holder.session != each.session and holder.expires_at > now and not is_dead(holder):
                    held.append(holder)
                else:
                    db.execute("INSERT OR REPLACE INTO lease VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(each))
            if held:
                db.execute("ROLLBACK")
                db.execute("BEGIN")
        return held

    def renew(self, session: str, expires_at: float) -> int:
        """Prolong the leases of a session; return how many it still holds."""
        with self._transaction() as db:
            return db.execute("UPDATE lease SET expires_at = ? WHERE session = ?", (expires_at, session)).rowcount

    def leases(self, run_id: str) -> list[Lease]:
        """Return the leases that a run holds, or held until they ran out."""
        with translated(self.path):
            return [Lease(*row) for row in self._db.execute("SELECT * FROM lease WHERE run = ?", (run_id,))]

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads inside see the ledger as it stands now, whatever others write meanwhile."""
        with translated(self.path):
            self._db.execute("BEGIN")
            try:
                yield
            finally:
                self._db.execute("ROLLBACK")

    def release(self, session: str) -> None:
        """Give the leases of a session back."""
        with self._transaction() as db:
            db.execute("DELETE FROM lease WHERE session = ?", (session,))

    def command(self, run_id: str, command: Command, reason: str | None) -> bool:
        """Record what the process that works on a run is wanted to do; False when it was told to stop: that stands."""
        query = "UPDATE run SET command = ?, command_reason = ? WHERE id = ? AND command IS NOT 'stop'"
        with self._transaction() as db:
            return db.execute(query, (command, reason, run_id)).rowcount == 1

    def use(self, check: str, run_id: str) -> str | None:
        """Record that a run uses up a saved check; return the other run that has done so before, if there is one."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO used_check VALUES (?, ?)", (check, run_id))
            user = self.history.user_of(check)
        return None if user == run_id else user

    def finish(self, run_id: str, at: float, ending: Ending, signal: int | None, notes: Iterable[str]) -> None:
        """Record how a process left the run, in ``notes`` why, and its tabs: until `reopen` no item changes."""
        with self._transaction() as db:
            tabs = _json([astuple(tab) for tab in self.history.recount(run_id)])
            db.execute(
                "UPDATE run SET finished_at = ?, ending = ?, signal = ?, notes = ?, tabs = ? WHERE id = ?",
                (at, ending, signal, _json(list(dict.fromkeys(notes))), tabs, run_id),
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with translated(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._check_fence()
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _check_fence(self) -> None:
        """Refuse every write of a session, named by ``fence``, whose leases were taken over: the run is another's."""
        if self.fence is not None:
            query = "SELECT EXISTS (SELECT 1 FROM lease WHERE session = ?)"
            if not self._db.execute(query, (self.fence,)).fetchone()[0]:
                raise LeaseLost("another process has taken this run over; `teardown status` tells how it stands")

    def _prepare(self) -> None:
        with translated(self.path):
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                self._db.execute(f"PRAGMA {pragma}")
        self._migrate()

    def _migrate(self) -> None:
        with self._transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > VERSION:
                raise LedgerError(
                    f"{self.path} was written by a newer teardown (version {version});"
                    " use that one, or give another --state-dir"
                )
            if version < VERSION:
                script = files("runner").joinpath("ledger.sql").read_text("utf-8")
                for statement in _statements(script):
                    # What was added since version 1 says so itself.
                    if version == 0 or "IF NOT EXISTS" in statement:
                        db.execute(statement)
                db.executemany("INSERT OR IGNORE INTO step VALUES (?, ?)", sorted(STEPS))
                db.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time open the ledger of ``folder``: two that make it at once are in each other's way."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _create(path: Path) -> None:
    """Make the file, private to the user; one that is there is not touched: closing it would drop SQLite's locks."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _insert(db: sqlite3.Connection, table: str, values: Mapping[str, Any]) -> int:
    columns = ", ".join(values)
    marks = ", ".join(f":{column}" for column in values)
    cursor = db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)  # noqa: S608 - names of our own
    return int(cursor.lastrowid or 0)


def _insert_items(
    db: sqlite3.Connection, target: int, numbers: Iterable[str], befores: Iterable[Mapping[str, Any]] | None = None
) -> None:
    first = target << SHIFT
    rows = ((first + k, number) for k, number in enumerate(numbers))
    db.executemany("INSERT INTO item (id, number) VALUES (?, ?)", rows)
    known = ((_json(before), first + k) for k, before in enumerate(befores or ()))
    db.executemany("UPDATE item SET before = ? WHERE id = ?", known)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
