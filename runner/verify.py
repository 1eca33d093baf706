"""Look again in bulk: done means seen gone."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

from runner.errors import RequestError
from runner.model import Attached, Failed, Fault, Gone, State
from runner.precheck import gone_after_attempt
from runner.providers import NumberSeen, TargetSeen
from runner.records import Settled

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
        try:
            await self._look_with_patience()
        except RequestError as error:
            unseen = sum(map(len, self._open.values()))
            return f"{unseen} numbers of {self._lane.account} could not be verified: {error}"
        for key in list(self._open):
            self._still_attached(key)
        return None

    async def _look_with_patience(self) -> None:
        """Look until all is gone, or what is attached has been so for several looks and twice the longest delay."""
        policy, waited = self._lane.policy, 0.0
        for looks in itertools.count(1):
            await self._look()
            patient = looks >= policy.max_attempts and waited >= 2 * policy.max_delay
            if not self._open or self._lane.stopped or patient:
                return
            delay = policy.backoff(looks, (1 + self._lane.roll()) / 2)
            waited += delay
            await self._lane.wait(delay)

    async def _look(self) -> None:
        """Look once at all that is open, and settle what is gone, or attached again in another way than before."""
        if not self._open:
            return
        async for sight in self._sights():
            for key in self._named(sight):
                if isinstance(sight, TargetSeen):
                    self._gone(key, Gone("target_gone"))
                elif not isinstance(sight.seen, Attached):
                    self._gone(key, sight.seen)
                elif await self._differs(key, sight.seen):
                    self._reattached(key)

    async def _differs(self, key: tuple[str | None, str], seen: Attached) -> bool:
        """Whether the number of a confirmed detach hangs on something else than the pre-check saw."""
        standing = self._open[key][0]
        if standing.state is not State.DETACHED:
            return False
        return await self._journal.call(self._journal.ledger.history.before, standing.id) != seen.before

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

    def _reattached(self, key: tuple[str | None, str]) -> None:
        for standing in self._open.pop(key):
            self._believed.add(standing.id)
            text = "it was detached, and somebody has attached it again since"
            self._settle(key[0], standing, Failed(Fault("reattached", text)))

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
