"""The summary a person reads on the terminal when a run has ended; it fits on the screen, if that is not tiny."""

from __future__ import annotations

import shlex
from itertools import islice
from typing import TYPE_CHECKING

from runner.log import folded, plain
from runner.report.words import counted, fate, next_command, troubled, verdict_sentence, where, why

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import TextIO

    from runner.report.fold import Report

_MOST = 4
"""How many accounts, targets and troubled numbers are named; fewer where the screen is too small for that."""
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
    ahead = [*_ahead(report, folder, state_dir)]
    room = console.height - 1 - _rows(ahead, console.width)  # the line below is the shell's
    told = _fitting(report, console.width, room) if stream.isatty() else _told(report, _MOST)
    for line, style in (*told, *ahead):
        console.print(Text(line, style), soft_wrap=True)


def _fitting(report: Report, width: int, height: int) -> list[tuple[str, str]]:
    """Return the lines about the run, broken between words, with as much in them as the terminal has room for."""
    lines: list[tuple[str, str]] = []
    for most in range(_MOST, 0, -1):
        lines = [(piece, style) for line, style in _told(report, most) for piece in folded(line, width)]
        if len(lines) <= height:
            break
    return lines


def _rows(lines: Iterable[tuple[str, str]], width: int) -> int:
    """Return how many rows the terminal makes of lines that stay whole, so that a command can be copied."""
    return sum(max(1, -(-len(line) // width)) for line, _ in lines)


def _told(report: Report, most: int) -> Iterator[tuple[str, str]]:
    """Every line about the run and its style, with ``most`` of each kind."""
    name, style = report.run["plan"]["name"], _STYLES.get(report.status, "bold red")
    yield plain(f"{name}: {verdict_sentence(report)}"), style
    trouble = [*_trouble(report, most)]
    for note in _some(report.run["notes"], _notes(most, beside=bool(trouble)), "notes"):
        yield plain(f"  {note}"), ""
    yield "  " + ", ".join(f"{count:,} {outcome}" for outcome, count in counted(report)), ""
    for line in _some(_aligned(_lanes(report)), most, "accounts"):
        yield f"  {line}", "dim"
    for line in _some(map(fate, () if report.run["dry_run"] else report.targets), most, "targets"):
        yield plain(f"  {line}"), ""
    yield from trouble


def _notes(most: int, *, beside: bool) -> int:
    """Return how many notes there is room for, ``beside`` troubled numbers or alone."""
    return min(most, _NOTES_BESIDE_TROUBLES) if beside else _NOTES_ALONE * most // _MOST


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


def _trouble(report: Report, most: int) -> Iterator[tuple[str, str]]:
    """Two lines for each of the first troubled numbers: which, and why."""
    for row in islice(troubled(report), most):
        yield plain(f"  {row['outcome']} {row['number']} at {where(row)}"), "red"
        yield plain(f"    {why(row)}"), ""
    total = report.troubles
    if total > most:
        yield f"  and {total - most:,} more", "red"


def _some(lines: Iterable[str], most: int, what: str) -> list[str]:
    """Return all lines, or the first ones, one at least, and how many more there are."""
    lines, most = [*lines], max(2, most)
    return lines if len(lines) <= most else [*lines[: most - 1], f"and {len(lines) - most + 1:,} more {what}"]


def _aligned(rows: Iterable[Iterable[str]]) -> list[str]:
    """Each row as a line, its cells padded to the width of their column."""
    table = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)
    return [line.rstrip() for line in padded]
