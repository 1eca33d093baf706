"""What a run that moves numbers does at each of its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from runner.crossing import CrossedReader, Passengers
from runner.departure import Departure
from runner.execute import Feed
from runner.goal import MOVE
from runner.precheck import expand
from runner.relocation import Relocation
from runner.routes import Routes
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

_ALL = (0, 1 << 62)


class Moving(Struct, frozen=True):
    """The stages; ``clock`` gives seconds since the epoch, ``secrets`` are the values of references that were given.

    ``said`` is what a plan has under ``reattach``, and ``to`` what it has under ``reassign``, by the target's number.
    """

    journal: Journal
    rules: Rules
    log: Log
    clock: Callable[[], float]
    said: Mapping[int, Mapping[str, Any]]
    to: Mapping[int, Mapping[str, Any]]
    secrets: Mapping[str, str]
    dry_run: bool
    goal = MOVE
    adrift: set[int] = set()
    """Items that are attached to nothing, as an earlier process has taken them off."""

    async def expand(self, lane: Lane, reads: Reads, targets: Sequence[Target]) -> None:
        """Find out which numbers the run has where its plan says ``all``."""
        await expand(lane.spec.reader(reads), self.journal, targets, everywhere=lane.spec.everywhere)

    async def look(
        self, lane: Lane, reads: Reads, targets: Sequence[Target], states: frozenset[State], findings: Findings
    ) -> None:
        """Look at the items in ``states``, settle what needs nothing, and add to ``findings``."""
        departure = Departure(
            lane.spec.reader(reads),
            self.journal,
            self.rules.guards,
            self.clock,
            findings,
            snapshots=Snapshots(lane.spec, reads, lane.channel.tally, self.said),
            census=self.rules.guards.needs_census or lane.spec.counts or None,
            routes=self._routes(lane, targets),
            free=self.adrift,
        )
        await departure.look(targets, states, everywhere=lane.spec.everywhere)
        await self._sparing(lane, targets).foresee(reads, findings, dry_run=self.dry_run)

    async def place(self, lane: Lane, targets: Sequence[Target], finished: Finished) -> None:
        """Attach what an earlier process left attached to nothing; all else waits."""
        ledger = self.journal.ledger
        ahead = await self.journal.call(ledger.history.to_send, [target.no for target in targets], *_ALL)
        others = [item for item, _ in ahead if item not in self.adrift]
        if len(others) < len(ahead):
            await self.journal.call(ledger.hold, others)
            await self._relocate(lane, targets, _ALL, finished)
            await self.journal.call(ledger.release_held, others)

    async def execute(self, lane: Lane, targets: Sequence[Target], ids: tuple[int, int], finished: Finished) -> None:
        """Move the items with ids above the first and up to the second of ``ids``."""

        async def send(some: tuple[int, int]) -> None:
            await self._relocate(lane, targets, some, finished)

        sparing = replace(self._sparing(lane, targets), finished=finished)
        await (sparing.send(ids, send) if sparing.wanted else send(ids))

    async def _relocate(self, lane: Lane, targets: Sequence[Target], ids: tuple[int, int], finished: Finished) -> None:
        routes = self._routes(lane, targets)
        relocation = Relocation(lane, routes, self.journal, self.log, self.clock, finished, self.adrift)
        places = {each.no: each.target for each in targets}
        await relocation.run(Feed(self.journal, lane, places, *ids, departs=self.clock))

    def _sparing(self, lane: Lane, targets: Sequence[Target]) -> Sparing:
        return Sparing(lane, self.journal, self.rules.guards, targets, self.clock, MOVE, self.adrift)

    async def reader(self, lane: Lane, reads: Reads, targets: Sequence[Target]) -> Reader:
        """Return what verification looks with."""
        passengers = Passengers()
        for target in targets:
            await self.journal.call(self._add, passengers, target)
        return CrossedReader(lane.spec.reader(reads), self._routes(lane, targets), passengers)

    def _add(self, passengers: Passengers, target: Target) -> None:
        for item, number, text in self.journal.ledger.history.sights(target.no):
            passengers.add(target.target, number, item, text)

    def _routes(self, lane: Lane, targets: Sequence[Target]) -> Routes:
        return Routes(lane.spec, {each.no: self.to[each.no] for each in targets}, self.secrets)
