"""What a saved check demands of a run: the same world, in time, as it was seen, and once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from runner import providers
from runner.errors import BlockedError
from runner.model import Skipped, State
from runner.records import Settled
from runner.saved.form import seconds_of
from runner.snapshot import differences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.begin import Options
    from runner.config import Account
    from runner.history import History
    from runner.ledger import Ledger
    from runner.plan import Plan
    from runner.policy import Guards
    from runner.records import ItemRecord
    from runner.saved.form import SavedItem
    from runner.saved.reading import SavedCheck

_SHOWN = 20
_CLOCKS_DIFFER = 300.0
"""Seconds that the clocks of two machines may be apart."""

Census: TypeAlias = "Mapping[tuple[str, str | None], int]"


def admit(plan: Plan, accounts: Mapping[str, Account], history: History, options: Options, now: float) -> None:
    """Raise BlockedError when a plan from a saved check may not be run any more, or not here.

    A rehearsal asks nothing real, and may be had of any check as often as one likes.
    """
    check = plan.approved
    if check is None or options.sandbox:
        return
    if check.sandbox:
        raise BlockedError(f"{check.path} was saved by a rehearsal; it can be run with --sandbox only")
    if user := history.user_of(check.sha256):
        raise BlockedError(f"{check.path} was already run, as run {user}; check the plan again and save that")
    if stale := _stale(plan.guards, check.checked_at, now):
        raise BlockedError(f"{check.path} {stale}")
    for name, home in check.homes.items():
        if home != (accounts[name].base_url, accounts[name].org_handle):
            raise BlockedError(
                f"{check.path} was saved when account {name} was at {_shown(home)}; check the plan again"
            )


class Approval(Struct, frozen=True):
    """Holds a run to its saved check; a rehearsal has made-up ids, so only what is attached counts there."""

    check: SavedCheck
    guards: Guards
    rehearsal: bool

    def leave_alone(self, ledger: Ledger, run_id: str, now: float) -> None:
        """Skip what the check had skipped, for the same reasons."""
        settled = [
            Settled(item.id, Skipped(saved.reason), now)  # type: ignore[arg-type] # as the ledger had it
            for saved, item in self._pairs(ledger.history, run_id)
            if saved.outcome == "skipped" and item.state is State.PLANNED
        ]
        ledger.record((), settled)

    def objections(self, history: History, run_id: str, census: Census, now: float) -> list[str]:
        """Return why the run may not begin: all that is not as the check saw it; nothing once it has begun."""
        if history.has_sent(run_id):
            return []
        stale = None if self.rehearsal else _stale(self.guards, seconds_of(self.check.head.checked_at), now)
        found = [f"the saved check {stale}"] if stale else []
        found += [] if self.rehearsal else self._newcomers(census)
        drifted = list(filter(None, (self._drift(*pair) for pair in self._pairs(history, run_id))))
        found += drifted[:_SHOWN]
        return [*found, f"{len(drifted) - _SHOWN} more numbers have drifted"] if len(drifted) > _SHOWN else found

    def use(self, ledger: Ledger, run_id: str) -> str | None:
        """Use the check up, durably, before the first detach; return why that may not be."""
        user = None if self.rehearsal else ledger.use(self.check.sha256, run_id)
        return f"the saved check was run meanwhile, as run {user}" if user else None

    def _pairs(self, history: History, run_id: str) -> Iterator[tuple[SavedItem, ItemRecord]]:
        return zip(self.check.items(), history.items(run_id), strict=True)

    def _newcomers(self, census: Census) -> Iterator[str]:
        """Yield the targets of which all was to go, and that have another number of numbers now."""
        for place in self.check.head.groups:
            now = census.get((place.account, place.target))
            if place.all and None not in (place.attached, now) and now != place.attached:
                where = f"{place.account}/{place.target}" if place.target else place.account
                yield f"{where} has {now} numbers, and had {place.attached} when the check was saved; check it again"

    def _drift(self, saved: SavedItem, item: ItemRecord) -> str | None:
        """Say how an item is another than it was, None where it is not; one in a call is as it was, and left alone."""
        where = f"{item.number} at {item.target}" if item.target else item.number
        attached = (item.state is State.PLANNED and item.seen_attached) or item.reason == "in_call"
        match saved.outcome:
            case "would_detach" | "would_move" if not attached:
                return f"{where} was attached when the check was saved, and is {_now(item)}"
            case "already_detached" if attached:
                return f"{where} was not attached when the check was saved, and is now"
            case "already_moved" if attached:
                return f"{where} was where it should go when the check was saved, and is not now"
            case "would_detach" | "would_move" if not self.rehearsal and (changed := self._changed(saved, item)):
                return f"{where} is not as the check saw it: {', '.join(changed)}"
        return None

    def _changed(self, saved: SavedItem, item: ItemRecord) -> list[str]:
        spec = _spec(self.check.head.groups[saved.group].provider)
        return differences(spec, saved.before or {}, item.before or {})


_spec = cache(providers.load)


def _stale(guards: Guards, checked_at: float, now: float) -> str | None:
    """Say why a check is too old by ``guards.max_check_age``, or from the future; None when it is neither."""
    age = now - checked_at
    if guards.max_check_age is None or -_CLOCKS_DIFFER <= age <= guards.max_check_age:
        return None
    if age < 0:
        return "was saved in the future, by this machine's clock; set the clock"
    return f"is {age:.0f} s old, and guards.max_check_age is {guards.max_check_age:g} s; check the plan again"


def _now(item: ItemRecord) -> str:
    if item.state is State.SKIPPED:
        return f"{(item.reason or 'left alone').replace('_', ' ')} now"
    if item.state is State.ALREADY_MOVED:
        return "where it should go now"
    return "not any more" if item.state is State.ALREADY_DETACHED else "not seen so now"


def _shown(home: tuple[str, str | None]) -> str:
    return home[0] if home[1] is None else f"{home[0]} of {home[1]}"
