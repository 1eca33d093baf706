"""What a display is drawn from: the facts as told, and the arithmetic of pace and patience."""

from __future__ import annotations

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

    marks: deque[tuple[float, int]] = field(default_factory=deque)

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
        return max(0, last - first) / (now - began) if now > began else 0.0


@dataclass(slots=True)
class LaneFacts:
    """What is known of one lane; ``until`` is when its wait ends, on the display's clock."""

    account: str
    total: int
    counts: Counter[State] = field(default_factory=Counter)
    pace: Pace = field(default_factory=Pace)
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
        """Seconds until the lane is done; None while that cannot be told."""
        left = self.total - self.done
        if left <= 0:
            return 0.0
        return self.wait_left(now) + left / self.pace.rate if self.pace.rate else None

    def wait_text(self, now: float) -> str:
        """Why the lane waits and how long, empty when it does not."""
        if not self.reason:
            return ""
        left = self.wait_left(now)
        return plain(f"waits: {self.reason}") + (f" {duration(left)}" if left else "")


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
            if not facts.reason:
                facts.pace.mark(now, facts.done)

    @property
    def _done(self) -> int:
        return sum(facts.done for facts in self._lanes.values())

    def _counts(self) -> str:
        total: Counter[State] = Counter()
        for facts in self._lanes.values():
            total.update(facts.counts)
        return counts_text(total)

    def _rate(self) -> float:
        return sum(facts.pace.rate for facts in self._lanes.values())

    def _eta(self) -> str:
        """Return the slowest lane's; unknown as long as one lane's is."""
        etas = [facts.eta(self._clock()) for facts in self._lanes.values()]
        known = [eta for eta in etas if eta is not None]
        return duration(max(known)) if known and len(known) == len(etas) else "?"


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
