"""What there is to tell of a run: plain values from its report, for templates and for the environment of hooks."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from runner.errors import TeardownError
from runner.ledgerfile import LedgerFile
from runner.report import fold, next_command, verdict_sentence
from runner.report.words import troubled, where, why

if TYPE_CHECKING:
    from pathlib import Path

    from runner.records import RunRecord
    from runner.report import Report

_SHOWN = 10

Facts = dict[str, Any]
"""The names of `letter.EXAMPLE`, with the values of a run."""


class Subject(Struct, frozen=True):
    """The run that is told of: its record, its ledger, and its folder."""

    record: RunRecord
    ledger: Path
    folder: Path

    def before(self, totals: dict[str, int]) -> Facts:
        """Return what is known before anything is sent."""
        return self._known() | {"totals": totals}

    def ended(self, report: Report) -> Facts:
        """Return what to tell of a run that has ended; ReportError as the rows of a report raise it."""
        return self._reported(report) | {"event": "failure" if report.exit_code else "finish"}

    def stopped_by(self, guard: str) -> Facts:
        """Return what to tell of a run that still goes on, and that a guard has just stopped."""
        sentence = f"A guard tripped: {guard}. Requests in flight finish, nothing new is sent."
        return self._so_far() | {
            "event": "guard",
            "verdict": sentence,
            "next_command": f"teardown status {self.record.id}",
            "report": None,
        }

    def broken_off(self, why_so: str) -> Facts:
        """Return what to tell of a run that ended without a report."""
        sentence = f"Broken off: {why_so}"
        return self._so_far() | {"event": "failure", "verdict": sentence, "report": None}

    def _so_far(self) -> Facts:
        try:
            return self._reported(fold(LedgerFile(self.ledger), self.record.id))
        except TeardownError:  # what broke the run off may keep its ledger from being read
            return self._known() | {"status": "interrupted", "exit_code": None, "verdict": "", "next_command": None}

    def _known(self) -> Facts:
        record = self.record
        return {
            "plan": record.plan_name,
            "run_id": record.id,
            "notes": [],
            "totals": {},
            "failures": [],
            "more_failures": 0,
            "report": None,
            "host": record.host,
            "user": record.user,
            "reason": record.reason,
            "metadata": record.metadata,
        }

    def _reported(self, report: Report) -> Facts:
        page = self.folder / "report.html"
        rows = islice(troubled(report), _SHOWN)
        return self._known() | {
            "status": report.status,
            "exit_code": report.exit_code,
            "verdict": verdict_sentence(report),
            "notes": report.run["notes"],
            "totals": report.totals,
            "failures": [
                {"number": row["number"], "where": where(row), "outcome": row["outcome"], "why": why(row)}
                for row in rows
            ],
            "more_failures": max(0, report.troubles - _SHOWN),
            "next_command": next_command(report),
            "report": str(page) if page.exists() else None,
        }
