"""Markdown for a change ticket or a comment: verdict, counts, how to go on, what went wrong, and the rest folded up."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runner.log import plain
from runner.report.fold import TROUBLED
from runner.report.words import counted, next_command, rollback_command, verdict_sentence, where, why, why_kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

    from runner.report.fold import Report, Row

_SHOWN = 20
_SPECIAL = re.compile(r"([\\`|*<>\[\]])")


class Markdown:
    """A page a person reads in a ticket: the first troubled and pending numbers, never all of them."""

    def __init__(self, report: Report, stream: TextIO) -> None:
        self._report, self._stream = report, stream
        self._troubled: list[Row] = []
        self._pending: list[Row] = []

    def add(self, rows: list[Row]) -> None:
        """Keep the first rows worth showing."""
        for row in rows:
            if row["outcome"] in TROUBLED and len(self._troubled) < _SHOWN:
                self._troubled.append(row)
            elif row["outcome"] == "pending" and len(self._pending) < _SHOWN:
                self._pending.append(row)

    def end(self) -> None:
        """Write the document: what matters in sight, the rest folded up."""
        report, totals = self._report, self._report.totals
        troubled = report.troubles
        names, counts = zip(("planned", totals["planned"]), *counted(report), strict=True)
        kind = "Rollback of" if report.run["rollback_of"] else "Teardown"
        parts = [
            f"# {kind} {_cell(report.run['plan']['name'])}: {report.status}",
            f"**{_cell(verdict_sentence(report))}**",
            "\n".join(f"- {_cell(note)}" for note in _notes(report)),
            _table(names, [counts]),
            _next(report),
            _headed("Targets", _targets(report), len(report.targets)),
            _headed(
                "Failed and unknown" if not totals.get("stranded") else "Failed, unknown and stranded",
                _rows(self._troubled),
                troubled,
            ),
            _folded("Pending", _rows(self._pending), totals["pending"]),
            _folded("Lanes", _lanes(report), len(report.lanes)),
            _folded("Put it back", _back(report)),
            _folded("Run", _facts(report)),
        ]
        self._stream.write("\n\n".join(filter(None, parts)) + "\n")


def _notes(report: Report) -> list[str]:
    sandbox = ["sandbox: no real number was touched"] if report.run["sandbox"] else []
    return [*sandbox, *report.run["notes"]]


def _facts(report: Report) -> str:
    run, plan = report.run, report.run["plan"]
    facts = [
        ("description", plan["description"]),
        *plan["metadata"].items(),
        ("run", run["id"]),
        ("plan", f"{plan['path']} (SHA-256 {plan['sha256']})"),
        ("rollback of", run["rollback_of"]),
        ("reason", run["reason"]),
        ("started", run["started_at"]),
        ("finished", run["finished_at"]),
        ("by", f"{run['user']} on {run['host']}, teardown {run['version']}"),
        ("exit code", run["exit_code"]),
    ]
    return "\n".join(f"- {_cell(name)}: {_cell(value)}" for name, value in facts if value is not None)


def _lanes(report: Report) -> str:
    head = ["account", "provider", "numbers", "requests", "retries", "throttled", "rate /s", "limit /s", "p95 ms"]
    keys = ("account", "provider", "planned", "requests", "retries", "throttled", "achieved_rate", "rate")
    return _table(head, [[*(lane[key] for key in keys), lane["latency_ms"]["p95"]] for lane in report.lanes])


def _targets(report: Report) -> str:
    keys = ("account", "kind", "target", "outcome")
    rows = [[*(each[key] for key in keys), why_kept(each)] for each in report.targets[:_SHOWN]]
    return _table([*keys, "why"], rows)


def _rows(rows: list[Row]) -> str:
    cells = [(row["number"], where(row), row["outcome"], why(row), row["attempts"]) for row in rows]
    return _table(["number", "where", "outcome", "why", "attempts"], cells)


def _table(head: Sequence[str], rows: Sequence[Iterable[Any]]) -> str:
    return "\n".join(map(_line, [head, ["---"] * len(head), *rows])) if rows else ""


def _headed(title: str, content: str, total: int) -> str:
    return f"## {_counted(title, total)}\n\n{content}" if content else ""


def _folded(title: str, content: str, total: int = 0) -> str:
    """Return what opens at a click in tickets and comments, and reads well where HTML is not shown."""
    summary = f"<details><summary>{_counted(title, total)}</summary>"
    return f"{summary}\n\n{content}\n\n</details>" if content else ""


def _counted(title: str, total: int) -> str:
    first = f"the first {_SHOWN} of " if total > _SHOWN else ""
    return f"{title} ({first}{total:,})" if total else title


def _next(report: Report) -> str:
    command = next_command(report)
    return f"Go on with\n\n```\n{command}\n```" if command else ""


def _back(report: Report) -> str:
    command = rollback_command(report)
    return f"```\n{command}\n```" if command else ""


def _line(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(value: Any) -> str:
    """Text that cannot break out of its cell or of its line, nor become markup."""
    return "" if value is None else _SPECIAL.sub(r"\\\1", plain(str(value)))
