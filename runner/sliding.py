"""A log of the newest requests, so that no window holds more of them than it may, on the provider's clock too.

A request counts from when it has arrived for certain, and the next one is taken to arrive as soon as it leaves: however
the way varies, two that are a window apart here are at least that there. Times are the event loop's, in seconds.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass

# A rate that is no whole number of requests a second is spaced evenly below this, and rounded down above.
_SPACED_BELOW = 50
# How long after it left a request is taken to have arrived when no answer has come by then, as a share of a window.
# Waiting for answers costs rate: so the longer way is for providers that are near, and usually answer so soon that it
# costs next to nothing. It keeps the promise while one of the machines is held up.
_WAY, _LONG_WAY = 0.015, 0.25
_SOON_BACK = 0.013
_STEADINESS = 256
# How soon to look again whether a request that waits for its connection has left.
_SOON = 0.002
# How often in a window to look again whether room that others have first has become free.
_PATIENTLY = 20


class SlidingLog:
    """The newest requests at a rate of ``per_second``: at most ``most`` in any ``window`` seconds."""

    def __init__(self, per_second: float) -> None:
        self._grants: deque[Grant] = deque()
        self._usual = _SOON_BACK  # shares of a window, like all that it is compared with
        self._way = _WAY
        self._set(per_second, whole=per_second >= _SPACED_BELOW or per_second.is_integer())

    def tune(self, per_second: float) -> None:
        """Keep another rate from now on, spaced evenly where it is low: it is only met for a moment."""
        self._set(per_second, whole=per_second >= _SPACED_BELOW)

    def _set(self, per_second: float, *, whole: bool) -> None:
        self.most = math.floor(per_second) if whole else 1
        self.window = 1.0 if whole else 1 / per_second
        # A rate that is counted may follow one that was spaced, and has to know what left in the second before.
        self._kept = max(self.most, _SPACED_BELOW)
        while len(self._grants) > self._kept:
            self._grants.popleft()

    def free_at(self, now: float, ahead: int = 0) -> float:
        """Return when the next request may leave, or a moment at which to ask again; it may be past.

        Room for ``ahead`` more is left to others.
        """
        most = self.most - ahead
        if most <= 0:
            return now + self.window / _PATIENTLY
        if len(self._grants) < most:
            return now
        arrived = self._grants[-most].arrived
        return now + _SOON if arrived is None else arrived + self.window

    def add(self, now: float) -> Grant:
        """Add a request that leaves now, and return it."""
        grant = Grant(self, now, now + self.way)
        self._grants.append(grant)
        if len(self._grants) > self._kept:
            self._grants.popleft()
        return grant

    @property
    def way(self) -> float:
        """Seconds after which a request is taken to have arrived when no answer has come."""
        return self._way * self.window

    def took(self, seconds: float) -> None:
        """Learn how long an answer took."""
        self._usual += (min(seconds / self.window, _LONG_WAY) - self._usual) / _STEADINESS
        self._way = _LONG_WAY if self._usual < _SOON_BACK else _WAY


@dataclass(slots=True, eq=False)
class Grant:
    """Permission for one request; ``arrived`` is when it has arrived for certain, null while nobody can tell."""

    log: SlidingLog
    left: float
    arrived: float | None

    def waits_for_connection(self) -> None:
        """Note that the request cannot leave yet: until `leaves` nobody knows which second it falls into."""
        self.arrived = None

    def leaves(self) -> None:
        """Note that the request leaves now, unless it had left before."""
        if self.arrived is None:
            self.left = asyncio.get_running_loop().time()
            self.arrived = self.left + self.log.way

    def is_over(self) -> None:
        """Note that the answer is here, or will not come: the request has arrived by now, or never will."""
        now = asyncio.get_running_loop().time()
        if self.arrived is None:
            self.arrived = now
            return
        self.log.took(now - self.left)
        self.arrived = min(self.arrived, now)
