"""What a detach keeps of a number, so that a rollback can put it back; and what can be said about that beforehand."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runner.history import SHIFT
from runner.providers import REATTACH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.model import Attached
    from runner.providers import Before, Reads, Reversal, Spec, Surroundings
    from runner.tally import Tally

REVERSAL = "reversal"
"""The key of a `Before` under which stands what can be said about putting the number back."""


class Snapshots:
    """Completes what looks see; ``said`` is what the plan gives under ``reattach``, by the target's number.

    The account's lists are read once, when the first number is seen attached; where that fails, nothing is known of
    them, and the run goes on.
    """

    def __init__(self, spec: Spec, reads: Reads, tally: Tally, said: Mapping[int, Mapping[str, Any]]) -> None:
        self.reversals: Counter[Reversal] = Counter()
        self.requests = 0
        """How many requests those lists took."""
        self._tally = tally
        self._spec, self._reads, self._said = spec, reads, said
        self._surroundings: Surroundings | None = None

    async def of(self, item: int, number: str, seen: Attached) -> Before:
        """Return what is kept of an item that a look saw attached; the more particular word counts."""
        if not (reattaching := self._spec.reattaching):
            return seen.before
        if self._surroundings is None:
            before = self._tally.requests
            self._surroundings = await reattaching.surroundings(self._reads)
            self.requests = self._tally.requests - before
        around = self._surroundings.of(number, seen.before)
        said = {REATTACH: self._said[item >> SHIFT]} if self._said.get(item >> SHIFT) else {}
        kept: dict[str, Any] = {**seen.before, **around, **seen.details, **said}
        reversal = self._spec.reversal(kept)
        self.reversals[reversal] += 1
        kept[REVERSAL] = _told(reversal)
        return kept


def judged(spec: Spec, before: Before) -> Before:
    """Return ``before`` with what can be said about putting it back."""
    return {**before, REVERSAL: _told(spec.reversal(before))}


def differences(spec: Spec, then: Before, now: Before) -> list[str]:
    """Return what of a number itself is another thing now, where both looks show it, as words.

    Who shares its gateways and which rules name it may change while it does not.
    """
    others = (spec.reattaching.around if spec.reattaching else frozenset()) | {REVERSAL}
    different = sorted(key for key in (then.keys() & now.keys()) - others if then[key] != now[key])
    return [f"{key} was {then[key]} and is {now[key]}" for key in different]


@lru_cache(maxsize=64)
def _told(reversal: Reversal) -> Mapping[str, object]:
    """Return a verdict as JSON; there are few different ones."""
    return {"how": reversal.how, "missing": reversal.missing}
