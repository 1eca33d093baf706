"""What a run that detaches does at each of its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from runner.execute import Execution, Feed
from runner.goal import DETACH
from runner.lanes import PatientReads
from runner.precheck import Precheck, expand
from runner.snapshot import Snapshots
from runner.sparing import Sparing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.begin import Rules
    from runner.execute import Finished
    from runner.history import Target
    from runner.journal import Journal
    from runner.lanes import Lane
    from runner.log import Log
    from runner.model import State
    from runner.precheck import Findings
    from runner.providers import Reader, Reads

# For what a run can do without: a detach does not wait for it.
_TRIES = 2


class Detaching(Struct, frozen=True):
    """The stages; ``clock`` gives seconds since the epoch, ``said`` is what a plan has under ``reattach``."""

    journal: Journal
    rules: Rules
    log: Log
    clock: Callable[[], float]
    said: Mapping[int, Mapping[str, Any]]
    dry_run: bool
    goal = DETACH

    async def expand(self, lane: Lane, reads: Reads, targets: Sequence[Target]) -> None:
        """Find out which numbers the run has where its plan says ``all``."""
        await expand(lane.spec.reader(reads), self.journal, targets, everywhere=lane.spec.everywhere)

    async def look(
        self, lane: Lane, reads: Reads, targets: Sequence[Target], states: frozenset[State], findings: Findings
    ) -> None:
        """Look at the items in ``states``, settle what needs nothing, and add to ``findings``."""
        brief = PatientReads(lane, tries=_TRIES)
        snapshots = Snapshots(lane.spec, brief, lane.channel.tally, self.said)
        census = self.rules.guards.needs_census or lane.spec.counts or None
        precheck = Precheck(
            lane.spec.reader(reads),
            self.journal,
            self.rules.guards,
            self.clock,
            findings,
            snapshots=snapshots,
            census=census,
        )
        await precheck.look(targets, states, everywhere=lane.spec.everywhere)
        sparing = Sparing(lane, self.journal, self.rules.guards, targets, self.clock)
        await sparing.foresee(reads if sparing.wanted else brief, findings, dry_run=self.dry_run)

    async def execute(self, lane: Lane, targets: Sequence[Target], ids: tuple[int, int], finished: Finished) -> None:
        """Send for the items with ids above the first and up to the second of ``ids``."""
        execution = Execution(lane, lane.spec.detacher(lane.channel), self.journal, self.log, self.clock, finished)

        async def send(some: tuple[int, int]) -> None:
            await execution.run(Feed(self.journal, lane, {each.no: each.target for each in targets}, *some))

        sparing = Sparing(lane, self.journal, self.rules.guards, targets, self.clock, finished=finished)
        await (sparing.send(ids, send) if sparing.wanted else send(ids))

    async def reader(self, lane: Lane, reads: Reads, targets: Sequence[Target]) -> Reader:  # noqa: ARG002 - as of a rollback
        """Return what verification looks with."""
        return lane.spec.reader(reads)
