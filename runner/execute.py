"""Drive ``decide`` for the items of one lane: mark, send, look, record. Workers share one iterator."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from runner.channel import departed
from runner.decide import Case, Halt, Look, Looked, Send, Sent, decide, wind_up
from runner.errors import AccessDenied, LaneStopped, NotSent, RequestError, Throttled
from runner.goal import DETACH
from runner.history import SHIFT
from runner.lanes import Stop
from runner.model import Item, Pending
from runner.records import Attempt, Settled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from runner.decide import Evidence, Step
    from runner.goal import Goal
    from runner.journal import Journal
    from runner.lanes import Lane
    from runner.log import Log
    from runner.model import Outcome, Seen
    from runner.providers import Detacher


class Finished(Protocol):
    """Told what became of an item after how many attempts, and which of them settled it by its answer, if one did."""

    def __call__(
        self, item: Item, outcome: Outcome, attempts: int, answer: Attempt | None, /, *, gap_ms: float | None = None
    ) -> None:
        """Take it; ``gap_ms`` says how long a number that was moved was without a place."""


_MOST_AT_ONCE = 500
# What nearly every number meets, made once.
_FRESH, _LOST, _BEGIN, _ANSWERED = Case(), Case(lost=True), Send(), Sent()
_SUCCESS: tuple[int | None, str | None] = (200, None)
_GOES_ON = (Send, Look)
_PENDING = Pending()


class Feed:
    """The items of a lane that may be sent, claimed in blocks of about a second of its rate.

    ``targets`` are the lane's targets by their number in the ledger; items with ids above ``after``, up to ``upto``.
    With a clock that tells when an item that is moved ``departs``, each is claimed by itself, just before it is sent.
    """

    def __init__(
        self,
        journal: Journal,
        lane: Lane,
        targets: Mapping[int, str | None],
        after: int,
        upto: int,
        *,
        departs: Callable[[], float] | None = None,
    ) -> None:
        self._journal = journal
        self._departs = departs
        self._lane = lane
        self._targets = targets
        self._after = after
        self._upto = upto
        self.tried: set[int] = set()
        """Items that an earlier process sent something for, or may have."""
        self._block: deque[tuple[int, str]] = deque()
        self._lock = asyncio.Lock()
        self._over = False

    async def next(self) -> Item | None:
        """Return an item whose mark is on the disk, or None when there are no more, or the lane has stopped."""
        while self._runs_dry:
            async with self._lock:
                if self._runs_dry:
                    await self._claim()
        if not self._block or self._lane.stopped:
            return None
        return item_of(self._lane, self._targets, *self._block.popleft())

    def release(self, clock: Callable[[], float], unsent: Callable[[int], Outcome] = lambda _: _PENDING) -> None:
        """Give back what was claimed and never sent, as what it is ``unsent``."""
        for item, _ in self._block:
            self._journal.settled(Settled(item, unsent(item), clock()))
        self._block.clear()

    @property
    def _runs_dry(self) -> bool:
        return not (self._block or self._over or self._lane.stopped)

    async def _claim(self) -> None:
        lane = self._lane
        most, departs = (1, self._departs()) if self._departs else (a_block(lane), None)
        claim = self._journal.claim
        block = await claim(lane.account, after=self._after, upto=self._upto, most=most, departs=departs)
        self.tried |= await self._journal.call(self._journal.ledger.history.tried, [item for item, _ in block])
        self._over = not block
        self._after = block[-1][0] if block else self._after
        self._block.extend(block)  # last, as others take from it while this one waits


@dataclass(slots=True)
class Execution:
    """One lane's part of one batch; ``clock`` gives seconds since the epoch."""

    lane: Lane
    detacher: Detacher
    journal: Journal
    log: Log
    clock: Callable[[], float]
    finished: Finished

    async def run(self, feed: Feed) -> None:
        """Work through ``feed``; an error that is not a RequestError is a bug, and leaves the marks standing."""
        await self.lane.side_by_side(partial(self._work, feed))
        feed.release(self.clock)

    async def _work(self, feed: Feed) -> None:
        while item := await feed.next():
            await self._settle(item, _LOST if item.id in feed.tried else _FRESH)

    async def _settle(self, item: Item, case: Case) -> None:
        send, look = partial(self._send, item), partial(self._look, item)
        outcome, sent, attempt = await pursue(self.lane, self.log, item, case=case, send=send, look=look)
        verified = getattr(outcome, "confirmed_by", None) == "verification"
        self.journal.settled(Settled(item.id, outcome, self.clock(), sent, verified=verified))
        self.finished(item, outcome, sent, attempt)

    async def _send(self, item: Item) -> tuple[Evidence, Attempt | None]:
        return await attempted(self.detacher.detach(item.target, item.number), item, self.journal, self.clock)

    async def _look(self, item: Item) -> Evidence:
        return await looked(self.detacher.look(item.target, item.number), self.lane)


async def pursue(
    lane: Lane,
    log: Log,
    item: Item,
    *,
    case: Case,
    send: Callable[[], Awaitable[tuple[Evidence, Attempt | None]]],
    look: Callable[[], Awaitable[Evidence]],
    goal: Goal = DETACH,
    begin: Step = _BEGIN,
    sent: int = 0,
    once: bool = False,
) -> tuple[Outcome, int, Attempt | None]:
    """Do what ``decide`` says until it says that it is over; return the outcome, all attempts, and the last one.

    The last attempt is null where it was a look that settled the item. ``sent`` attempts were made before; with
    ``once`` a request that has not been tried leaves although the lane stops.
    """
    step: Step = begin
    evidence: Evidence | None = None
    attempt: Attempt | None = None
    while isinstance(step, _GOES_ON):
        if step.after and evidence:
            await lane.wait_before(step, evidence.error)
        evidence, attempt = await send() if isinstance(step, Send) else (await look(), None)
        sent += attempt is not None
        away = lane.channel.away and not lane.stopped
        case, step = decide(case, evidence, lane.policy, roll=lane.roll(), away=away, goal=goal)
        lane.mind_silence()
        step = wind_up(case, step, once=once) if lane.stopped else step
        if attempt and evidence.error:
            tell_failed(log, item, attempt, sent, evidence.error)
        if isinstance(step, Send):
            tell_repeat(log, item, step, sent, case.error)
            lane.channel.tally.retries += 1
    if isinstance(step, Halt):
        lane.stop(stop_for(step.error))
    return step.outcome, sent, attempt


async def attempted(
    request: Awaitable[int | None], item: Item, journal: Journal, clock: Callable[[], float]
) -> tuple[Evidence, Attempt | None]:
    """Make a request that changes something, record it when it left, and return what it came to."""
    evidence, came_back = _ANSWERED, _SUCCESS
    try:
        if status := await request:
            came_back = status, None
    except NotSent as unsent:
        return Sent(unsent), None
    except RequestError as error:
        evidence, came_back = Sent(error), (error.status, error.code)
    took = asyncio.get_running_loop().time() - departed()
    attempt = Attempt(item.id, clock() - took, took * 1000, *came_back)
    journal.attempted(attempt)
    return evidence, attempt


async def looked(look: Awaitable[Seen], lane: Lane) -> Evidence:
    """Take a look, and return what it came to."""
    try:
        async with asyncio.timeout_at(lane.closes_at):
            return Looked(await look)
    except RequestError as error:
        return Looked(error)
    except TimeoutError:
        return Looked(LaneStopped("the lane stopped before a look could settle it"))


def item_of(lane: Lane, targets: Mapping[int, str | None], item: int, number: str) -> Item:
    """Return an item of a lane, whose ``targets`` are given by their number in the ledger."""
    return Item(item, lane.account, lane.spec.name, targets[item >> SHIFT], number)


def a_block(lane: Lane) -> int:
    """Return how many items are marked at once: about a second's worth of the lane's rate."""
    return min(_MOST_AT_ONCE, max(lane.concurrency, int(lane.channel.pacer.rate.per_second)))


def tell_failed(log: Log, item: Item, attempt: Attempt, number: int, error: RequestError) -> None:
    """Tell of an attempt that did not succeed; ``number`` counts those of the item."""
    log.debug(
        "number.attempt",
        **_place(item),
        attempt=number,
        latency_ms=round(attempt.latency_ms, 1),
        http_status=attempt.http_status,
        error=str(error),
    )


def tell_repeat(log: Log, item: Item, step: Send, sent: int, error: RequestError | None) -> None:
    """Tell that an item is sent again after ``sent`` attempts, and when."""
    log.info("number.retry", **_place(item), attempt=sent, wait_s=round(step.after, 3), error=str(error))


def _place(item: Item) -> dict[str, str | None]:
    """Return where a number stands, as events show it."""
    return {"account": item.account, "provider": item.provider, "target": item.target, "number": item.number}


def stop_for(error: RequestError) -> Stop:
    """Return why a lane stops that cannot go on because of ``error``."""
    match error:
        case AccessDenied():
            return Stop(
                "access_denied", f"the provider refuses the account's credentials ({error}); nothing more is sent"
            )
        case Throttled():
            return Stop("throttled", f"the provider throttles for longer than retry.max_throttle_wait ({error})")
        case _:
            return Stop("provider_away", f"the provider stayed away ({error})")
