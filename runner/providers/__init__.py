"""What a provider must be able to do, and finding the installed ones by name.

A provider is a module that has ``SPEC``, registered under the entry point group ``teardown.providers``. It looks in
bulk (`survey`), finds what a survey did not see (`trace`), looks at one number (`look`) and detaches one (`detach`).
One that can put numbers back says so in `Reattaching`. Nothing here repeats a request or waits: the lane does that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, TypeVar

from runner.errors import InputError, UnexpectedAnswer
from runner.providers.reattaching import (
    REATTACH,
    Attacher,
    Before,
    Moving,
    Reattaching,
    Reversal,
    Surroundings,
    given,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping

    from runner.config import Account
    from runner.model import Seen
    from runner.providers.calls import Busy
    from runner.providers.removing import Removing
    from runner.transport import Reply

__all__ = ["REATTACH", "Attacher", "Before", "Moving", "Reattaching", "Reversal", "Surroundings", "given"]

T = TypeVar("T")

GROUP = "teardown.providers"
_NO_DIGITS = re.compile("[^0-9]+")

Wanted: TypeAlias = "Mapping[str | None, Collection[str] | None]"
"""The numbers to look at by target; None in place of numbers means every number that is attached there."""


class NumberSeen(NamedTuple):
    """A look saw what ``number`` is, as far as ``target`` is concerned.

    ``traced`` is false when the rest of the account was not searched, so that it may be attached elsewhere.
    """

    target: str | None
    number: str
    seen: Seen
    traced: bool = True


class TargetSeen(NamedTuple):
    """A survey has seen all of ``target``: so many numbers are ``attached`` to it; null when it does not exist."""

    target: str | None
    attached: int | None


Sight = NumberSeen | TargetSeen


@dataclass(frozen=True, slots=True)
class Holding:
    """A number as the account's own lists show it: at which target (null: at none, or at one without a name).

    ``number`` is as the provider spells it where that is no number at all. ``title`` is what the target is called,
    ``remarks`` are words of the provider about the number; both may hold anything.
    """

    number: str
    target: str | None
    attached: bool
    title: str = ""
    remarks: tuple[str, ...] = ()


class Reads(Protocol):
    """The reads that a provider makes, paced and authorised; raises RequestError.

    ``parse`` turns an answer into what was asked for, and raises UnexpectedAnswer when it cannot: whoever repeats a
    read that failed repeats one that made no sense as well.
    """

    async def get(self, path: str, parse: Callable[[Reply], T], query: Mapping[str, str | int] | None = None) -> T:
        """Read a percent-encoded path below the account's base URL."""


class Http(Reads, Protocol):
    """Reads, and requests that change something."""

    async def post(self, path: str, parse: Callable[[Reply], T], body: Mapping[str, Any]) -> T:
        """Post JSON to a path below the account's base URL."""

    async def delete(self, path: str, parse: Callable[[Reply], T]) -> T:
        """Delete what is at a path below the account's base URL."""


class Reader(Protocol):
    """The looks; it has no way to change anything."""

    def survey(self, wanted: Wanted, *, census: bool | None) -> AsyncIterator[Sight]:
        """Look at many numbers in as few requests as possible; sights come in any order.

        A number that no NumberSeen names was not seen, which is no evidence that it is gone. With ``census`` there is
        a TargetSeen for every target, and when that is None for those that a look at the numbers counts anyway; without
        it only for those that do not exist. Raises RequestError.
        """

    def trace(self, missing: Mapping[str | None, Collection[str]]) -> AsyncIterator[NumberSeen]:
        """Find each number that is ``missing`` at its target: elsewhere, or gone with the reason where there is one.

        Raises RequestError.
        """

    async def look(self, target: str | None, number: str) -> Seen:
        """Look at one number now. Raises RequestError."""


class Lister(Protocol):
    """What shows all that an account has; a provider may lack it."""

    def inventory(self, targets: Collection[str]) -> AsyncIterator[Holding]:
        """Show all numbers of the account, attached or not; those at ``targets`` alone where that saves requests.

        A number that is attached to one of ``targets`` is shown there. Raises RequestError, also for a target that does
        not exist, and for a list that shows less than it says.
        """


class Detacher(Reader, Protocol):
    """A reader that can detach as well; only a run that was confirmed holds one."""

    async def detach(self, target: str | None, number: str) -> None:
        """Return after the documented success with an agreeing body. Raises RequestError for everything else."""


@dataclass(frozen=True, slots=True)
class Spec:
    """One provider: its name, what a target of it is called in a plan, and how to talk to it."""

    name: str
    title: str
    target_key: str
    root: str
    abilities: tuple[str, ...]
    reader: Callable[[Reads], Reader]
    detacher: Callable[[Http], Detacher]
    authorize: Callable[[Account, str], Mapping[str, str]]
    """The headers of every request, from the account and a token that is good now."""
    everywhere: bool = False
    """Whether a detach takes a number off all targets of its account at once."""
    counts: bool = False
    """Whether a survey sees all of a target anyway, so that a census costs nothing."""
    lister: Callable[[Reads], Lister] | None = None
    reattaching: Reattaching | None = None
    """How it puts numbers back; null where it cannot."""
    removing: Removing | None = None
    """How it deletes what numbers were attached to; null where it cannot."""
    calls: Callable[[Reads, float], Awaitable[Busy]] | None = None
    """Reads who is in a call, at a moment in seconds since the epoch; null where its API does not show that."""

    def reversal(self, before: Before) -> Reversal:
        """Return whether a number can be put back."""
        if self.reattaching is None:
            return Reversal("none", (f"{self.title} cannot attach numbers",))
        return self.reattaching.reversal(before)

    def base_url(self, account: Account) -> str:
        """Return where the account's paths begin, whether or not its ``base_url`` names the root already."""
        return account.base_url.removesuffix(self.root) + self.root


def installed() -> dict[str, Spec]:
    """Return every installed provider by name."""
    return {entry.name: entry.load().SPEC for entry in sorted(_entries(), key=lambda each: each.name)}


def load(name: str) -> Spec:
    """Return the provider called ``name``; InputError when none is installed."""
    for entry in _entries().select(name=name):
        spec: Spec = entry.load().SPEC
        return spec
    known = ", ".join(sorted(entry.name for entry in _entries()))
    raise InputError(f"there is no provider {name!r}; installed are: {known}")


@cache
def _entries() -> EntryPoints:
    """Return what is installed under the group: finding that means a look into every package there is."""
    return entry_points(group=GROUP)


def canonical(number: object) -> str | None:
    """Return a provider's spelling of a number as E.164, or None when it is no number."""
    if not isinstance(number, str):
        return None
    if number[:1] == "+" and number.isascii() and number[1:].isdigit():
        return number  # as nearly all are spelled
    digits = _NO_DIGITS.sub("", number)
    return "+" + digits if digits else None


def expect(body: Any, kind: type, *path: str) -> Any:
    """Return what stands at ``path`` in ``body``; UnexpectedAnswer when it is missing or not of ``kind``."""
    value = body
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, kind):
        where = ".".join(path) or "body"
        raise UnexpectedAnswer(f"the answer has no {where} as documented", code="bad_answer")
    return value
