"""What a rollback does at each of its stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from runner.bundles import Bundles, Restoration, bundled
from runner.goal import REATTACH
from runner.places import PlacedReader, Places
from runner.providers import REATTACH as SAID
from runner.recheck import Recheck

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
    from runner.providers import Before, Reader, Reads, Reattaching


class Restoring(Struct, frozen=True):
    """The stages; ``clock`` gives seconds since the epoch, ``secrets`` are the values of references that were given."""

    journal: Journal
    rules: Rules
    log: Log
    clock: Callable[[], float]
    secrets: Mapping[str, str]
    goal = REATTACH
    _places: dict[str, Places] = {}

    async def expand(self, lane: Lane, reads: Reads, targets: Sequence[Target]) -> None:
        """Find out nothing: the run that is put back has named every number."""

    async def look(
        self, lane: Lane, reads: Reads, targets: Sequence[Target], states: frozenset[State], findings: Findings
    ) -> None:
        """Look at the items in ``states``, settle what needs nothing, and add to ``findings``."""
        places = await self._places_of(lane, targets)
        reader = await self.reader(lane, reads, targets)
        partial = self.rules.partial
        recheck = Recheck(reader, self.journal, lane.spec, places, self.clock, findings=findings, partial=partial)
        await recheck.look(targets, states, everywhere=lane.spec.everywhere)

    async def execute(self, lane: Lane, targets: Sequence[Target], ids: tuple[int, int], finished: Finished) -> None:
        """Send for what begins above the first and up to the second of ``ids``; what goes together is not parted."""
        after, upto = ids
        numbers = [target.no for target in targets]
        ready = await self.journal.call(lambda: list(self.journal.ledger.history.ready(numbers)))
        ahead = [known for known in bundled(ready, _how(lane)) if after < known[0][0] <= upto]
        bundles = Bundles(self.journal, lane, {each.no: each.target for each in targets}, ahead, self._reveal)
        reader = await self.reader(lane, lane.channel, targets)
        attacher = _how(lane).attacher(lane.channel)
        await Restoration(lane, attacher, reader, self.journal, self.log, self.clock, finished).run(bundles)

    async def reader(self, lane: Lane, reads: Reads, targets: Sequence[Target]) -> Reader:
        """Return what verification looks with."""
        places = await self._places_of(lane, targets)
        return PlacedReader(lane.spec.reader(reads), reads, _how(lane), places, everywhere=lane.spec.everywhere)

    async def _places_of(self, lane: Lane, targets: Sequence[Target]) -> Places:
        if lane.account not in self._places:
            places = Places()
            for target in targets:
                await self.journal.call(self._add, places, target)
            self._places[lane.account] = places
        return self._places[lane.account]

    def _add(self, places: Places, target: Target) -> None:
        for number, text in self.journal.ledger.history.befores(target.no):
            places.add(target.target, number, text)

    def _reveal(self, before: Before) -> Before:
        """Return what is known with the secrets that it refers to, which are kept nowhere."""
        said = before.get(SAID) or {}
        return {**before, SAID: {key: self.secrets.get(str(value), value) for key, value in said.items()}}


def _how(lane: Lane) -> Reattaching:
    """Return how the lane's provider puts numbers back; a rollback begins only where there is a way."""
    if lane.spec.reattaching is None:
        raise LookupError(lane.spec.name)
    return lane.spec.reattaching
