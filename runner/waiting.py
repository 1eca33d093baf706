"""Items that wait for a look to see them, and which of a lane's groups are looked at together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.history import Standing, Target


class Waiting:
    """Items by target and number; a number that stands in two groups of a target stands for two items."""

    def __init__(self) -> None:
        self._at: dict[str | None, dict[str, tuple[Standing, ...]]] = {}

    def __len__(self) -> int:
        """How many items wait."""
        return sum(len(standings) for numbers in self._at.values() for standings in numbers.values())

    def add(self, target: str | None, standing: Standing) -> None:
        """Let an item wait."""
        numbers = self._at.setdefault(target, {})
        numbers[standing.number] = (*numbers.get(standing.number, ()), standing)

    def at(self, target: str | None, number: str) -> tuple[Standing, ...]:
        """Return the items that a number stands for; none when it does not wait."""
        return self._at.get(target, {}).get(number, ())

    def pop(self, target: str | None, number: str) -> tuple[Standing, ...]:
        """Return the same; they wait no longer."""
        numbers = self._at.get(target, {})
        found = numbers.pop(number, ())
        if not numbers:
            self._at.pop(target, None)
        return found

    def at_target(self, target: str | None) -> list[Standing]:
        """Return all items that wait at a target."""
        return [standing for standings in self._at.get(target, {}).values() for standing in standings]

    def wanted(self, targets: Iterable[str | None] | None = None) -> dict[str | None, list[str]]:
        """Return the numbers that wait, by target: at all of them, or at some."""
        chosen = self._at.keys() if targets is None else dict.fromkeys(targets)
        return {target: list(self._at[target]) for target in chosen if target in self._at}


def surveys(targets: Iterable[Target], *, everywhere: bool) -> list[list[Target]]:
    """Return a lane's groups as they are looked at together: those of a target, so that no more is held in memory.

    Where a detach takes a number off ``everywhere``, the account has one list that shows all targets: one survey.
    """
    together: dict[str | None, list[Target]] = {}
    for each in targets:
        together.setdefault(None if everywhere else each.target, []).append(each)
    return list(together.values())
