"""A lane's pace: never more than the rate in any sliding second, and pauses for the lane as a whole.

Time is the event loop's, in seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiolimiter import AsyncLimiter

from runner.errors import LaneStopped

if TYPE_CHECKING:
    from runner.policy import Rate
    from runner.transport import Quota

# Between our grant and the provider's clock lies the network, whose delay varies: a window is kept this much longer.
_MARGIN = 1.02
# A rate that is no whole number of requests a second is spaced evenly below this, and rounded down above.
_SPACED_BELOW = 50
# A provider's limit up to this many times our rate is one for about a second, and our own pace keeps it already.
_SAME_WINDOW = 1.5
# A reset further away than this, in seconds, is not awaited in advance: the refusal that follows has its own bound.
_FARTHEST_RESET = 900.0
# A wait so short does not have to be interrupted when the lane closes.
_SHORT = 0.1
# How soon to look again whether a request that waits for its connection has left.
_SOON = 0.002
# A limit that is reset so soon is one for a second; the header only knows whole ones.
_ABOUT_A_SECOND = 2.0


@dataclass(slots=True)
class Grant:
    """Permission for one request; ``at`` is when it left, null while it is not known yet."""

    at: float | None

    def waits_for_connection(self) -> None:
        """Note that the request cannot leave yet: until `leaves` nobody knows which second it falls into."""
        self.at = None

    def leaves(self) -> None:
        """Note that the request leaves now, unless it had left before."""
        if self.at is None:
            self.at = asyncio.get_running_loop().time()


class Pacer:
    """Grants permission for one request at a time, at most ``rate``.

    The limiter spaces the grants; it alone would let twice the rate through in its busiest second, so a log of the
    newest grants holds each one back until a whole window has passed since the one that it would be too close to.
    """

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        per_second = rate.per_second
        whole = per_second.is_integer() or per_second >= _SPACED_BELOW
        in_window = math.floor(per_second) if whole else 1
        self._window = in_window / per_second * _MARGIN if not whole else _MARGIN
        burst = max(2, in_window // 20)
        # One grant a window needs no spacing, and could wait in the limiter for longer than a stop may take.
        self._limiter = AsyncLimiter(burst, burst / per_second) if in_window > 1 else None
        self._grants: deque[Grant] = deque(maxlen=in_window)
        self._turn = asyncio.Lock()
        self._resumes = 0.0
        self._left = math.inf
        self._resets = 0.0
        self._closing = asyncio.Event()
        self._released = asyncio.Event()
        self._released.set()
        self._closes = math.inf

    async def grant(self, *, sending: bool = False) -> Grant:
        """Return when one request may leave; take it directly before sending.

        Raises LaneStopped once the lane closes: for what would change something at once, for a look when it could not
        leave before the lane is closed.
        """
        while True:
            if sending:
                await self._released.wait()
            if granted := await self._take_turn(sending=sending):
                return granted

    async def _take_turn(self, *, sending: bool) -> Grant | None:
        """Wait for the next grant and take it; return None when detach requests were put on hold meanwhile."""
        async with self._turn:
            if sending and self.held:
                return None
            # Asked before the limiter as well: it would let go of those that wait only one by one.
            self._wait_left(sending=sending)
            if self._limiter:
                await self._limiter.acquire()
            while (wait := self._wait_left(sending=sending)) > 0:
                await self._sleep(max(wait, 0.001))
            if sending and self.held:
                return None
            granted = Grant(asyncio.get_running_loop().time())
            self._grants.append(granted)
            self._left -= 1
            return granted

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

    def _wait_left(self, *, sending: bool) -> float:
        """Return the seconds until the next request may leave; LaneStopped when it is not to leave at all."""
        now = asyncio.get_running_loop().time()
        earliest = self._earliest()
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
        return max(self._resumes, self._resets if self._left <= 0 else 0.0)

    def _earliest(self) -> float:
        """Return the moment from which on the next request may leave."""
        if len(self._grants) < (self._grants.maxlen or 0):
            return self._patient_until
        left_at = self._grants[0].at
        if left_at is None:
            return max(self._patient_until, asyncio.get_running_loop().time() + _SOON)
        return max(self._patient_until, left_at + self._window)
