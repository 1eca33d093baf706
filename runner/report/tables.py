"""The writers of tables for machines: json, one row a line, and csv for spreadsheets."""

from __future__ import annotations

import csv
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from runner.log import plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from runner.report.fold import Report, Row

SCHEMA = "teardown.report/1"

_OF_ROW = (
    "number",
    "account",
    "provider",
    "target",
    "outcome",
    "confirmed_by",
    "verified",
    "reason",
    "attempts",
    "finished_at",
)
_VERIFIED = _OF_ROW.index("verified")
_OF_ERROR = ("code", "message", "http_status")
_NO_ERROR = dict.fromkeys(_OF_ERROR)
_COLUMNS = (*_OF_ROW, "error_code", "error_message", "http_status")
_OF_MOVE = ("moved_to", "gap_ms")
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet take a cell for a formula; some take the full-width signs as well."""
_HARMLESS = re.compile(r"\+[0-9]+|[0-9A-Za-z][ -~]*")


class Writer(Protocol):
    """Takes a report's rows, some at a time and in order, and writes them as it sees fit."""

    def add(self, rows: list[Row]) -> None:
        """Take some more rows."""
        ...

    def end(self) -> None:
        """Write what remains: there are no more rows."""
        ...


class Json:
    """``report.json``: the head, then one row a line, so that it can be read with line tools as well."""

    def __init__(self, report: Report, stream: TextIO) -> None:
        self._stream, self._separator = stream, "\n"
        head = {"schema": SCHEMA, "run": report.run, "totals": report.totals, "lanes": report.lanes}
        head |= {"targets": report.targets}
        parts = [f'"{key}":{_encode(value)}' for key, value in head.items()]
        stream.write("{" + ",\n".join([*parts, '"numbers":[']))

    def add(self, rows: list[Row]) -> None:
        """Write a line per row."""
        self._stream.write(self._separator + ",\n".join(map(_encode, rows)))
        self._separator = ",\n"

    def end(self) -> None:
        """Close the document."""
        self._stream.write("\n]}\n")


class Csv:
    """A row per number; ``before`` is left to the JSON report."""

    def __init__(self, report: Report, stream: TextIO) -> None:
        self._more = _OF_MOVE if report.run["moves"] else ()
        self._csv = csv.writer(stream, lineterminator="\n")
        self._csv.writerow(_COLUMNS + self._more)

    def add(self, rows: list[Row]) -> None:
        """Write a line per row."""
        self._csv.writerows(_flat(row) + [_safe(row[key]) for key in self._more] for row in rows)

    def end(self) -> None:
        """Write nothing more."""


class DetachedCsv:
    """``detached.csv``: the numbers that this run detached, and no others."""

    def __init__(self, _report: Report, stream: TextIO) -> None:
        self._csv = csv.writer(stream, lineterminator="\n")
        self._csv.writerow(_DETACHED)

    def add(self, rows: list[Row]) -> None:
        """Write a line per detached row."""
        detached = (row for row in rows if row["outcome"] == "detached")
        self._csv.writerows([safe(row[column]) for column, safe in _DETACHED.items()] for row in detached)

    def end(self) -> None:
        """Write nothing more."""


def _encode(value: object) -> str:
    return orjson.dumps(value).decode()


def _flat(row: Row) -> list[Any]:
    """Return the cells of ``_COLUMNS``."""
    error = row["error"] or _NO_ERROR
    cells = [_safe(row[column]) for column in _OF_ROW]
    cells[_VERIFIED] = "true" if row["verified"] else "false"
    return cells + [_safe(error[key]) for key in _OF_ERROR]


def _safe(cell: Any) -> Any:
    """Keep a row on one line, and a spreadsheet from running a cell as a formula; a phone number is none."""
    if not isinstance(cell, str) or _HARMLESS.fullmatch(cell):
        return cell
    text = plain(cell)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


_safe_again = lru_cache(maxsize=256)(_safe)
"""The same for what many rows share."""
_DETACHED: dict[str, Callable[[Any], Any]] = {
    "number": _safe,
    "account": _safe_again,
    "provider": _safe_again,
    "target": _safe_again,
    "confirmed_by": _safe_again,
    "finished_at": _safe,
}
