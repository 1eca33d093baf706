"""The summary a person reads on the terminal when a run has ended; it fits on a screen of 80 by 24."""

from __future__ import annotations

import shlex
from itertools import islice
from typing import TYPE_CHECKING

from runner.log import plain
from runner.report.words import counted, next_command, troubled, verdict_sentence, where, why

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import TextIO

    from runner.report.fold import Report

_LANES, _TROUBLES = 4, 4
_NOTES_ALONE, _NOTES_BESIDE_TROUBLES = 10, 3
_STYLES = {"succeeded": "bold green", "dry_run": "bold", "interrupted": "bold yellow"}


def summary(
    report: Report, stream: TextIO, *, color: bool = True, folder: Path | None = None, state_dir: str | None = None
) -> None:
    """Print verdict, counts, lanes, the first troubled numbers and what to do next; plain text unless a terminal.

    ``folder`` is the run's; ``state_dir`` is named in the commands where they would not find the run without it.
    """
    from rich.console import Console  # noqa: PLC0415 - 35 ms that only who reads a summary pays
    from rich.text import Text  # noqa: PLC0415

    console = Console(file=stream, force_terminal=stream.isatty(), no_color=not color, highlight=False)
    for line, style in (*_told(report), *_ahead(report, folder, state_dir)):
        console.print(Text(line, style), soft_wrap=True)


def _told(report: Report) -> Iterator[tuple[str, str]]:
    """Every line about the run and its style; soft_wrap leaves the breaking of long ones to the terminal."""
    name, style = report.run["plan"]["name"], _STYLES.get(report.status, "bold red")
    yield plain(f"{name}: {verdict_sentence(report)}"), style
    trouble = [*_trouble(report)]
    for note in _some(report.run["notes"], _NOTES_BESIDE_TROUBLES if trouble else _NOTES_ALONE, "notes"):
        yield plain(f"  {note}"), ""
    yield "  " + ", ".join(f"{count:,} {outcome}" for outcome, count in counted(report)), ""
    for line in _some(_aligned(_lanes(report)), _LANES, "accounts"):
        yield f"  {line}", "dim"
    yield from trouble


def _ahead(report: Report, folder: Path | None, state_dir: str | None) -> Iterator[tuple[str, str]]:
    """Where the report lies, and the commands that go on from here."""
    more = f" --state-dir {shlex.quote(state_dir)}" if state_dir else ""
    if folder and (page := folder / "report.html").exists():
        yield plain(f"Page:   {page}"), ""
    yield plain(f"Report: teardown report {report.run['id']} -o report.md{more}  (or .html .csv .json .xml)"), ""
    if command := next_command(report):
        yield plain(f"Next:   {command}{more}"), "bold"


def _lanes(report: Report) -> Iterator[list[str]]:
    for lane in report.lanes:
        speed = "" if lane["achieved_rate"] is None else f"{lane['achieved_rate']:g} of {round(lane['rate'], 2):g}/s"
        counts = [f"{lane[what]:,} {what}" for what in ("requests", "retries", "throttled")]
        yield [lane["account"], *counts, speed]


def _trouble(report: Report) -> Iterator[tuple[str, str]]:
    """Two lines for each of the first troubled numbers: which, and why."""
    for row in islice(troubled(report), _TROUBLES):
        yield plain(f"  {row['outcome']} {row['number']} at {where(row)}"), "red"
        yield plain(f"    {why(row)}"), ""
    total = report.troubles
    if total > _TROUBLES:
        yield f"  and {total - _TROUBLES:,} more", "red"


def _some(lines: Iterable[str], most: int, what: str) -> list[str]:
    """Return all lines, or the first ones and how many more there are."""
    lines = [*lines]
    return lines if len(lines) <= most else [*lines[: most - 1], f"and {len(lines) - most + 1:,} more {what}"]


def _aligned(rows: Iterable[Iterable[str]]) -> list[str]:
    """Each row as a line, its cells padded to the width of their column."""
    table = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)
    return [line.rstrip() for line in padded]
