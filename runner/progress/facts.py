"""What a display is drawn from: the facts as told, and the arithmetic of pace and patience."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.log import plain
from runner.model import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

_HORIZON = 15.0


@dataclass(slots=True)
class Pace:
    """How fast something gets done, over the last quarter of a minute; times in seconds on one clock."""

    marks: deque[tuple[float, float]] = field(default_factory=deque)

    def mark(self, now: float, done: int) -> None:
        """Note that ``done`` were done at ``now``."""
        self.marks.append((now, done))
        while len(self.marks) > 2 and self.marks[1][0] <= now - _HORIZON:  # noqa: PLR2004 - two marks make a pace
            self.marks.popleft()

    @property
    def rate(self) -> float:
        """Items per second; 0 until there are two marks."""
        if not self.marks:
            return 0.0
        (began, first), (now, last) = self.marks[0], self.marks[-1]
        return max(0.0, last - first) / (now - began) if now > began else 0.0


@dataclass(slots=True)
class LaneFacts:
    """What is known of one lane; ``until`` is when its wait ends, on the display's clock.

    ``pace`` is of items settled, ``traffic`` of requests, ``limit`` the most requests a second, 0 until it is told.
    """

    account: str
    total: int
    counts: Counter[State] = field(default_factory=Counter)
    pace: Pace = field(default_factory=Pace)
    traffic: Pace = field(default_factory=Pace)
    requests: int = 0
    retries: int = 0
    limit: float = 0.0
    reason: str | None = None
    until: float | None = None

    @property
    def done(self) -> int:
        """How many items are settled."""
        return self.counts.total()

    def wait_left(self, now: float) -> float:
        """Seconds that the lane still waits, 0 when it does not or nobody knows."""
        return max(0.0, self.until - now) if self.reason and self.until is not None else 0.0

    def eta(self, now: float) -> float | None:
        """Seconds until the lane is done, at its limit while it has no pace; None while that cannot be told.

        One that has settled everything and waits, to look again, has at least that wait before it.
        """
        left = self.total - self.done
        if left <= 0:
            return self.wait_left(now)
        rate = self.pace.rate or self.limit
        return self.wait_left(now) + left / rate if rate else None

    def why(self, now: float, room: int | None = None) -> str:
        """Why the lane waits and how long, empty when it does not; the time is left whole in ``room`` characters."""
        if not self.reason:
            return ""
        left, reason = math.ceil(self.wait_left(now)), plain(self.reason)
        time = f", {left} s left" if left else ""
        if room is None or len(reason + time) <= room:
            return reason + time
        time = f" {left} s" if left else ""
        return cut(reason, room - len(time)) + time

    def speed(self) -> str:
        """Return how many requests leave and how many may: ``9.8 of 10/s``."""
        if not self.limit:
            return ""
        unit, times = ("s", 1) if self.limit >= 1 else ("min", 60)
        rate = min(self.traffic.rate, self.limit)  # over so short a time the first moment's burst looks like more
        return f"{rate * times:.1f} of {round(self.limit * times, 1):g}/{unit}"


class Board:
    """The facts, as told; what a display is drawn from."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float]) -> None:
        self.stream = stream
        self._out, self._clock = stream, clock
        self._total, self._phase = 0, ""
        self._lanes: dict[str, LaneFacts] = {}
        self._shown_at = clock()

    def start(self, total: int) -> None:
        """Begin a run of ``total`` items."""
        self._total = total

    def lane(self, account: str, total: int) -> None:
        """Add a lane that has ``total`` items to settle."""
        self._lanes[account] = LaneFacts(account, total)

    def phase(self, name: str) -> None:
        """Say what is being done now; rates count from here."""
        self._phase = name
        for facts in self._lanes.values():
            facts.pace = Pace()
        self._mark()

    def settled(self, account: str, state: State, was: State | None = None) -> None:
        """Count an item that ended at ``state``."""
        counts = self._facts(account).counts
        counts[state] += 1
        if was is not None:
            counts[was] -= 1

    def traffic(self, account: str, *, requests: int, retries: int, limit: float) -> None:
        """Note what a lane has sent, and how many requests a second it may send at most."""
        facts = self._facts(account)
        facts.requests, facts.retries, facts.limit = requests, retries, limit

    def waiting(self, account: str, reason: str | None, until: float | None = None) -> None:
        """Say why a lane waits and until when; None when it goes on."""
        facts = self._facts(account)
        facts.reason, facts.until = reason, until

    def _facts(self, account: str) -> LaneFacts:
        """Facts of a lane, also of one that nobody announced: a display is no reason to stop."""
        if account not in self._lanes:
            self.lane(account, 0)
        return self._lanes[account]

    def _due(self, every: float) -> bool:
        """Whether ``every`` seconds have passed since the last time; if so, it counts as the last time."""
        self._mark()
        if self._clock() - self._shown_at < every:
            return False
        self._shown_at = self._clock()
        return True

    def _mark(self) -> None:
        """Note how far every lane is; one that waits keeps the pace it had, or its ETA would be lost."""
        now = self._clock()
        for facts in self._lanes.values():
            facts.traffic.mark(now, facts.requests)
            if not facts.reason:
                facts.pace.mark(now, facts.done)

    def _whole(self) -> LaneFacts:
        """Return the facts of all lanes together; their paces add up."""
        whole, now = LaneFacts("all", self._total), self._clock()
        for facts in self._lanes.values():
            whole.counts.update(facts.counts)
            whole.requests += facts.requests
            whole.retries += facts.retries
            whole.limit += facts.limit if facts.total or not self._total else 0.0  # idle, it lends nobody its rate
        whole.pace = _steady(sum(facts.pace.rate for facts in self._lanes.values()), now)
        whole.traffic = _steady(sum(facts.traffic.rate for facts in self._lanes.values()), now)
        return whole

    def _eta(self, whole: LaneFacts) -> float | None:
        """Return the slowest lane's, or that of what is left at the present pace: a ramp keeps some lanes idle."""
        etas = [facts.eta(self._clock()) for facts in self._lanes.values()]
        known = [eta for eta in etas if eta is not None]
        if not known or len(known) < len(etas):
            return None
        return max(*known, whole.eta(self._clock()) or 0.0)


def _steady(rate: float, now: float) -> Pace:
    """Return the pace that has had ``rate`` for a second."""
    return Pace(deque([(now - 1, 0.0), (now, rate)]))


def eta_text(seconds: float | None) -> str:
    """``38s``, ``done``, or ``?`` where nobody knows."""
    return "?" if seconds is None else duration(seconds) if seconds > 0 else "done"


def cut(text: str, room: int | None) -> str:
    """``text``, cut with three dots where it is longer than ``room``; ASCII, as not every terminal has more."""
    if room is None or len(text) <= room:
        return text
    return text[: max(0, room - 3)] + "..."[: max(0, room)]


def duration(seconds: float) -> str:
    """``38s``, ``2m05s`` or ``3h07m``: two units at most."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def counts_text(counts: Counter[State]) -> str:
    """``detached 118, failed 2``: what occurred, in the order of the states."""
    return ", ".join(f"{state} {counts[state]}" for state in State if counts[state] > 0)
