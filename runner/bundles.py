"""Drive ``decide`` for the numbers of a rollback: those that hung together go in one request, each has its own case.

Such a request does all of its numbers or none. So after a lost answer all of them are looked at, and whatever is still
free then goes into the next request; the marks of a bundle are on the disk together before anything of it leaves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import orjson
from msgspec import Struct

from runner.channel import departed
from runner.decide import Case, Finish, Halt, Look, Looked, Send, Sent, decide, wind_up
from runner.errors import LaneStopped, NotSent, RequestError
from runner.execute import a_block, item_of, stop_for, tell_failed, tell_repeat
from runner.goal import REATTACH
from runner.model import Pending
from runner.providers import NumberSeen
from runner.records import Attempt, Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from runner.decide import Evidence, Step
    from runner.execute import Finished
    from runner.journal import Journal
    from runner.lanes import Lane
    from runner.log import Log
    from runner.model import Item, Seen
    from runner.providers import Attacher, Before, Reader, Reattaching

Known = list[tuple[int, str, str]]
"""Id, number and what is known as JSON, of each."""


class Bundle(Struct, frozen=True):
    """Numbers that go in one request, and where they were; ``tried`` are those that something was sent for before."""

    items: tuple[Item, ...]
    before: Before
    tried: frozenset[int]


def bundled(ready: Known, reattaching: Reattaching) -> list[Known]:
    """Return what is ready as it goes together, in the order of the first of each."""
    bundles: dict[object, Known] = {}
    for each in ready:
        key = reattaching.bundle(orjson.loads(each[2]))
        bundles.setdefault(("alone", each[0]) if key is None else key, []).append(each)
    return list(bundles.values())


class Bundles:
    """The bundles of a lane, marked in blocks of about a second of its rate."""

    def __init__(
        self,
        journal: Journal,
        lane: Lane,
        targets: Mapping[int, str | None],
        bundles: Collection[Known],
        reveal: Callable[[Before], Before],
    ) -> None:
        self._journal = journal
        self._lane = lane
        self._targets = targets
        self._ahead = deque(bundles)
        self._reveal = reveal
        self._block: deque[Bundle] = deque()
        self._lock = asyncio.Lock()

    async def next(self) -> Bundle | None:
        """Return a bundle whose marks are on the disk, or None when there are no more, or the lane has stopped."""
        if not self._block:
            async with self._lock:
                if not self._block and self._ahead and not self._lane.stopped:
                    await self._mark()
        return self._block.popleft() if self._block and not self._lane.stopped else None

    def release(self, clock: Callable[[], float]) -> None:
        """Give back what was marked and never sent."""
        for bundle in self._block:
            for item in bundle.items:
                self._journal.settled(Settled(item.id, Pending(), clock()))
        self._block.clear()

    async def _mark(self) -> None:
        taken = [self._ahead.popleft() for _ in range(min(a_block(self._lane), len(self._ahead)))]
        ids = [item for known in taken for item, _, _ in known]
        tried = await self._journal.call(self._journal.ledger.history.tried, ids)
        await self._journal.call(self._journal.ledger.mark, ids)
        for known in taken:
            items = tuple(item_of(self._lane, self._targets, item, number) for item, number, _ in known)
            before = self._reveal(orjson.loads(known[0][2]))
            self._block.append(Bundle(items, before, frozenset(tried & {item.id for item in items})))


@dataclass(slots=True)
class _Way:
    """How far one number of a bundle has come; ``error`` is what its newest evidence came to."""

    case: Case
    step: Step
    sent: int = 0
    attempt: Attempt | None = None
    error: RequestError | None = None


@dataclass(slots=True)
class Restoration:
    """One lane's part of one batch; ``clock`` gives seconds since the epoch."""

    lane: Lane
    attacher: Attacher
    reader: Reader
    journal: Journal
    log: Log
    clock: Callable[[], float]
    finished: Finished

    async def run(self, bundles: Bundles) -> None:
        """Work through ``bundles``; an error that is not a RequestError is a bug, and leaves the marks standing."""
        await self.lane.side_by_side(partial(self._work, bundles))
        bundles.release(self.clock)

    async def _work(self, bundles: Bundles) -> None:
        while bundle := await bundles.next():
            await self._settle(bundle)

    async def _settle(self, bundle: Bundle) -> None:
        ahead = {item: _Way(Case(lost=item.id in bundle.tried), Send()) for item in bundle.items}
        while ahead:
            # Whoever is in doubt is looked at first: what is free then goes in one request with the others.
            looking = [item for item, way in ahead.items() if isinstance(way.step, Look)]
            turn = looking or list(ahead)
            await self._wait([ahead[item] for item in turn])
            evidence = await (self._look(turn) if looking else self._send(turn, bundle.before))
            for item in turn:
                self._decide(item, ahead[item], *evidence[item])
                if isinstance(step := ahead[item].step, Finish | Halt):
                    self._finish(item, ahead.pop(item), step)

    async def _wait(self, ways: Sequence[_Way]) -> None:
        """Wait as the one says that has to wait longest."""
        steps = [(way.step, way.error) for way in ways if isinstance(way.step, Send | Look)]
        step, error = max(steps, key=lambda each: each[0].after)
        if step.after:
            await self.lane.wait_before(step, error)

    def _decide(self, item: Item, way: _Way, evidence: Evidence, attempt: Attempt | None) -> None:
        lane = self.lane
        way.sent += attempt is not None
        way.attempt, way.error = attempt, evidence.error
        away = lane.channel.away and not lane.stopped
        way.case, way.step = decide(way.case, evidence, lane.policy, roll=lane.roll(), away=away, goal=REATTACH)
        lane.mind_silence()
        way.step = wind_up(way.case, way.step) if lane.stopped else way.step
        if attempt and evidence.error:
            tell_failed(self.log, item, attempt, way.sent, evidence.error)
        if isinstance(way.step, Send):
            tell_repeat(self.log, item, way.step, way.sent, way.case.error)
            lane.channel.tally.retries += 1

    def _finish(self, item: Item, way: _Way, step: Finish | Halt) -> None:
        if isinstance(step, Halt):
            self.lane.stop(stop_for(step.error))
        verified = getattr(step.outcome, "confirmed_by", None) == "verification"
        self.journal.settled(Settled(item.id, step.outcome, self.clock(), way.sent, verified=verified))
        self.finished(item, step.outcome, way.sent, way.attempt)

    async def _send(self, items: Sequence[Item], before: Before) -> dict[Item, tuple[Evidence, Attempt | None]]:
        evidence = Sent()
        came_back: tuple[int | None, str | None]
        try:
            came_back = await self.attacher.attach([item.number for item in items], before), None
        except NotSent as unsent:
            return {item: (Sent(unsent), None) for item in items}
        except RequestError as error:
            evidence, came_back = Sent(error), (error.status, error.code)
        took = asyncio.get_running_loop().time() - departed()
        attempts = {item: Attempt(item.id, self.clock() - took, took * 1000, *came_back) for item in items}
        for attempt in attempts.values():
            self.journal.attempted(attempt)
        return {item: (evidence, attempts[item]) for item in items}

    async def _look(self, items: Sequence[Item]) -> dict[Item, tuple[Evidence, None]]:
        """Look at all of them now."""
        try:
            async with asyncio.timeout_at(self.lane.closes_at):
                found = await self._seen(items)
        except RequestError as error:
            return {item: (Looked(error), None) for item in items}
        except TimeoutError:
            return {
                item: (Looked(LaneStopped("the lane stopped before a look could settle it")), None) for item in items
            }
        return {item: (Looked(found[item]), None) for item in items}

    async def _seen(self, items: Sequence[Item]) -> dict[Item, Seen]:
        """Survey many at once; what a survey leaves out is looked at by itself."""
        found: dict[Item, Seen] = {}
        if len(items) > 1:
            wanted: dict[str | None, list[str]] = {}
            for item in items:
                wanted.setdefault(item.target, []).append(item.number)
            by_place = {(item.target, item.number): item for item in items}
            async for sight in self.reader.survey(wanted, census=False):
                if isinstance(sight, NumberSeen):
                    found[by_place[sight.target, sight.number]] = sight.seen
        return {item: found.get(item) or await self.reader.look(item.target, item.number) for item in items}
