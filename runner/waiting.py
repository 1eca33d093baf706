"""Items that wait for a look to see them, and which of a lane's groups are looked at together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.history import Standing
from runner.model import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.history import Target

_Way = tuple[State, bool, int, bool, bool]
"""How an item stands: a `Standing` without id and number."""


class Waiting:
    """Items by target and number; a number that stands in two groups of a target stands for two items.

    Each waits at one target. Hundreds of thousands may do so and nearly all of them stand alike, so how they do is kept
    once, beside their ids.
    """

    def __init__(self) -> None:
        self._at: dict[str | None, dict[str, int | tuple[int, ...]]] = {}
        self._usual: _Way = (State.PLANNED, False, 0, False, False)
        self._unusual: dict[int, _Way] = {}

    def __len__(self) -> int:
        """How many items wait."""
        return sum(len(_several(ids)) for numbers in self._at.values() for ids in numbers.values())

    def add(self, target: str | None, standing: Standing) -> None:
        """Let an item wait."""
        way: _Way = standing[2:]
        if not self._at:
            self._usual = way
        elif way != self._usual:
            self._unusual[standing.id] = way
        numbers = self._at.setdefault(target, {})
        if (first := numbers.setdefault(standing.number, standing.id)) != standing.id:
            numbers[standing.number] = (*_several(first), standing.id)

    def at(self, target: str | None, number: str) -> tuple[Standing, ...]:
        """Return the items that a number stands for; none when it does not wait."""
        ids = self._at.get(target, {}).get(number)
        return () if ids is None else self._standings(number, ids)

    def pop(self, target: str | None, number: str) -> tuple[Standing, ...]:
        """Return the same; they wait no longer."""
        found = self.at(target, number)
        self.drop(target, number)
        return found

    def drop(self, target: str | None, number: str) -> None:
        """Let the items that a number stands for wait no longer."""
        numbers = self._at.get(target, {})
        ids = numbers.pop(number, ())
        if not numbers:
            self._at.pop(target, None)
        if self._unusual:
            for item in _several(ids):
                self._unusual.pop(item, None)

    def at_target(self, target: str | None) -> list[Standing]:
        """Return all items that wait at a target."""
        found = self._at.get(target, {}).items()
        return [standing for number, kept in found for standing in self._standings(number, kept)]

    def wanted(self, targets: Iterable[str | None] | None = None) -> dict[str | None, list[str]]:
        """Return the numbers that wait, by target: at all of them, or at some."""
        chosen = self._at.keys() if targets is None else dict.fromkeys(targets)
        return {target: list(self._at[target]) for target in chosen if target in self._at}

    def _standings(self, number: str, ids: int | tuple[int, ...]) -> tuple[Standing, ...]:
        if isinstance(ids, int):
            return (self._standing(ids, number),)
        return tuple([self._standing(item, number) for item in ids])

    def _standing(self, item: int, number: str) -> Standing:
        return Standing(item, number, *self._unusual.get(item, self._usual))


def _several(ids: int | tuple[int, ...]) -> tuple[int, ...]:
    return ids if isinstance(ids, tuple) else (ids,)


def surveys(targets: Iterable[Target], *, everywhere: bool) -> list[list[Target]]:
    """Return a lane's groups as they are looked at together: those of a target, so that no more is held in memory.

    Where a detach takes a number off ``everywhere``, the account has one list that shows all targets: one survey.
    """
    together: dict[str | None, list[Target]] = {}
    for each in targets:
        together.setdefault(None if everywhere else each.target, []).append(each)
    return list(together.values())
