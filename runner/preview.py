"""What a run would do now: numbers by target, requests, and how long that takes at the accounts' rates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.goal import DETACH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.goal import Goal
    from runner.providers import Reversal
    from runner.records import Removal


@dataclass(frozen=True, slots=True)
class TargetPreview:
    """One target: how many numbers would be sent, need nothing, or are left alone and why.

    ``attached`` is how many hang there, those of the plan and all others, where that was counted.
    """

    account: str
    target: str | None
    to_send: int
    already: int
    protected: int
    elsewhere: int
    excluded: int
    attached: int | None
    goal: Goal = DETACH
    moved_to: tuple[str, ...] = ()
    """Where its numbers are moved to, where they are."""
    lacking: int = 0
    """In a rollback: how many cannot be put back as things stand."""
    in_call: int = 0
    unsettled: int = 0
    """How many are elsewhere, at a target that is not found, or could not be looked at: each forbids the run."""
    adrift: int = 0
    """In a move: how many of those to send an earlier process left attached to nothing."""

    @property
    def leaving(self) -> int:
        """How many numbers the target loses."""
        return self.to_send - self.adrift

    @property
    def place(self) -> str:
        """Account and target as one word, as ``--only`` takes it."""
        return f"{self.account}/{self.target}" if self.target else self.account

    @property
    def numbers(self) -> int:
        """How many numbers of the plan it has."""
        alone = self.protected + self.elsewhere + self.excluded + self.in_call
        return self.to_send + self.already + alone + self.lacking + self.unsettled

    def words(self) -> str:
        """Return what would happen to its numbers, without how many that are: ``to detach of 116 attached (99 %)``."""
        share = f" of {self.attached} attached" if self.attached is not None else ""
        if self.attached and self.leaving:
            share += f" ({_percent(self.leaving, self.attached)} %)"
        to = f" to {', '.join(self.moved_to)}" if self.moved_to else ""
        others = {
            "of them without a place": self.adrift,
            str(self.goal.already).replace("_", " "): self.already,
            "protected": self.protected,
            "attached elsewhere" if not self.moved_to else "not here": self.elsewhere,
            "excluded": self.excluded,
            "in a call": self.in_call,
            "that cannot be put back": self.lacking,
            "not settled": self.unsettled,
        }
        return ", ".join(
            [f"to {self.goal.verb}{to}{share}", *(f"{count} {what}" for what, count in others.items() if count)]
        )


@dataclass(frozen=True, slots=True)
class LanePreview:
    """One lane: numbers to send and about how many requests they take in all, which lasts ``seconds`` at ``rate``.

    Where the rate is ``adaptive`` that is the present one, which hardly anything has tried yet.
    """

    account: str
    to_send: int
    requests: int
    seconds: float
    rate: float
    adaptive: bool
    token_left: float | None
    """Seconds that the account's token still lasts, where that is known."""
    reversals: Mapping[Reversal, int] = field(default_factory=dict)
    """How many of its numbers can be put back, and how."""
    calls: str | None = None
    """How many of its numbers are in a call, in words; null where nobody asked."""

    def sentence(self) -> str:
        """Return the estimate in words, and how long the token lasts."""
        pace = f"{roughly(self.seconds)} at {round(self.rate, 2):g}/s" + (
            ", where rate: auto begins" if self.adaptive else ""
        )
        token = f"; the token lasts {roughly(self.token_left)}" if self.token_left and self.token_left > 0 else ""
        return f"about {self.requests} requests, {pace}{token}"

    def reversible(self) -> str | None:
        """Return in words how many of its numbers a rollback puts back, and how; None where there are none."""
        words = {"exact": "exactly as before", "new_ids": "with new ids", "none": "not at all"}
        counts: Counter[str] = Counter()
        for reversal, count in self.reversals.items():
            lacks = f" (missing: {', '.join(reversal.missing)})" if reversal.missing else ""
            counts[words[reversal.how] + lacks] += count
        return ", ".join(f"{count} {how}" for how, count in counts.items()) or None

    def expiry_warning(self) -> str | None:
        """Return a warning when the token ends before the run does."""
        left = self.token_left
        if left is None or not self.to_send or left >= self.seconds:
            return None
        when = f"ends in {left:.0f} s" if left > 0 else "has already ended"
        needs = f"{'may need' if self.adaptive else 'needs about'} {self.seconds:.0f} s"
        return f"{self.account}: the token {when}, and the run {needs}; get one that lasts longer"


@dataclass(frozen=True, slots=True)
class Preview:
    """What the pre-check says of the whole run; ``blocks`` forbid it, ``warnings`` do not.

    ``plan`` is the plan's name, ``batches`` how many steps its ramp has.
    """

    plan: str
    batches: int
    targets: tuple[TargetPreview, ...]
    lanes: tuple[LanePreview, ...]
    blocks: tuple[str, ...]
    warnings: tuple[str, ...]
    drift: Mapping[str, int] = field(default_factory=dict)
    """How many numbers are not as the plan says, nor just detached already, by what they are instead."""
    goal: Goal = DETACH
    removals: tuple[Removal, ...] = ()
    """What is deleted in the end if nothing is left on it."""
    unconfirmed: tuple[Removal, ...] = ()
    """Those of them that nobody has confirmed yet."""

    @property
    def to_send(self) -> int:
        """How many numbers something would be sent for."""
        return sum(target.to_send for target in self.targets)

    @property
    def to_detach(self) -> int:
        """How many numbers would be detached: none in a rollback."""
        return 0 if self.goal.attached else self.to_send

    @property
    def seconds(self) -> float:
        """About how long it takes: lanes work side by side, but the steps of a ramp mostly have one lane each."""
        each = [lane.seconds for lane in self.lanes]
        return sum(each) if self.batches > 1 else max(each, default=0.0)

    def sentence(self) -> str:
        """Return what would be done, in all."""
        planned = sum(target.numbers for target in self.targets)
        ramp = f", in {self.batches} batches" if self.batches > 1 else ""
        return f"{self.plan}: {self.to_send} of {planned} numbers to {self.goal.verb}, {roughly(self.seconds)}{ramp}"

    def drifted(self) -> str | None:
        """Return how the world differs from the plan, None where it does not."""
        found = ", ".join(f"{count} {what}" for what, count in sorted(self.drift.items()))
        return f"drift: {sum(self.drift.values())} not as the plan says: {found}" if found else None


def roughly(seconds: float) -> str:
    """``about 40 s``, ``about 12 min``, ``about 3 h``."""
    minute, hour = 60, 3600
    for unit, length in (("h", hour), ("min", minute)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.0f} {unit}"
    return f"about {seconds:.0f} s"


def _percent(part: int, whole: int) -> str:
    """Return a share; all of it is 100, and nothing less is."""
    return "100" if part == whole else f"{min(99.9, part * 100 / whole):.3g}"
