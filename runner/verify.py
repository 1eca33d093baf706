"""Look again in bulk: done means seen gone."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from runner.errors import RequestError
from runner.ledger import Settled
from runner.model import Attached, Failed, Fault, Gone, State
from runner.precheck import gone_after_attempt
from runner.providers import NumberSeen, TargetSeen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from runner.history import Standing, Target
    from runner.journal import Journal
    from runner.lanes import Lane
    from runner.model import Outcome, Seen
    from runner.providers import Reader, Sight, Wanted

_STATES = frozenset({State.DETACHED, State.FAILED, State.UNKNOWN})


class Verification:
    """Looks at everything that a lane has sent something for and that no look has seen gone yet.

    ``changed`` is told of every outcome that the look corrects: the state before and the outcome now. ``believed``
    holds the items that were looked at with all patience already, and gets more of them.
    """

    def __init__(
        self,
        lane: Lane,
        reader: Reader,
        journal: Journal,
        clock: Callable[[], float],
        *,
        changed: Callable[[str | None, Standing, Outcome], None],
        believed: set[int],
    ) -> None:
        self._lane = lane
        self._reader = reader
        self._journal = journal
        self._clock = clock
        self._changed = changed
        self._believed = believed
        self._open: dict[tuple[str | None, str], list[Standing]] = defaultdict(list)

    async def run(self, targets: Iterable[Target]) -> str | None:
        """Settle what can be settled; return a sentence when something could not be looked at.

        What is still seen attached is looked at again, with growing waits, before that is believed: a provider's
        reads may lag behind its writes.
        """
        for target in targets:
            for each in await self._journal.call(self._journal.ledger.history.items_of, target.no, _STATES):
                if not each.verified and each.id not in self._believed:
                    self._open[target.target, each.number].append(each)
        attached: set[tuple[str | None, str]] = set()
        if not self._open:
            return None
        try:
            for round_ in range(1, self._lane.policy.max_attempts + 1):
                attached = await self._look()
                if not attached or self._lane.stopped:
                    break
                if round_ < self._lane.policy.max_attempts:
                    await self._lane.wait(self._lane.policy.backoff(round_, (1 + self._lane.roll()) / 2))
        except RequestError as error:
            unseen = sum(map(len, self._open.values()))
            return f"{unseen} numbers of {self._lane.account} could not be verified: {error}"
        for key in attached:
            self._still_attached(key)
        return None

    async def _look(self) -> set[tuple[str | None, str]]:
        """Look once at all that is open, and return what is still attached."""
        attached: set[tuple[str | None, str]] = set()
        async for sight in self._sights():
            for target, number in self._named(sight):
                if isinstance(sight, NumberSeen) and isinstance(sight.seen, Attached):
                    attached.add((target, number))
                else:
                    self._gone((target, number), sight.seen if isinstance(sight, NumberSeen) else Gone("target_gone"))
        return attached

    async def _sights(self) -> AsyncIterator[Sight]:
        """Survey all that is open; what the survey leaves out is looked at by itself."""
        unseen: dict[str | None, set[str]] = defaultdict(set)
        for target, number in self._open:
            unseen[target].add(number)
        wanted: Wanted = {target: sorted(numbers) for target, numbers in unseen.items()}
        async for sight in self._reader.survey(wanted, census=False):
            if isinstance(sight, NumberSeen):
                unseen[sight.target].discard(sight.number)
            else:
                unseen.pop(sight.target, None)
            yield sight
        for target, numbers in unseen.items():
            for number in sorted(numbers):
                yield NumberSeen(target, number, await self._reader.look(target, number))

    def _named(self, sight: Sight) -> list[tuple[str | None, str]]:
        """Return the open items that a sight is about: one, or all of a target that does not exist."""
        if isinstance(sight, TargetSeen):
            return [key for key in self._open if key[0] == sight.target] if sight.attached is None else []
        key = (sight.target, sight.number)
        return [key] if key in self._open else []

    def _gone(self, key: tuple[str | None, str], seen: Seen) -> None:
        for standing in self._open.pop(key):
            if standing.state is State.DETACHED:
                self._journal.verified(standing.id)
            else:
                self._settle(key[0], standing, gone_after_attempt(standing, seen))

    def _still_attached(self, key: tuple[str | None, str]) -> None:
        for standing in self._open.pop(key):
            self._believed.add(standing.id)
            match standing.state:
                case State.DETACHED:
                    text = "the provider confirmed the detach, but the number is still attached when looked at"
                    self._settle(key[0], standing, Failed(Fault("still_attached", text)))
                case State.UNKNOWN:
                    text = "the answer to the attempt was lost, and the number is still attached when looked at"
                    self._settle(key[0], standing, Failed(Fault("still_attached", text)))

    def _settle(self, target: str | None, standing: Standing, outcome: Outcome) -> None:
        verified = not isinstance(outcome, Failed)
        self._journal.settled(Settled(standing.id, outcome, self._clock(), verified=verified))
        self._changed(target, standing, outcome)
