"""A plan as values: which numbers to detach from which targets, under which rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.errors import Problem
    from runner.policy import Guards, Window


@dataclass(frozen=True, slots=True)
class Group:
    """Numbers at one target of one account; ``target`` is null at a provider that needs none."""

    account: str
    provider: str
    target: str | None
    numbers: Sequence[str] | None
    """In the order of the plan; null for ``all``: whatever is attached when the pre-check looks."""
    notes: dict[str, str]
    """Number to note, for those that have one of their own."""
    if_missing: bool
    """Whether the target may be gone already."""
    reattach: dict[str, Any]
    """What a rollback needs and the provider does not show."""
    place: str
    """Where the group stands, as ``file:line:column``."""
    reassign: dict[str, Any] = field(default_factory=dict)
    """Where the numbers are moved to, as flat settings; empty where they are detached."""
    note: str | None = None
    """The group's own note, on all of its numbers that have none."""


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

    @property
    def moves(self) -> bool:
        """Whether it moves its numbers instead of detaching them."""
        return any(group.reassign for group in self.groups)

    @property
    def listed(self) -> int:
        """How many numbers the plan lists by name; those behind ``all`` are not known yet."""
        return sum(len(group.numbers or ()) for group in self.groups)
