"""A lane: one account's queue, its line to the provider, and how it is stopped. Lanes run side by side."""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass, field
from random import random
from typing import TYPE_CHECKING, Literal, TypeVar

from msgspec import Struct

from runner.decide import Case, Look, Looked, decide
from runner.errors import Refused, RequestError, Throttled

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from runner.channel import Channel
    from runner.decide import Send
    from runner.policy import RetryPolicy
    from runner.providers import Spec
    from runner.transport import Reply

T = TypeVar("T")

StopCode = Literal[
    "signal",
    "access_denied",
    "provider_away",
    "throttled",
    "lease_lost",
    "guard",
    "deadline",
    "window_closed",
    "operator",
    "calls_unknown",
]
_NO_USE_LOOKING = frozenset({"signal", "access_denied", "provider_away", "lease_lost"})
_NOT_FOUND = 404
_NOTICEABLE = 1.0


class Stop(Struct, frozen=True):
    """Why a lane takes up nothing new; ``message`` is a sentence without its account."""

    code: StopCode
    message: str

    @property
    def leaves_time_to_look(self) -> bool:
        """Whether the provider can still be asked what became of the numbers."""
        return self.code not in _NO_USE_LOOKING


@dataclass(slots=True, eq=False)
class Lane:
    """One account at work; ``drain_s`` bounds in seconds how long it takes to stop."""

    account: str
    spec: Spec
    channel: Channel
    policy: RetryPolicy
    concurrency: int
    drain_s: float
    roll: Callable[[], float] = random
    stopped: Stop | None = None
    closes_at: float | None = None
    """When the lane has to be at rest, on the event loop's clock; null while it has not been stopped."""
    on_stop: Callable[[Lane], None] = lambda _: None
    on_throttle: Callable[[Lane, RequestError, float], None] = lambda *_: None
    _waits: tuple[str, float] | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self, why: Stop) -> None:
        """Take up nothing new, finish what is under way; only the first reason counts."""
        if self.stopped is None:
            self.stopped = why
            self.closes_at = asyncio.get_running_loop().time() + self.drain_s
            self.channel.pacer.close(self.drain_s)
            self.channel.tenure.end()
            self._stopping.set()
            self.on_stop(self)

    async def side_by_side(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Let as many workers do ``work`` as the lane may have requests in flight, until all of them are done."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(self.concurrency):
                workers.create_task(work())

    async def wait(self, seconds: float, why: str | None = None) -> None:
        """Wait for so long, or until the lane stops; ``why`` is for those who look on."""
        if seconds > 0 and not self.stopped:
            if why:
                self._waits = why, asyncio.get_running_loop().time() + seconds
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
            if why:
                self._waits = None

    async def wait_before(self, step: Send | Look, error: RequestError | None) -> None:
        """Wait as ``step`` says; a pause of the whole lane is kept by its pacer, for every request."""
        if not step.whole_lane:
            await self.wait(step.after)
            return
        asked = isinstance(error, Throttled) and error.wait is not None
        pause = step.after if asked else min(step.after, self.channel.pacer.breath)
        paused = self.channel.pacer.paused_for
        longer = self.channel.pacer.pause(pause) and (not paused or pause > paused + _NOTICEABLE)
        if error and longer:  # requests that left together are refused together: one pause, and told once
            self.on_throttle(self, error, pause)
        if pause < step.after:
            await self.wait(step.after)

    def why_waiting(self) -> tuple[str | None, float | None]:
        """Return why no request leaves at the moment and until when, on the event loop's clock; Nones otherwise."""
        if self.stopped:
            return f"stopped: {self.stopped.message}", None
        if not self.channel.tenure.good:
            return "the lease has run out and has to be renewed", None
        if self.channel.pacer.held:
            return "paused by an operator", None
        if paused := self.channel.pacer.paused_for:
            return "throttled by the provider", asyncio.get_running_loop().time() + paused
        if self.channel.away:
            return "the provider does not answer", None
        return self._waits or (None, None)

    def mind_silence(self) -> None:
        """Stop when nobody has answered for as long as the policy's patience lasts."""
        if self.channel.away and (silent := self.channel.silent_for) > self.policy.patience:
            self.stop(Stop("provider_away", f"the provider has not answered for {silent:.0f} s"))


async def each_at_work(lanes: Iterable[Lane], work: Callable[[Lane], Coroutine[None, None, None]]) -> None:
    """Do ``work`` for all lanes side by side, each counting how long it takes; return when all are through."""

    async def counted(lane: Lane) -> None:
        with lane.channel.at_work():
            await work(lane)

    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(counted(lane))


@dataclass(slots=True)
class PatientReads:
    """The reads of a survey: one that fails is repeated as ``decide`` says for a look.

    With ``outlast`` a provider that answers nothing at all is waited for as long as the policy's patience lasts. What a
    run can do without is read with few ``tries``, refusals by the rate included.
    """

    lane: Lane
    outlast: bool = False
    tries: float = math.inf

    async def get(self, path: str, parse: Callable[[Reply], T], query: Mapping[str, str | int] | None = None) -> T:
        """Return the answer; raises the last RequestError when it gives up, a 404 at once: that is an answer."""
        lane, case, tried = self.lane, Case(), 0
        while True:
            tried += 1
            try:
                return await lane.channel.get(path, parse, query)
            except RequestError as error:
                if lane.stopped or (isinstance(error, Refused) and error.status == _NOT_FOUND):
                    raise
                waitable = self.outlast and lane.channel.away and lane.channel.silent_for <= lane.policy.patience
                case, step = decide(case, Looked(error), lane.policy, roll=lane.roll(), away=waitable)
                if not isinstance(step, Look):
                    raise
                if tried < self.tries or step.whole_lane:
                    await lane.wait_before(step, error)
                if tried >= self.tries:
                    raise
