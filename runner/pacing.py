"""A lane's pace: never more than the rate in any sliding second, and pauses for the lane as a whole.

Time is the event loop's, in seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiolimiter import AsyncLimiter

from runner.adaptive import AdaptiveRate
from runner.errors import LaneStopped
from runner.sliding import SlidingLog

if TYPE_CHECKING:
    from runner.policy import Rate
    from runner.sliding import Grant
    from runner.transport import Quota

# A provider's limit up to this many times our rate is one for about a second, and our own pace keeps it already.
_SAME_WINDOW = 1.5
# A reset further away than this, in seconds, is not awaited in advance: the refusal that follows has its own bound.
_FARTHEST_RESET = 900.0
# The least that is made up for at once, in seconds.
_SPREAD = 0.05
# A wait so short does not have to be interrupted when the lane closes.
_SHORT = 0.1
# The grain of an event loop's timers: a shorter one is rounded up, or spun on.
_GRAIN = 0.001
# A limit that is reset so soon is one for a second; the header only knows whole ones.
_ABOUT_A_SECOND = 2.0


@dataclass(slots=True, eq=False)
class Passage:
    """The requests of one number that is moved: room for the attach is kept from its detach on (`Pacer.leave`).

    While the number is ``between`` two places, its requests go before all others, and also while the lane is on hold
    or closes.
    """

    kept: bool = False
    between: bool = False


class Pacer:
    """Grants permission for one request at a time, at most ``rate``, which may adapt to what the provider takes.

    The limiter spaces the grants; it alone would let twice the rate through in its busiest second, so a log of the
    newest grants holds each one back until a whole window has passed since the one that it would be too close to.
    """

    def __init__(self, rate: Rate | AdaptiveRate) -> None:
        self.rate = rate
        self._log = SlidingLog(rate.per_second)
        self._interval = 1 / rate.per_second
        if self.adaptive:
            self._tune()
        # It counts seconds: each request takes the interval that the present rate leaves it.
        self.spread = _SPREAD if self.adaptive else max(2 * self._interval, _SPREAD)
        """What was missed in so many seconds is made up for at once."""
        self._limiter = AsyncLimiter(self.spread, self.spread)
        self._turn = asyncio.Lock()
        self._resumes = 0.0
        self._left = math.inf
        self._resets = 0.0
        self._closing = asyncio.Event()
        self._released = asyncio.Event()
        self._released.set()
        self._closes = math.inf
        self._kept = 0
        """For how many requests of passages room is kept."""

    async def grant(self, *, sending: bool = False, passage: Passage | None = None) -> Grant:
        """Return when one request may leave; take it directly before sending.

        Raises LaneStopped once the lane closes: for what would change something at once, for a look, or what a number
        between two places needs, when it could not leave before the lane is closed.
        """
        if passage:
            return await self._grant_passage(passage, sending=sending and not passage.between)
        # Below the rate nobody waits, and then neither a lock nor a timer is needed.
        if not (self._turn.locked() or (sending and self.held)):
            now = asyncio.get_running_loop().time()
            if self._wait_left(now, sending=sending) <= 0:
                return await self._take(now)
        while True:
            if sending:
                await self._released.wait()
            async with self._turn:
                if granted := await self._take_turn(sending=sending):
                    return granted

    async def _grant_passage(self, passage: Passage, *, sending: bool) -> Grant:
        """Grant in its turn what begins a passage; whoever waits for a turn may wait for this one to go on."""
        while True:
            if sending:
                await self._released.wait()
            async with contextlib.nullcontext() if passage.between or passage.kept else self._turn:
                if granted := await self._take_turn(sending=sending, passage=passage):
                    return granted

    def leave(self, passage: Passage) -> None:
        """Keep no room for ``passage`` any more."""
        self._kept -= passage.kept
        passage.kept = False

    async def _take_turn(self, *, sending: bool, passage: Passage | None = None) -> Grant | None:
        """Wait for the next grant and take it; return None when detach requests were put on hold meanwhile."""
        while not (sending and self.held):
            now = asyncio.get_running_loop().time()
            if (wait := self._wait_left(now, sending=sending, passage=passage)) <= 0:
                return await self._take(now, passage)
            await self._sleep(max(wait, _GRAIN))
        return None

    async def _take(self, now: float, passage: Passage | None = None) -> Grant:
        if self._log.most > 1 and (spaced := self._spaced(passage)):
            await self._limiter.acquire(spaced)  # does not wait: it was asked before
        if passage and not passage.between and not passage.kept:
            passage.kept = True
            self._kept += 1
        self._left -= 1
        return self._log.add(now)

    def _spaced(self, passage: Passage | None) -> float:
        """Return how much of the limiter a request takes: the first of a passage takes that of its second as well."""
        if passage is None or passage.kept:
            return 0.0 if passage and passage.between else self._interval
        return 0.0 if passage.between else 2 * self._interval

    def _ahead(self, passage: Passage | None) -> int:
        """Return for how many requests of others room has to be left, and for a second one of one's own."""
        if passage is None:
            return self._kept
        if passage.between:
            return 0
        if passage.kept:
            return min(self._kept, self._log.most) - 1
        return self._kept + (self._log.most > 1)

    @property
    def adaptive(self) -> bool:
        """Whether the rate adapts to what the provider takes."""
        return isinstance(self.rate, AdaptiveRate)

    def answered(self, now: float, latency: float) -> None:
        """Learn that a request was accepted, and answered ``now``, after ``latency`` seconds."""
        if isinstance(self.rate, AdaptiveRate):
            self.rate.accepted(now, latency)
            self._tune()

    def throttled(self, left: float) -> None:
        """Learn that a request which left at ``left`` was refused because there had been too many."""
        if isinstance(self.rate, AdaptiveRate):
            self.rate.throttled(asyncio.get_running_loop().time(), left)
            self._tune()

    @property
    def breath(self) -> float:
        """Seconds of silence that are enough after the newest refusal, if the provider asks for none."""
        return self.rate.breath if isinstance(self.rate, AdaptiveRate) else math.inf

    def _tune(self) -> None:
        """Take over the present rate."""
        self._log.tune(self.rate.per_second)
        self._interval = 1 / self.rate.per_second

    def hold(self, *, on: bool) -> None:
        """Let no detach request through until that is taken back; looks go on."""
        if on and not self._closing.is_set():
            self._released.clear()
        else:
            self._released.set()

    @property
    def held(self) -> bool:
        """Whether detach requests are on hold."""
        return not self._released.is_set()

    def close(self, within: float) -> None:
        """Hold back every detach request from now on, and every look that would not leave ``within`` seconds."""
        self._closes = asyncio.get_running_loop().time() + within
        self._closing.set()
        self._released.set()

    def pause(self, seconds: float) -> bool:
        """Let nothing through for so long; return whether that is longer than any pause so far."""
        until = asyncio.get_running_loop().time() + seconds
        longer = until > self._resumes
        self._resumes = max(self._resumes, until)
        return longer

    @property
    def paused_for(self) -> float:
        """Seconds for which nothing leaves because the provider asked for patience; 0 when it did not."""
        return max(0.0, self._patient_until - asyncio.get_running_loop().time())

    def observe(self, quota: Quota, in_flight: int) -> None:
        """Heed what an answer says is left of the provider's own limit, before it has to refuse.

        ``in_flight`` requests are under way and not yet counted in it.
        """
        if isinstance(self.rate, AdaptiveRate) and quota.limit:
            self.rate.told(quota.limit, quota.resets_in if quota.resets_in > _ABOUT_A_SECOND else 1.0)
            self._tune()
        per_second = self.rate.per_second
        about_ours = quota.limit is not None and per_second <= quota.limit < per_second * _SAME_WINDOW
        if about_ours and quota.resets_in <= _ABOUT_A_SECOND:
            return
        if quota.resets_in > _FARTHEST_RESET:
            return
        now = asyncio.get_running_loop().time()
        left = max(0, quota.remaining - in_flight)
        self._left = min(left, self._left) if now < self._resets else left
        self._resets = now + quota.resets_in

    def _wait_left(self, now: float, *, sending: bool, passage: Passage | None = None) -> float:
        """Return the seconds until the next request may leave; LaneStopped when it is not to leave at all."""
        earliest = self._earliest(now, passage)
        if self._closing.is_set() and (sending or earliest > max(now, self._closes)):
            raise LaneStopped("the lane is stopping")
        return earliest - now

    async def _sleep(self, seconds: float) -> None:
        if seconds < _SHORT or self._closing.is_set():
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    @property
    def _patient_until(self) -> float:
        return self._resumes if self._left > 0 else max(self._resumes, self._resets)

    def _earliest(self, now: float, passage: Passage | None) -> float:
        """Return the moment from which on the next request may leave, or one at which to ask again."""
        free, patient = self._log.free_at(now, self._ahead(passage)), self._patient_until
        if free > now or patient > now:
            return max(free, patient)
        # One grant a window needs no spacing.
        if self._log.most == 1 or self._limiter.has_capacity(self._spaced(passage)):
            return now
        return now + self._interval
