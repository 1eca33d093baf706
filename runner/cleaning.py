"""The end of a run that asks for it: delete what its numbers were attached to, if nothing is left on it.

Nothing is deleted that a look has not just shown to be empty, and the mark is on the disk before the request leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from runner.clearing import Clearing, key_of
from runner.decide import Case
from runner.deleting import Deletion, Kept
from runner.model import OPEN, AlreadyDetached, Detached, Pending, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runner.clearing import Stand
    from runner.journal import Journal
    from runner.lanes import Lane
    from runner.log import Log
    from runner.model import Outcome
    from runner.providers.removing import Remover
    from runner.records import KeptReason, Removal

_AT_ONCE = 100
"""So many things are deleted before the account's numbers are listed again."""
_NAMED = 3
_DONE = ("deleted", "already_deleted")
_LEFT_OUT = ("not_confirmed", "dry_run")


class Cleaning(Struct, frozen=True):
    """What the groups at these ``places`` of a run's plan want deleted; ``clock`` gives seconds since the epoch."""

    journal: Journal
    log: Log
    clock: Callable[[], float]
    clearing: Clearing
    places: frozenset[int]

    async def ahead(self) -> tuple[list[Removal], list[Removal]]:
        """Return what is still to be deleted, once the pre-check has looked, and what of that nobody has confirmed."""
        if not self.places:
            return [], []
        recorded = {key_of(each): each for each in await self._recorded()}
        wanted = await self.journal.call(self.clearing.wanted, self.places)
        fresh = [each for each in wanted if key_of(each) not in recorded]
        declined = [each for each in recorded.values() if each.reason in _LEFT_OUT]
        decided = [each for each in recorded.values() if each.state not in _DONE and each.reason not in _LEFT_OUT]
        return [*fresh, *declined, *decided], [*fresh, *declined]

    async def leave_out(self, removals: Iterable[Removal], reason: KeptReason) -> None:
        """Record that these are kept, whatever becomes of their numbers."""
        await self._plan(each._replace(state="kept", reason=reason) for each in removals)

    async def confirm(self, removals: Iterable[Removal]) -> None:
        """Record that these may be deleted: a resume does not ask again."""
        await self._plan(each._replace(state="planned", reason=None) for each in removals)

    async def may_begin(self) -> bool:
        """Whether there is something to delete, and no number of the run is open."""
        if not self.places or not any(self._to_do(each) for each in await self._recorded()):
            return False
        tabs = await self.journal.call(self.journal.ledger.history.tabs, self.journal.run_id)
        return not any(tab.state in OPEN for tab in tabs)

    async def run(self, lane: Lane) -> None:
        """Delete what is empty, and say of the rest why it is kept; a lane that stops leaves the others planned."""
        ahead = [each for each in await self._recorded() if each.account == lane.account and self._to_do(each)]
        stands = await self.journal.call(self.clearing.stands, ahead)
        for begin in range(0, len(ahead), _AT_ONCE):
            assert lane.spec.removing is not None  # noqa: S101 - or nothing would be wanted here
            remover = lane.spec.removing.remover(lane.channel)
            for each in ahead[begin : begin + _AT_ONCE]:
                if lane.stopped:
                    return
                await self._settle(lane, await self._decided(lane, remover, each, stands[key_of(each)]))

    async def _decided(self, lane: Lane, remover: Remover, removal: Removal, stand: Stand) -> Removal:
        why, marked = stand.why_kept(), removal.state in ("in_flight", "unknown")
        if why and not marked:
            return self._became(lane, removal, Kept(why), 0)

        async def mark() -> None:
            await self.journal.call(self.journal.ledger.mark_removal, self.journal.run_id, removal)

        thing = key_of(removal)[1]
        deletion = Deletion(lane, remover, thing, stand.ours, why, mark)
        return self._became(lane, removal, await deletion.run(Case(doubt=marked, lost=marked)), deletion.sent)

    def _became(self, lane: Lane, removal: Removal, outcome: Outcome | Kept, sent: int) -> Removal:
        now = removal._replace(
            state="kept",
            confirmed_by=None,
            reason=None,
            note=None,
            fault=getattr(outcome, "fault", None),
            attempts=removal.attempts + sent,
            finished_at=self.clock(),
        )
        match outcome:
            case Kept(reason=reason, left=left):
                return now._replace(reason=reason, note=_left_in_words(left))
            case Detached(confirmed_by=how):
                return now._replace(state="deleted", confirmed_by=how)
            case AlreadyDetached():
                return now._replace(state="already_deleted")
            case Unknown():
                return now._replace(state="unknown")
            case Pending() if lane.stopped:
                return now._replace(state="planned", fault=None, finished_at=None)
            case _:
                return now

    async def _settle(self, lane: Lane, removal: Removal) -> None:
        await self.journal.call(self.journal.ledger.settle_removal, self.journal.run_id, removal)
        fault = removal.fault
        record = self.log.warning if fault else self.log.info
        record(
            "target.finished",
            account=lane.account,
            provider=lane.spec.name,
            target=removal.thing,
            kind=removal.kind,
            outcome=removal.state,
            reason=removal.reason,
            attempt=removal.attempts or None,
            error=fault.message if fault else removal.note,
            http_status=fault.http_status if fault else None,
        )

    async def _recorded(self) -> list[Removal]:
        return await self.journal.call(self.journal.ledger.history.removals, self.journal.run_id)

    async def _plan(self, removals: Iterable[Removal]) -> None:
        if planned := list(removals):
            await self.journal.call(self.journal.ledger.plan_removals, self.journal.run_id, planned)

    @staticmethod
    def _to_do(removal: Removal) -> bool:
        return removal.state not in _DONE and removal.reason not in _LEFT_OUT


def _left_in_words(left: list[str]) -> str | None:
    if not left:
        return None
    more = f" and {len(left) - _NAMED} more" if left[_NAMED:] else ""
    return f"{len(left)} left on it: {', '.join(left[:_NAMED])}{more}"
