"""The summary a person reads on the terminal when a run has ended."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from runner.log import plain
from runner.report.fold import TROUBLED
from runner.report.words import counted, next_command, troubled, verdict_sentence, where, why

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from runner.report.fold import Report

_SHOWN = 10
_STYLES = {"succeeded": "bold green", "dry_run": "bold", "interrupted": "bold yellow"}


def summary(report: Report, stream: TextIO, *, color: bool = True) -> None:
    """Print verdict, totals, lanes, the first troubled numbers and the next command; plain text unless a terminal."""
    from rich.console import Console  # noqa: PLC0415 - 35 ms that only who reads a summary pays
    from rich.text import Text  # noqa: PLC0415

    console = Console(file=stream, force_terminal=stream.isatty(), no_color=not color, highlight=False)
    for line, style in _lines(report):
        console.print(Text(line, style), soft_wrap=True)


def _lines(report: Report) -> Iterator[tuple[str, str]]:
    """Every line and its style; soft_wrap leaves the breaking of long ones to the terminal."""
    name, style = report.run["plan"]["name"], _STYLES.get(report.status, "bold red")
    yield plain(f"{name}: {verdict_sentence(report)}"), style
    for note in report.run["notes"]:
        yield plain(f"  {note}"), ""
    for line in _aligned((outcome, f"{count:,}") for outcome, count in counted(report)):
        yield line, ""
    for line in _aligned(_lanes(report)):
        yield line, "dim"
    for line in _aligned(_troubled(report)):
        yield line, "red"
    if command := next_command(report):
        yield f"Next: {command}", "bold"


def _lanes(report: Report) -> Iterator[list[str]]:
    for lane in report.lanes:
        speed = "" if lane["achieved_rate"] is None else f"{lane['achieved_rate']:g}/s of {lane['rate']:g}/s"
        counts = [f"{lane[what]:,} {what}" for what in ("requests", "retries", "throttled")]
        yield [lane["account"], lane["provider"], *counts, speed]


def _troubled(report: Report) -> Iterator[list[str]]:
    for row in islice(troubled(report), _SHOWN):
        yield [row["outcome"], where(row), row["number"], why(row)]
    total = sum(report.totals[name] for name in TROUBLED)
    if total > _SHOWN:
        yield ["…", "", "", f"{total - _SHOWN:,} more: teardown report {report.run['id']}"]


def _aligned(rows: Iterable[Iterable[str]]) -> list[str]:
    """Each row as a line, its cells padded to the width of their column."""
    table = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)
    return [f"  {line.rstrip()}" for line in padded]
