"""One frame of the live display: a line per lane and one for the run, cut to the room that a terminal has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct
from rich.text import Text

from runner.log import plain
from runner.model import State
from runner.progress.facts import LaneFacts, cut, eta_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GAP = 2
_LONGEST_NAME = 24
_SHORTEST_NAME = 8
_SHORTEST_REASON = 16
_BAR = range(6, 31)
_COUNTS = {
    "detached": (State.DETACHED,),
    "back": (State.REATTACHED,),
    "moved": (State.MOVED,),
    "already": (State.ALREADY_DETACHED, State.ALREADY_ATTACHED, State.ALREADY_MOVED),
    "skipped": (State.SKIPPED,),
    "failed": (State.FAILED,),
    "stranded": (State.STRANDED,),
    "unknown": (State.UNKNOWN,),
}
_STYLES = {
    "done": "",
    "detached": "green",
    "back": "green",
    "moved": "green",
    "stranded": "bold red",
    "failed": "bold red",
    "unknown": "bold red",
    "rate": "cyan",
}
# What a narrow terminal does without, first things first; how much room has to be left for the first ones to stay.
_EXPENDABLE = {
    "requests": 12,
    "retries": 12,
    "already": 8,
    "skipped": 8,
    "rate": 0,
    "detached": 0,
    "back": 0,
    "moved": 0,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One lane, or the whole run: what stands in each column, and why it waits."""

    facts: LaneFacts
    eta: float | None
    cells: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        facts = self.facts
        cells = {"done": f"{facts.done:,}/{facts.total:,}" if facts.total else ""}
        cells |= {name: _count(sum(facts.counts[each] for each in states)) for name, states in _COUNTS.items()}
        cells |= {"retries": _count(facts.retries), "requests": _count(facts.requests)}
        cells |= {"rate": facts.speed(), "ETA": eta_text(self.eta) if facts.total else ""}
        object.__setattr__(self, "cells", cells)


class Frame(Struct, frozen=True):
    """The rows of one frame, under ``phase``, in a terminal of ``width`` and ``height``."""

    rows: Sequence[Row]
    phase: str
    now: float
    width: int
    height: int
    ascii_only: bool

    def lines(self) -> Iterator[Text]:
        """Yield the head, the lanes that there is room for, those with work left first, and the whole run."""
        columns, name = self._columns()
        used = name + sum(_GAP + width for width in columns.values())
        bar = min(self.width - used - _GAP, _BAR[-1])
        bar = bar if bar in _BAR and "done" in columns else 0
        if not bar:  # there is no bar for the phase to stand above
            name = max(name, min(len(plain(self.phase)), self.width - used + name))
        yield self._head(columns, name, bar)
        *lanes, whole = self.rows
        room = max(1, self.height - 4)
        shown = lanes if len(lanes) <= room else sorted(lanes, key=lambda row: row.eta == 0)[:room]
        for row in [*shown, whole]:
            yield self._line(row, columns, name, bar)
        if len(shown) < len(lanes):
            yield Text(f"and {len(lanes) - len(shown)} more lanes", "dim")

    def _columns(self) -> tuple[dict[str, int], int]:
        """Return the columns that fit with their widths, and the width of the names; empty columns are left out."""
        filled = {key: [cell for row in self.rows if (cell := row.cells[key])] for key in self.rows[0].cells}
        widths = {key: max(len(key), *map(len, cells)) for key, cells in filled.items() if cells}
        name = min(max(len(plain(row.facts.account)) for row in self.rows), _LONGEST_NAME)
        for key, room in _EXPENDABLE.items():
            if name + sum(_GAP + width for width in widths.values()) + room > self.width and len(widths) > 1:
                widths.pop(key, None)
        rest = self.width - sum(_GAP + width for width in widths.values())
        return widths, max(min(name, rest), _SHORTEST_NAME)

    def _head(self, columns: dict[str, int], name: int, bar: int) -> Text:
        heads = "".join(" " * _GAP + key.rjust(width) for key, width in columns.items())
        room = name + (_GAP + bar if bar else 0)
        phase = cut(plain(self.phase), room)
        return self._text((phase.ljust(room), "bold"), (heads, "dim"))

    def _line(self, row: Row, columns: dict[str, int], name: int, bar: int) -> Text:
        """Return a row; why it waits takes the place of its last columns and of its bar, as far as it needs that."""
        head = [(cut(plain(row.facts.account), name).ljust(name), "bold" if row is self.rows[-1] else "")]
        bars = [(" " * _GAP, ""), *self._bar(row.facts, bar)] if bar else []
        cells = [(" " * _GAP + row.cells[key].rjust(width), _STYLES.get(key, "")) for key, width in columns.items()]
        if why := row.facts.why(self.now):
            cells = cells[: max(1, len(columns) - 2)]  # without rate and ETA: it stands still
            while len(cells) > 1 and _long(*head, *bars, *cells) + _GAP + len(why) > self.width:
                cells.pop()
            if _long(*head, *bars, *cells) + _GAP + len(why) > self.width:
                bars = []
            if _long(*head, *cells) + _GAP + min(len(why), _SHORTEST_REASON) > self.width:
                cells = []
            why = row.facts.why(self.now, self.width - _long(*head, *bars, *cells) - _GAP)
            cells.append((" " * _GAP + why, "yellow"))
        return self._text(*head, *bars, *cells)

    def _bar(self, facts: LaneFacts, width: int) -> list[tuple[str, str]]:
        heavy, light = ("#", "-") if self.ascii_only else ("━", "─")
        done = min(width, width * facts.done // facts.total) if facts.total else 0
        return [(heavy * done, "green"), (light * (width - done), "dim")]

    def _text(self, *parts: tuple[str, str]) -> Text:
        return Text.assemble(*parts, no_wrap=True, overflow="crop")


def _long(*parts: tuple[str, str]) -> int:
    """Return how many characters ``parts`` take."""
    return sum(len(text) for text, _ in parts)


def _count(number: int) -> str:
    """Return nothing for nothing: what did not happen takes no room."""
    return f"{number:,}" if number > 0 else ""
