"""The report as one page that a browser shows without asking anybody else for anything.

It streams: verdict and counts come first, then the rows as compact JSON, then what can be said only when all rows
have been seen. A script in the page shows the rows, a hundred at a time; all other sections stand without it.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from runner.log import plain
from runner.report.fold import MOVED, REATTACHED, TROUBLED
from runner.report.words import why

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from runner.report.fold import Report, Row

_SHOWN = 200_000
"""How many rows the page holds; beyond them only those that nothing is left to be done for are left out."""
_LISTED = 10_000
"""How many failed and unknown numbers the page names outside of its table."""
_WORDED = 10_000
"""How many fates are told apart; errors that are all worded differently would fill the memory."""
_SEEN = dict.fromkeys(REATTACHED, "seen back") | dict.fromkeys(MOVED, "seen there")
_LEFT = {*TROUBLED, "pending"}


class Html:
    """A :class:`~runner.report.tables.Writer` of one HTML document."""

    def __init__(self, report: Report, stream: TextIO) -> None:
        from runner.report.page import Page  # noqa: PLC0415 - only who writes a page pays for what escapes it

        self._page, self._stream = Page(report), stream
        self._moves = report.run["moves"]
        self._read = self._held = 0
        self._places: dict[tuple[str, str | None], int] = {}
        self._fates: dict[tuple[Any, ...], int] = {}
        self._told: list[tuple[str, str, str]] = []
        self._troubled: dict[tuple[int, int], list[str]] = {}
        self._unlisted = _LISTED
        stream.write(self._page.head())

    def add(self, rows: list[Row]) -> None:
        """Write rows as JSON, each as [number, place, fate, attempts, finished_at], in a move with its gap."""
        if self._read >= _SHOWN:
            rows = [row for row in rows if row["outcome"] in _LEFT]
        self._read += len(rows)
        cells = list(map(self._cells, rows))
        if cells:
            self._stream.write((",\n" if self._held else "") + _encoded(cells)[1:-1])
            self._held += len(cells)
        self._list(row for row in rows if row["outcome"] in TROUBLED)

    def end(self) -> None:
        """Write what places and fates those rows mean, and the other sections."""
        places = [(plain(account), plain(target or "")) for account, target in self._places]
        words = _encoded({"places": places, "fates": self._told})
        groups = [(*places[place], *self._told[fate], numbers) for (place, fate), numbers in self._troubled.items()]
        self._stream.writelines(self._page.tail(words, self._held, groups))

    def _cells(self, row: Row) -> tuple[Any, ...]:
        cells = (row["number"], self._place(row), self._fate(row), row["attempts"], row["finished_at"])
        return (*cells, row["gap_ms"]) if self._moves else cells

    def _place(self, row: Row) -> int:
        return self._places.setdefault((row["account"], row["target"]), len(self._places))

    def _fate(self, row: Row) -> int:
        error = row["error"]
        how = (row["confirmed_by"], row["verified"], row["reason"], row.get("moved_to"))
        fate = (row["outcome"], *how, error and error["message"])
        known = self._fates.get(fate)
        return self._tell(row, fate) if known is None else known

    def _tell(self, row: Row, fate: tuple[Any, ...]) -> int:
        said = why(row)
        if row["error"] and len(self._told) >= _WORDED:
            said = f"{row['error']['code']}: report.json has the message"
            fate = (*fate[:-1], said)
        known = self._fates.setdefault(fate, len(self._told))
        if known == len(self._told):
            self._told.append((row["outcome"], _known_by(row), plain(said)))
        return known

    def _list(self, troubled: Iterable[Row]) -> None:
        for row in islice(troubled, self._unlisted):
            self._troubled.setdefault((self._place(row), self._fate(row)), []).append(row["number"])
            self._unlisted -= 1


def _known_by(row: Row) -> str:
    return ", ".join(
        filter(None, [row["confirmed_by"], _SEEN.get(row["outcome"], "seen gone") if row["verified"] else None])
    )


def _encoded(value: object) -> str:
    """Return JSON that cannot end the script element it stands in."""
    return orjson.dumps(value).decode().replace("<", "\\u003c")
