"""A plan as values: which numbers to detach from which targets, under which rules."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.e164 import NumberList

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from runner.errors import Problem
    from runner.policy import Guards, Window


class Notes(Mapping[str, str]):
    """Numbers and what a plan says of each, in columns: a third of the memory of a dict, which reading one makes."""

    def __init__(self) -> None:
        self._digits, self._texts = array("Q"), list[str]()
        self._known: dict[str, str] = {}

    def add(self, number: str, text: str) -> None:
        """Add the note of a number."""
        self._digits.append(int(number))
        self._texts.append(text)

    def __getitem__(self, number: str) -> str:
        if len(self._known) < len(self):
            self._known = dict(zip(self, self._texts, strict=True))
        return self._known[number]

    def __iter__(self) -> Iterator[str]:
        return iter(NumberList(self._digits))

    def __len__(self) -> int:
        return len(self._digits)


@dataclass(frozen=True, slots=True)
class Group:
    """Numbers at one target of one account; ``target`` is null at a provider that needs none."""

    account: str
    provider: str
    target: str | None
    numbers: Sequence[str] | None
    """In the order of the plan; null for ``all``: whatever is attached when the pre-check looks."""
    notes: Mapping[str, str]
    """Number to note, for those that have one of their own."""
    if_missing: bool
    """Whether the target may be gone already."""
    reattach: dict[str, Any]
    """What a rollback needs and the provider does not show."""
    place: str
    """Where the group stands, as ``file:line:column``."""
    delete_target: bool = False
    """Whether what its numbers were attached to is deleted once nothing is left on it."""
    reassign: dict[str, Any] = field(default_factory=dict)
    """Where the numbers are moved to, as flat settings; empty where they are detached."""
    note: str | None = None
    """The group's own note, on all of its numbers that have none."""


@dataclass(frozen=True, slots=True)
class Approved:
    """The saved check that a plan comes from; ``checked_at`` is in seconds since the epoch."""

    path: Path
    sha256: str
    checked_at: float
    sandbox: bool
    """Whether it was saved by a rehearsal."""
    homes: Mapping[str, tuple[str, str | None]]
    """Address and organisation of each account, as it was asked."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a plan file says; every number in it is E.164 and stands once at its target."""

    name: str
    description: str | None
    metadata: dict[str, Any]
    path: str
    sha256: str
    """Of the file's bytes, followed by the SHA-256 digest of each file of numbers that it names."""
    text: str
    """The plan file as it stands."""
    guards: Guards
    window: Window | None
    groups: tuple[Group, ...]
    warnings: tuple[Problem, ...]
    approved: Approved | None = None

    @property
    def moves(self) -> bool:
        """Whether it moves its numbers instead of detaching them."""
        return any(group.reassign for group in self.groups)

    @property
    def listed(self) -> int:
        """How many numbers the plan lists by name; those behind ``all`` are not known yet."""
        return sum(len(group.numbers or ()) for group in self.groups)
