"""Number files: rows of a .csv with a ``number`` column, or lines of a .txt, each with its place."""

from __future__ import annotations

import csv
import hashlib
import io
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.document.files import PLAN_LIMIT, decode, read
from runner.document.nodes import Page, Scalar, Spot
from runner.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

KINDS = (".csv", ".txt")
_BEGIN = Scalar(None, 1, 1)
Row = tuple[Scalar, str | None]
"""A number as it is written, and its note."""


class _Unusable(Exception):
    """A problem was noted after which the rest of the file cannot be read."""


class Table(Struct, frozen=True):
    """What a number file holds: the SHA-256 of its bytes, and its rows, which stand on ``page`` and are read once."""

    digest: bytes
    page: Page
    rows: Iterator[Row]


def load(path: Path, parent: Page, spot: Spot) -> Table | None:
    """Read the number file that ``spot`` on ``parent`` refers to; None after noting why it cannot be used.

    Problems of its rows are noted while these are taken.
    """
    kind = path.suffix.lower()
    if kind not in KINDS:
        parent.problem(spot, f"{path} is neither .csv nor .txt; name a .csv with a `number` column, or a .txt")
        return None
    try:
        data = read(path, PLAN_LIMIT, place=parent.place(spot))
        decode(data, str(path))
    except InputError as error:
        parent.adopt(spot, error)
        return None
    page = parent.findings.page(str(path))
    text = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="" if kind == ".csv" else "\n")
    rows = _csv_rows(text, page) if kind == ".csv" else _lines(text)
    return Table(hashlib.sha256(data).digest(), page, _some(rows, path, parent, spot))


def _some(rows: Iterator[Row], path: Path, parent: Page, spot: Spot) -> Iterator[Row]:
    """Yield the rows, and note where there are none at all."""
    empty = True
    try:
        for row in rows:
            empty = False
            yield row
    except _Unusable:
        return
    if empty:
        parent.problem(spot, f"{path} holds no numbers; add some, or take it out here")


def _lines(text: TextIO) -> Iterator[Row]:
    for line, content in enumerate(text, start=1):
        number = content.strip()
        if number and not number.startswith("#"):
            yield Scalar(number, line, content.index(number[0]) + 1), None


def _csv_rows(text: TextIO, page: Page) -> Iterator[Row]:
    delimiter = max(",;\t", key=text.readline().count)
    text.seek(0)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    line = 1
    try:
        at, note_at = _columns(next(reader, []), page)
        line = reader.line_num + 1
        for row in reader:
            if any(map(str.strip, row)):
                yield _row(row, line, at, note_at)
            line = reader.line_num + 1
    except csv.Error as error:
        page.problem(Scalar(None, line, 1), f"this row is not CSV ({error}); check its quotes")
        raise _Unusable from error


def _columns(header: list[str], page: Page) -> tuple[int, int | None]:
    """Return the positions of the ``number`` and ``note`` columns."""
    names = [name.strip().lower() for name in header]
    if names.count("number") != 1:
        found = "two columns are" if "number" in names else "no column is"
        page.problem(_BEGIN, f"{found} named `number` in the first row; name one column so")
        raise _Unusable
    return names.index("number"), names.index("note") if "note" in names else None


def _row(row: list[str], line: int, at: int, note_at: int | None) -> Row:
    column = sum(map(len, row[:at])) + at + 1
    number = row[at].strip() if at < len(row) else ""
    note = row[note_at].strip() if note_at is not None and note_at < len(row) else ""
    return Scalar(number, line, column), note or None
