"""What a provider needs to put numbers back: what it keeps of them, what it can say beforehand, and how it attaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence

    from runner.providers import Http, Reads

Before: TypeAlias = "Mapping[str, Any]"
"""What the ledger keeps of a number that was attached: where it hung, and what putting it back needs."""
REATTACH = "reattach"
"""The key of a `Before` under which stands what the user said of it: that counts before what was seen."""


class Attacher(Protocol):
    """Puts numbers back; only a rollback that was confirmed holds one."""

    async def attach(self, numbers: Sequence[str], before: Before) -> int:
        """Put back all of the numbers, which hung together, or none; several only where there is a `bundle`.

        Returns the status of the documented success with an agreeing body. Raises RequestError for everything else.
        """
        ...


class Reversal(NamedTuple):
    """Whether a number can be put back: as it was, on something new that is alike, or not at all.

    ``missing`` names what stands in the way: keys of `Reattaching.keys`, or sentences.
    """

    how: Literal["exact", "new_ids", "none"]
    missing: tuple[str, ...] = ()


class Surroundings(Protocol):
    """What one reading of an account's lists tells about its numbers."""

    def of(self, number: str, before: Before) -> Mapping[str, object]:
        """Return what else a rollback of the number needs; what could not be read is null, and never empty."""
        ...


async def no_surroundings(_reads: Reads) -> Surroundings:
    """Read nothing: the looks tell all that there is."""
    return _Nothing()


class _Nothing:
    def of(self, _number: str, _before: Before) -> Mapping[str, object]:
        return {}


@dataclass(frozen=True, slots=True)
class Moving:
    """Where numbers are moved to: what a plan has under ``reassign``, as a `Before` of a number that hangs there."""

    destination: Callable[[Mapping[str, Any], Before], Before]
    """From what the plan says and what was seen of a number, which counts where the plan is silent."""
    lacks: Callable[[Before], tuple[str, ...]]
    """What is missing of a destination."""
    target: Callable[[Before], str | None]
    """What a look asks for; null where that may have any id."""


@dataclass(frozen=True, slots=True)
class Reattaching:
    """How numbers are put back, and where to they can be moved."""

    attacher: Callable[[Http], Attacher]
    reversal: Callable[[Before], Reversal]
    """What can be said beforehand, without asking the provider."""
    elsewhere: Callable[[Before, Before], str | None]
    """Where a number hangs, whose look is the second, unless that is as the first says; then None.

    Raises UnexpectedAnswer when the look does not show enough to tell.
    """
    keys: frozenset[str]
    """What ``reattach:`` in a plan and ``--reattach`` may give."""
    bundle: Callable[[Before], Hashable | None] = lambda _: None
    """What numbers have in common that must be put back in one request; None for one that goes alone."""
    surroundings: Callable[[Reads], Awaitable[Surroundings]] = no_surroundings
    around: frozenset[str] = frozenset()
    """The keys of what `surroundings` tells of others than the number itself: they may change while it does not."""
    moving: Moving | None = None
    """Null where numbers cannot be moved."""


def given(before: Before, key: str) -> Any:
    """Return what is known under ``key``: what the user said, else what was seen; None when nothing is."""
    said = before.get(REATTACH) or {}
    return said.get(key, before.get(key))
