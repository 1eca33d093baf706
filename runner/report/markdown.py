"""Markdown for a change ticket: verdict, totals, lanes, what went wrong, what is left, how to go on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runner.log import plain
from runner.report.fold import TROUBLED
from runner.report.words import counted, next_command, verdict_sentence, where, why

if TYPE_CHECKING:
    from collections.abc import Iterable
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
        """Write the page."""
        report, totals = self._report, self._report.totals
        sections = [
            _head(report),
            _section("Totals", ["outcome", "numbers"], [("planned", totals["planned"]), *counted(report)]),
            _lanes(report),
            _rows("Failed and unknown", self._troubled, sum(totals[name] for name in TROUBLED)),
            _rows("Pending", self._pending, totals["pending"]),
            _next(report),
        ]
        self._stream.write("\n\n".join(filter(None, sections)) + "\n")


def _head(report: Report) -> str:
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
        ("sandbox", "yes: no real number was touched" if run["sandbox"] else None),
    ]
    title = f"# Teardown {_cell(plan['name'])}: {report.status}\n\n**{_cell(verdict_sentence(report))}**"
    shown = [f"- {_cell(name)}: {_cell(value)}" for name, value in facts if value is not None]
    notes = [f"- note: {_cell(note)}" for note in run["notes"]]
    return "\n".join([title, "", *shown, *notes])


def _lanes(report: Report) -> str:
    head = ["account", "provider", "numbers", "requests", "retries", "throttled", "rate /s", "limit /s", "p95 ms"]
    keys = ("account", "provider", "planned", "requests", "retries", "throttled", "achieved_rate", "rate")
    rows = [[*(lane[key] for key in keys), lane["latency_ms"]["p95"]] for lane in report.lanes]
    return _section("Lanes", head, rows)


def _rows(title: str, rows: list[Row], total: int) -> str:
    shown = f"{title} ({total:,})" if total <= _SHOWN else f"{title} (the first {_SHOWN} of {total:,})"
    return _section(
        shown,
        ["number", "where", "outcome", "why", "attempts"],
        [(row["number"], where(row), row["outcome"], why(row), row["attempts"]) for row in rows],
    )


def _section(title: str, head: list[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = [_line(row) for row in rows]
    return "\n".join([f"## {title}\n", _line(head), _line(["---"] * len(head)), *lines]) if lines else ""


def _next(report: Report) -> str:
    command = next_command(report)
    return f"## Next\n\n```\n{command}\n```" if command else ""


def _line(cells: Iterable[Any]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(value: Any) -> str:
    """Text that cannot break out of its cell or of its line, nor become markup."""
    return "" if value is None else _SPECIAL.sub(r"\\\1", plain(str(value)))
