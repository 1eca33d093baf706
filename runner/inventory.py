"""What an account has attached now, kept on the disk rather than in memory, and sorted by target."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, NamedTuple, Self

from msgspec import Struct

from runner import e164
from runner.log import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runner.providers import Holding

_SHELF = """CREATE TABLE held (target TEXT, number TEXT, left_out TEXT, title TEXT, remark TEXT);
CREATE UNIQUE INDEX once ON held (coalesce(target, ''), number)"""
_ADD = (
    "INSERT INTO held VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET left_out = NULL, title = excluded.title,"
    " remark = excluded.remark WHERE excluded.left_out IS NULL"
)
_LONGEST = 80


class Choice(Struct, frozen=True):
    """What is wanted of an account: numbers at ``targets`` (none: all) that one of ``match`` fits (none: all).

    Those that one of ``protect`` fits are not; both may end in ``*``.
    """

    targets: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()

    def leaves_out(self, holding: Holding) -> str | None:
        """Return why a number does not go into a plan, as what is said of several; None when it does."""
        if not holding.attached:
            return "not attached to anything"
        if self.targets and holding.target not in self.targets:
            return "attached elsewhere than to --target"
        if not e164.is_e164(holding.number):
            return "no E.164 numbers, which no plan can name"
        if self.match and not _fits(holding.number, self.match):
            return "not matched by --match"
        return "protected by the config's guards" if _fits(holding.number, self.protect) else None


class Shelf(NamedTuple):
    """The numbers of one target: how many, and what the provider calls it."""

    target: str | None
    title: str
    size: int


class Inventory:
    """Holdings as they come, each number once at its target; ``clean`` takes out of a remark what nobody may see."""

    def __init__(self, choice: Choice, clean: Callable[[str], str]) -> None:
        self._choice, self._clean = choice, clean
        self._db = sqlite3.connect("", isolation_level=None)  # a file of SQLite's own, gone when it is closed
        self._db.executescript(_SHELF)
        self._db.execute("PRAGMA journal_mode = OFF")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def add(self, holding: Holding) -> None:
        """Take a number in."""
        left_out = self._choice.leaves_out(holding)
        words = (self._harmless(", ".join(each)) for each in ([holding.title], holding.remarks))
        self._db.execute(_ADD, (holding.target, plain(holding.number), left_out, *words))

    def shelves(self) -> list[Shelf]:
        """Return the targets that a plan gets, in the order in which they were met."""
        query = "SELECT target, max(title), count(*) FROM held WHERE left_out IS NULL GROUP BY 1 ORDER BY min(rowid)"
        return [Shelf(*row) for row in self._db.execute(query)]

    def numbers(self, target: str | None) -> Iterator[tuple[str, str]]:
        """Yield the numbers of a target, each with its remark, in the order in which they were met."""
        query = "SELECT number, remark FROM held WHERE left_out IS NULL AND coalesce(target, '') = ? ORDER BY rowid"
        yield from self._db.execute(query, (target or "",))

    def left_out(self) -> dict[str, int]:
        """Return how many numbers a plan does not get, by the reason."""
        query = "SELECT left_out, count(*) FROM held WHERE left_out IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
        return dict(self._db.execute(query))

    def _harmless(self, text: str) -> str:
        """Return one line that prints, and that ends a comment nowhere."""
        shown = plain(self._clean(" ".join(text.split())))
        return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def _fits(number: str, patterns: tuple[str, ...]) -> bool:
    return any(number == each or (each.endswith("*") and number.startswith(each[:-1])) for each in patterns)
