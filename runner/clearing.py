"""Which bridges and gateways a run is to delete, and whether its own numbers allow for that. Reads, sends nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.history import SHIFT
from runner.model import State
from runner.providers.removing import Thing
from runner.records import Removal

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from runner.history import History
    from runner.providers import Before
    from runner.providers.removing import Removing
    from runner.records import ItemRecord, KeptReason

_LEFT = frozenset({State.DETACHED, State.MOVED})
_WAS_GONE = frozenset({State.ALREADY_DETACHED, State.ALREADY_MOVED})

Key = tuple[str, Thing]
"""Account and thing."""


@dataclass(slots=True)
class Stand:
    """How the numbers of a run stand that hang, or hung, on one thing."""

    ours: set[str] = field(default_factory=set)
    """Those that were seen gone."""
    states: Counter[State] = field(default_factory=Counter)
    unverified: int = 0

    def add(self, item: ItemRecord) -> None:
        """Count one."""
        self.states[item.state] += 1
        if item.state in _WAS_GONE or (item.state in _LEFT and item.verified):
            self.ours.add(item.number)
        self.unverified += item.state in _LEFT and not item.verified

    def why_kept(self) -> KeptReason | None:
        """Return why it may not be deleted whatever a look shows; None when all were seen gone."""
        if self.states.keys() - _LEFT - _WAS_GONE:
            return "not_all_gone"
        return "not_verified" if self.unverified else None


class Clearing(Struct, frozen=True):
    """Reads one run; ``how`` says by account how things are deleted there, null where they cannot be."""

    history: History
    run_id: str
    how: Mapping[str, Removing | None]

    def wanted(self, places: Container[int]) -> list[Removal]:
        """Return what the groups at these ``places`` of the plan want deleted, as far as looks have named it."""
        chosen = {target.no for place, target in enumerate(self.history.targets(self.run_id)) if place in places}
        found: dict[Key, str] = {}
        for target in self.history.targets(self.run_id) if chosen else ():
            if target.no in chosen:
                found |= dict.fromkeys(self._named(target.account, target.target, None), target.provider)
        for item in self.history.items(self.run_id) if chosen else ():
            if item.id >> SHIFT in chosen:
                found |= dict.fromkeys(self._named(item.account, item.target, item.before), item.provider)
        return [Removal(account, provider, thing.kind, thing.id) for (account, thing), provider in found.items()]

    def stands(self, removals: Iterable[Removal]) -> dict[Key, Stand]:
        """Return how all numbers of the run stand that name one of the things, whatever group they are in."""
        found = {key_of(each): Stand() for each in removals}
        for item in self.history.items(self.run_id) if found else ():
            for key in self._named(item.account, item.target, item.before):
                if key in found:
                    found[key].add(item)
        return found

    def _named(self, account: str, target: str | None, before: Before | None) -> list[Key]:
        removing = self.how.get(account)
        return [(account, thing) for thing in removing.named(target, before)] if removing else []


def key_of(removal: Removal) -> Key:
    """Return account and thing."""
    return removal.account, Thing(removal.kind, removal.thing)
