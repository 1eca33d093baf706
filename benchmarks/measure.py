"""What all questions share: running a child and taking what it used, medians with their spread, tables and files."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_RESULTS = Path(__file__).parent / "results"
_LAUNCHER = Path(__file__).parent / "launcher.py"
_TAIL = 2000


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process used, and the children it waited for: seconds of CPU and of the clock, most memory in KiB."""

    cpu_s: float
    wall_s: float
    peak_kib: int


@dataclass(frozen=True, slots=True)
class Size:
    """How much to measure: ``numbers`` in a run, null where the question's own size is wanted; ``runs`` in a ledger."""

    numbers: int | None
    repeats: int
    runs: int = 10

    def of(self, default: int) -> int:
        """Return the size that was asked for, else the question's own."""
        return default if self.numbers is None else self.numbers


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question came to: rows with the same keys to be read, ``figures`` to be compared, and sentences."""

    question: str
    title: str
    rows: Sequence[Mapping[str, Any]]
    figures: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()


def run(command: Sequence[str | Path], environ: Mapping[str, str] | None = None) -> Usage:
    """Run ``command`` to its end and return what it used; SystemExit with its last words when it failed."""
    words = [str(word) for word in command]
    launched = [sys.executable, "-I", "-S", str(_LAUNCHER), *words]
    done = subprocess.run(launched, capture_output=True, text=True, check=True, env=os.environ | dict(environ or {}))
    cpu, wall, peak, code = done.stdout.split()
    if code != "0":
        raise SystemExit(f"{' '.join(words)[:_TAIL]} ended with {code}:\n{done.stderr[-_TAIL:]}")
    return Usage(float(cpu), float(wall), int(peak))


def interleaved(work: Mapping[str, Callable[[], Usage]], repeats: int) -> dict[str, list[Usage]]:
    """Do every work once, then once more, until each was done ``repeats`` times: all meet the same weather."""
    used: dict[str, list[Usage]] = {name: [] for name in work}
    for turn in range(repeats):
        for name, each in work.items():
            print(f"  {turn + 1}/{repeats} {name}", file=sys.stderr, flush=True)
            used[name].append(each())
    return used


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median, and where it differs from it the least and the most."""
    middle, least, most = (f"{value:,.{digits}f}" for value in (median(values), min(values), max(values)))
    return middle if least == most else f"{middle} ({least} to {most})"


def ratios(values: Sequence[float], against: Sequence[float]) -> list[float]:
    """Return each value divided by the one of the same turn."""
    return [value / base for value, base in zip(values, against, strict=True)]


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as a Markdown table, aligned."""
    lines = [list(rows[0]), *([str(row[key]) for key in rows[0]] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    padded = ([cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in padded)


def show(answer: Answer) -> str:
    """Return an answer as a section of Markdown."""
    return "\n".join([f"## {answer.title}", "", table(answer.rows), "", *answer.notes])


def save(answer: Answer, size: Size, folder: Path) -> None:
    """Write an answer to ``folder``, with the machine and the moment."""
    folder.mkdir(exist_ok=True)
    content = {
        "question": answer.question,
        "title": answer.title,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "repeats": size.repeats,
        "rows": answer.rows,
        "figures": answer.figures,
        "notes": answer.notes,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (folder / f"{answer.question}.json").write_text(text + "\n", encoding="utf-8")


def ask(*questions: Callable[[Size], Answer]) -> None:
    """Put questions as the command line says, and save and print each answer as it comes."""
    parser = argparse.ArgumentParser(description="Measure the runner; see docs/performance.md.")
    parser.add_argument("--numbers", type=int, help="numbers in a run (default: each question's own)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of every client (default: 5)")
    parser.add_argument("--runs", type=int, default=10, help="runs in the ledger that is read (default: 10)")
    parser.add_argument("--results", type=Path, default=_RESULTS, help="folder for the figures as JSON")
    options = vars(parser.parse_args())
    folder = options.pop("results")
    size = Size(**options)
    for question in questions:
        answer = question(size)
        save(answer, size, folder)
        print(show(answer), end="\n\n", flush=True)
