"""A ledger as a file that is opened for each read."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from runner.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.model import State
    from runner.records import ItemRecord, LaneRecord, Removal, RunRecord, Timeline


class LedgerFile(Struct, frozen=True):
    """A ledger that is opened for each read, so that a report stays readable for as long as the file is there."""

    path: Path

    def run(self, run_id: str) -> RunRecord:
        """Return one run."""
        with closing(Ledger(self.path)) as ledger:
            return ledger.history.run(run_id)

    def items(self, run_id: str) -> Iterator[ItemRecord]:
        """Yield every item, in plan order."""
        with closing(Ledger(self.path)) as ledger:
            yield from ledger.history.items(run_id)

    def lanes(self, run_id: str) -> list[LaneRecord]:
        """Return one record an account."""
        with closing(Ledger(self.path)) as ledger:
            return ledger.history.lanes(run_id)

    def counts(self, run_id: str) -> dict[tuple[State, bool], int]:
        """Return how many items are in each state, apart by whether the newest pre-check saw them attached."""
        with closing(Ledger(self.path)) as ledger:
            return ledger.history.counts(run_id)

    def removals(self, run_id: str) -> list[Removal]:
        """Return what the run was to delete, and what became of it."""
        with closing(Ledger(self.path)) as ledger:
            return ledger.history.removals(run_id)

    def timeline(self, run_id: str, slots: int) -> Timeline:
        """Return what the run sent when, in so many slots."""
        with closing(Ledger(self.path)) as ledger:
            return ledger.history.timeline(run_id, slots)

    def rules(self, run_id: str) -> dict[str, Any]:
        """Return the rules that the run was begun with."""
        with closing(Ledger(self.path)) as ledger:
            return ledger.history.rules(run_id)

    def plan_text(self, run_id: str, most: int) -> str | None:
        """Return up to ``most`` characters of the plan as it ran."""
        with closing(Ledger(self.path)) as ledger:
            return ledger.history.plan_text(run_id, most)
