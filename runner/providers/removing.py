"""What a provider needs to delete what numbers were attached to, once nothing is left on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from runner.providers import Before, Http


class Thing(NamedTuple):
    """Something that numbers are attached to and that can be deleted: of which ``kind``, in words, and its id."""

    kind: str
    id: str


class Remover(Protocol):
    """Looks at things and deletes them; only a run that was confirmed holds one."""

    async def left(self, thing: Thing, ours: Container[str]) -> list[str] | None:
        """Return what is left on a thing as a look sees it now; None when the thing does not exist.

        Every number counts that is attached to it, and every other row that it has, but for rows of ``ours``: numbers
        that were seen gone. Raises RequestError.
        """
        ...

    async def remove(self, thing: Thing) -> None:
        """Return after the documented success. Raises RequestError for everything else."""
        ...


@dataclass(frozen=True, slots=True)
class Removing:
    """How things are deleted."""

    remover: Callable[[Http], Remover]
    named: Callable[[str | None, Before | None], Iterable[Thing]]
    """What a number hung on: by its target in the plan, and by what was seen of it, if anything was."""
