"""Drive ``decide`` for numbers that are moved: away from here, there at once, and back where there is refused."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from runner.channel import Through, departed
from runner.decide import Case, Look, Send
from runner.execute import attempted, looked, pursue
from runner.model import AlreadyDetached, Elsewhere, Failed, Gone, Moved, Pending, Still, Stranded
from runner.moves import ADRIFT, Leg, follow
from runner.pacing import Passage
from runner.records import Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from runner.decide import Evidence
    from runner.execute import Feed, Finished
    from runner.journal import Journal
    from runner.lanes import Lane
    from runner.log import Log
    from runner.model import Fault, Item, Outcome, Seen
    from runner.moves import Way
    from runner.providers import Attacher, Before, Detacher
    from runner.records import Attempt
    from runner.routes import Routes

_FRESH, _LOST = Case(), Case(lost=True)


@dataclass(slots=True)
class _Trip:
    """One number on its way; ``left`` is when it was taken off, on the event loop's clock, null while it is here."""

    item: Item
    way: Way
    here: Before
    there: Before
    passage: Passage
    detacher: Detacher
    attacher: Attacher
    left: float | None = None
    looks_first: bool = False
    """Whether somebody else took it off: then it may hang on something else already."""
    refusal: Fault | None = None

    def ended(self, leg: Leg, outcome: Outcome) -> None:
        """Note how a leg has ended."""
        self.passage.between = True
        self.looks_first = isinstance(outcome, AlreadyDetached)
        if leg is Leg.THERE and isinstance(outcome, Failed):
            self.refusal = outcome.fault

    def gap_ms(self, outcome: Outcome) -> float | None:
        """Return how long it was without a place, at most; None when it was not, or still is."""
        back = isinstance(outcome, Failed) and outcome.fault.code == "put_back"
        if self.left is None or not (back or isinstance(outcome, Moved)):
            return None
        return round((asyncio.get_running_loop().time() - self.left) * 1000, 1)


@dataclass(slots=True)
class Relocation:
    """One lane's part of one batch; ``free`` are the items that are attached to nothing as it begins.

    ``clock`` gives seconds since the epoch.
    """

    lane: Lane
    routes: Routes
    journal: Journal
    log: Log
    clock: Callable[[], float]
    finished: Finished
    free: Collection[int]

    async def run(self, feed: Feed) -> None:
        """Work through ``feed``; an error that is not a RequestError is a bug, and leaves the marks standing."""
        await self.lane.side_by_side(partial(self._work, feed))
        feed.release(self.clock, lambda item: Stranded(ADRIFT) if item in self.free else Pending())

    async def _work(self, feed: Feed) -> None:
        while item := await feed.next():
            trip = await self._begin(item)
            try:
                await self._settle(trip, _LOST if item.id in feed.tried else _FRESH)
            finally:
                self.lane.channel.pacer.leave(trip.passage)

    async def _begin(self, item: Item) -> _Trip:
        history, routes = self.journal.ledger.history, self.routes
        before = await self.journal.call(history.before, item.id) or {}
        here, there = routes.revealed(before), routes.revealed(routes.there(item.id, before))
        passage = Passage(between=item.id in self.free)
        http = Through(self.lane.channel, passage)
        trip = _Trip(
            item,
            routes.way(item, before),
            here,
            there,
            passage,
            self.lane.spec.detacher(http),
            routes.how.attacher(http),
        )
        if passage.between and (left := await self.journal.call(history.left_at, item.id)):
            trip.left = asyncio.get_running_loop().time() - max(0.0, self.clock() - left)
        return trip

    async def _settle(self, trip: _Trip, case: Case) -> None:
        item, sent = trip.item, 0
        attempt: Attempt | None = None
        ahead: Leg | Outcome = Leg.THERE if trip.passage.between else Leg.AWAY
        while isinstance(ahead, Leg):
            leg = ahead
            ended, sent, attempt = await pursue(
                self.lane,
                self.log,
                item,
                case=case if leg is Leg.AWAY else _FRESH,
                send=partial(self._send, trip, leg),
                look=partial(self._look, trip, leg),
                goal=leg.goal,
                begin=Look() if trip.looks_first else Send(),
                sent=sent,
                once=leg is not Leg.AWAY,
            )
            ahead = follow(leg, ended, trip.way, trip.refusal)
            trip.ended(leg, ended)
        verified = getattr(ahead, "confirmed_by", None) == "verification"
        gap = trip.gap_ms(ahead)
        self.journal.settled(Settled(item.id, ahead, self.clock(), sent, verified=verified, gap_ms=gap))
        self.finished(item, ahead, sent, attempt, gap_ms=gap)

    async def _send(self, trip: _Trip, leg: Leg) -> tuple[Evidence, Attempt | None]:
        item = trip.item
        if leg is not Leg.AWAY:
            place = trip.there if leg is Leg.THERE else trip.here
            return await attempted(trip.attacher.attach([item.number], place), item, self.journal, self.clock)
        evidence, attempt = await attempted(
            trip.detacher.detach(item.target, item.number), item, self.journal, self.clock
        )
        if attempt:
            trip.left = departed()
        return evidence, attempt

    async def _look(self, trip: _Trip, leg: Leg) -> Evidence:
        item = trip.item
        if leg is Leg.AWAY:
            return await looked(trip.detacher.look(item.target, item.number), self.lane)
        place = trip.there if leg is Leg.THERE else trip.here
        return await looked(self._seen_at(trip, place), self.lane)

    async def _seen_at(self, trip: _Trip, place: Before) -> Seen:
        """Look at a place; a number that is not there is searched for, as it may hang on something else."""
        asked, number, here = self.routes.asked(place), trip.item.number, trip.item.target
        looked = await trip.detacher.look(asked, number)
        seen = self.routes.at(place, looked)
        if self.lane.spec.everywhere:
            is_here = isinstance(seen, Elsewhere) and self.routes.at(trip.here, looked) is looked
            return Still(trip.way.here) if is_here else seen
        if isinstance(seen, Gone):
            async for sight in trip.detacher.trace({asked: [number]}):
                seen = sight.seen
        return Still(seen.where) if isinstance(seen, Elsewhere) and seen.where == here else seen
