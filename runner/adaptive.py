"""The rate of an account whose limit nobody knows: found by trying, kept by remembering. No I/O, no clock.

It doubles every second until the provider refuses, remembers how much was taken then, and stays just below that. From
time to time it goes a little higher, for a moment; where that is not refused, the limit has risen, and the search goes
on from there. Rising latency is taken for a refusal too. Where the provider names its limit in its answers, nothing has
to be tried.

Moments and latencies are in seconds on one clock, rates in requests per second.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

START = 5.0
"""Where the search begins; latency alone never brings it below."""

_AT_REST = 6.0
_LOWEST = 0.1
# Doublings a second once the limit turned out to have risen, or to be higher than was guessed; twice as many with each
# second, up to one.
_FIRST_PACE, _WARY_PACE = 0.3, 0.05
# How soon after a change the next one is made.
_STEP = 0.1
# What is accepted is counted over a second, or over the time that so many take.
_SECOND = 1.0
_ENOUGH = 10
# Growth stops while less than this share of the rate is used: what is not tried is not known.
_IN_USE = 0.6
# After a refusal, as shares of the limit that it showed: begins, stays, and what proves that it has risen.
_CAREFUL, _NEAR, _ABOVE = 0.9, 0.985, 1.06
# A limit that was told is stayed below by more: the provider may count it in another way.
_BELOW_TOLD = 0.97
# The first way takes so many seconds. Then it stays for so many times as long as the refusal kept the lane silent: each
# costs such a silence, and until a rise is found, what it would allow is lost. Longer with each one that met the same
# limit, up to a most, which is less where the limit has been higher: there is more to be won then.
_EASE = 2.0
_PATIENCE, _MORE_PATIENT, _MOST_PATIENT = 8.0, 1.5, 24.0
# Both together last for so many requests at least, so that hardly one in a hundred is refused where the limit is low.
_FEW = 150
# The second way takes so many seconds or requests, and it stays there as long again: by then a bucket that holds a
# tenth of a second is full, and the count is exact where the limit is low.
_CLIMB, _CLIMB_REQUESTS = 1.3, 40
# A limit is the same as before when it is no less than this share of it; then it grows by no more than that at once, as
# what a bucket takes while it fills looks like more.
_ALIKE, _CREEP = 0.97, 1.01
# How many requests' time to be silent after a refusal that was to be expected.
_BREATH = 4
# What is left of the rate when it was refused before it could show the limit.
_CUT = 0.75
# A limit for so many seconds at most is a rate.
_LONGEST_PERIOD = 60.0
# Latency that is not yet a sign of overload: so many times the usual one, and so many seconds more.
_TOLERATED, _JITTER = 2.0, 0.05
_LEAST_LEFT = 0.5


@dataclass(slots=True)
class Latency:
    """Compares the latency of the last second with the lowest, or with what it is ``at_rest``."""

    usual: float = math.inf
    _began: float = -math.inf
    _sum: float = 0.0
    _count: int = 0

    def bearable(self, now: float, latency: float, *, at_rest: bool) -> float:
        """Count an answer; return which share of the rate the provider seems to bear, 1 while nothing is unusual.

        ``at_rest`` says that we send so little that latency has other reasons.
        """
        self._sum, self._count = self._sum + latency, self._count + 1
        if self._count < _ENOUGH or now - self._began < _SECOND:
            return 1.0
        recent, self._began, self._sum, self._count = self._sum / self._count, now, 0.0, 0
        self.usual = recent if at_rest else min(recent, self.usual)
        return max(_LEAST_LEFT, min(1.0, (self.usual * _TOLERATED + _JITTER) / recent))


@dataclass(slots=True)
class AdaptiveRate:
    """Finds the highest rate up to ``most`` that is not refused; ``per_second`` is the present one.

    Answers to what left before the rate was last cut say nothing any more.
    """

    most: float = math.inf
    per_second: float = START
    _limit: float | None = None
    """The limit as it last showed itself; null while the search goes on."""
    _sure: bool = False
    """Whether that was counted, and is no guess."""
    _expected: bool = False
    """Whether the newest refusal came where the rate was about the limit."""
    _alike: bool = False
    """Whether the limit was the same the time before."""
    _early: int = 0
    """How often in turn it was met before it was probed: so it is lower than it seemed."""
    _highest: float = 0.0
    _patience: float = _PATIENCE
    _ease: float = _EASE
    _eased_at: float = 0.0
    """When the rate is near the limit, ``_ease`` seconds after it began to go there."""
    _probed_at: float = 0.0
    """When the next refusal is risked, by a climb of ``_climb`` seconds."""
    _climb: float = _CLIMB
    _pace: float = 1.0
    _told: float = math.inf
    _quota: float = math.inf
    _period: float = 0.0
    _refused: bool = False
    _cut_at: float = -math.inf
    _since: float | None = None
    """When the first answer came to what left after the last cut."""
    _stepped: float = -math.inf
    _accepted: deque[float] = field(default_factory=deque)
    _latency: Latency = field(default_factory=Latency)

    def __post_init__(self) -> None:
        self._go(self.per_second)

    def accepted(self, now: float, latency: float) -> None:
        """Learn from a request that was not refused, and answered after ``latency`` seconds."""
        if now - latency <= self._cut_at:
            return
        if self._since is None:
            self._resume(now)
        self._accepted.append(now)
        bearable = self._latency.bearable(now, latency, at_rest=self.per_second < _AT_REST)
        if bearable < 1:
            self._cut(now, max(START / _CAREFUL, self.per_second * bearable), sure=False)
        elif now - self._stepped >= _STEP:
            self._grow(now)

    def throttled(self, now: float, left: float) -> None:
        """Learn from a request that left at ``left`` and was refused."""
        if left <= self._cut_at:
            return
        self._refused = True
        showed = min(self.per_second, self._taken(now) + 1 / self._span)
        self._expected = showed >= self.per_second * _CAREFUL
        counted = self._expected or (self._since is not None and now - self._since >= self._span)
        self._cut(now, showed if counted else self.per_second * _CUT, sure=counted)

    def told(self, limit: float, resets_in: float) -> None:
        """Learn the limit from an answer: so many requests, and so many seconds until they are counted afresh.

        A limit for a longer time than a minute says nothing about the rate: it is there to be used up.
        """
        self._period = max(resets_in, self._period) if limit == self._quota else resets_in
        self._quota = limit
        self._told = limit / self._period * _BELOW_TOLD if self._period <= _LONGEST_PERIOD else math.inf
        self._go(self.per_second if self._refused or math.isinf(self._told) else self._told)

    @property
    def breath(self) -> float:
        """Seconds of silence that the newest refusal calls for where the provider names none.

        Few when it only met the limit that it was to find; infinite, so that others decide, when it came as a surprise.
        """
        return _BREATH / self._limit if self._expected and self._limit else math.inf

    @property
    def _span(self) -> float:
        """Seconds over which is counted what is accepted."""
        return max(_SECOND, _ENOUGH / self.per_second)

    def _taken(self, now: float) -> float:
        """Return how many requests a second were accepted lately."""
        while self._accepted and self._accepted[0] <= now - self._span:
            self._accepted.popleft()
        lately = min(self._span, now - (self._since or now))
        return len(self._accepted) / max(_SECOND, lately)

    def _resume(self, now: float) -> None:
        """Begin the curve anew; what a refusal costs, and is worth, decides how soon the next one is risked."""
        self._since = now
        if self._limit is None:
            return
        silence, each = now - self._cut_at, 1 / self._limit if self._sure else 0.0
        self._ease, self._climb = max(_EASE, _FEW / 2 * each), max(_CLIMB, _CLIMB_REQUESTS * each)
        rested = self._alike and silence >= _SECOND  # nothing is counted any more against a limit that is known
        self._eased_at = now if rested else now + self._ease
        self._probed_at = max(self._eased_at + self._patience * silence * self._sure, now + _FEW * each)

    def _cut(self, now: float, limit: float, *, sure: bool) -> None:
        known = self._limit or math.inf
        self._alike = sure and limit > known * _ALIKE
        self._early = self._early + 1 if sure and now < self._probed_at else 0
        limit = min(limit * _NEAR**self._early, known * _CREEP if self._alike else math.inf)
        if sure:
            self._highest = max(self._highest, limit)
            patience = self._patience * _MORE_PATIENT if self._alike else _PATIENCE
            self._patience = min(patience, max(_PATIENCE, _MOST_PATIENT * limit / self._highest))
        self._limit, self._sure, self._cut_at, self._since = limit, sure, now, None
        self._accepted.clear()
        self._go(limit * _CAREFUL)

    def _grow(self, now: float) -> None:
        elapsed = min(now - self._stepped, max(2 * _STEP, 1 / self.per_second))
        self._stepped = now
        if self._limit is not None:
            if (share := self._share(now)) is not None:
                self._go(max(self.per_second, self._limit * share))
                return
            self._limit, self._pace = None, _FIRST_PACE if self._sure else _WARY_PACE
        if self._taken(now) >= self.per_second * _IN_USE:
            self._go(self.per_second * 2 ** (elapsed * self._pace))
            self._pace = min(1.0, self._pace * 2**elapsed)

    def _share(self, now: float) -> float | None:
        """Return how much of the limit to try by now; null once it has proved to have risen."""
        if now >= self._probed_at + 2 * self._climb:
            return None
        if now >= self._probed_at:
            return _NEAR + (_ABOVE - _NEAR) * min(1.0, (now - self._probed_at) / self._climb)
        return _NEAR + (_NEAR - _CAREFUL) * min(0.0, (now - self._eased_at) / self._ease) ** 3

    def _go(self, per_second: float) -> None:
        self.per_second = max(_LOWEST, round(min(per_second, self._told, self.most), 3))
