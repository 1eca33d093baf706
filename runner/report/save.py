"""Where a report goes: to a stream, or to files that appear whole or not at all."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import orjson

from runner.durable import is_special, make_folder, refusal, replacing
from runner.errors import InputError
from runner.report.fold import ReportError
from runner.report.html import Html
from runner.report.junit import Junit
from runner.report.markdown import Markdown
from runner.report.tables import Csv, DetachedCsv, Json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TextIO

    from runner.report.fold import Report
    from runner.report.tables import Writer

    MakeWriter = Callable[[Report, TextIO], Writer]

Format = Literal["json", "csv", "md", "html", "junit"]

_WRITERS: dict[Format, MakeWriter] = {"json": Json, "csv": Csv, "md": Markdown, "html": Html, "junit": Junit}
_ENDINGS: dict[str, Format] = {".json": "json", ".csv": "csv", ".md": "md", ".html": "html", ".xml": "junit"}

FORMATS: tuple[Format, ...] = tuple(_WRITERS)


class ReportUnwritable(ReportError):
    """A report's file cannot be written; one sentence. The ledger still holds all that it would have said."""


def write(report: Report, form: Format, stream: TextIO) -> None:
    """Write the report to ``stream`` row by row; ReportError after the last when they belie the totals."""
    _pour(report, [_WRITERS[form](report, stream)])


def save(report: Report, path: Path, form: Format | None = None) -> None:
    """Write the report to the file ``path`` (0600), whole or not at all; its ending chooses where ``form`` does not.

    Raises InputError for an ending that stands for no format, ReportUnwritable when the file cannot be written.
    """
    _save(report, {path: _WRITERS[form or _format_of(path)]})


def save_all(report: Report, folder: Path) -> None:
    """Write ``report.json``, ``report.html`` and ``detached.csv`` into ``folder`` (made 0700), in one reading.

    Raises ReportUnwritable.
    """
    try:
        make_folder(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    names: dict[str, MakeWriter] = {"report.json": Json, "report.html": Html, "detached.csv": DetachedCsv}
    _save(report, {folder / name: make for name, make in names.items()})


def check_place(path: Path) -> None:
    """Raise InputError when no report can be written to ``path``, as far as that can be told beforehand."""
    _format_of(path)
    if complaint := refusal(path):
        raise InputError(f"--report: {complaint}")


def _format_of(path: Path) -> Format:
    """Return the format that the ending of ``path`` stands for; InputError names the five otherwise."""
    form = _ENDINGS.get(path.suffix.lower())
    if form is None:
        raise InputError(f"{str(path)!r} does not say what to write; let it end in .json, .csv, .md, .html or .xml")
    return form


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of ``teardown.report/1``."""
    schema: dict[str, Any] = orjson.loads((files("runner.report") / "schema.json").read_bytes())
    return schema


def _save(report: Report, makers: dict[Path, MakeWriter]) -> None:
    with ExitStack() as stack:
        streams = {path: stack.enter_context(_replacing(path)) for path in makers}
        _pour(report, [make(report, streams[path]) for path, make in makers.items()])


def _pour(report: Report, writers: list[Writer]) -> None:
    for rows in report.batches():
        for writer in writers:
            writer.add(rows)
    for writer in writers:
        writer.end()


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    """Hand out a file that takes the place of ``path`` when all went well; a pipe or a device is written as it is."""
    try:
        with _straight(path) if is_special(path) else replacing(path.resolve()) as stream:
            yield stream
    except OSError as error:
        raise _unwritable(path, error) from error


def _straight(path: Path) -> TextIO:
    return path.open("w", encoding="utf-8", newline="")


def _unwritable(path: Path, error: OSError) -> ReportUnwritable:
    return ReportUnwritable(f"{path}: cannot write the report there ({error.strerror}); name a file you may write")
