"""Look again in bulk: done means seen gone, in a rollback seen back."""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING

from runner.errors import RequestError
from runner.model import TROUBLED, Attached, Failed, Fault, Gone, State, Stranded
from runner.precheck import settled_by
from runner.providers import NumberSeen, TargetSeen
from runner.records import Settled
from runner.waiting import Waiting, surveys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from runner.goal import Goal
    from runner.history import Standing, Target
    from runner.journal import Journal
    from runner.lanes import Lane
    from runner.model import Outcome, Seen
    from runner.providers import Reader, Sight


_REATTACHED = Fault("reattached", "it was detached, and somebody has attached it again since")


class Verification:
    """Looks at everything that a lane has sent something for and that no look has seen where the ``goal`` wants it.

    ``changed`` is told of every outcome that the look corrects: the state before and the outcome now. ``believed``
    holds the items that were looked at with all patience already, and gets more of them.
    """

    def __init__(
        self,
        lane: Lane,
        reader: Reader,
        journal: Journal,
        clock: Callable[[], float],
        goal: Goal,
        *,
        changed: Callable[[str | None, Standing, Outcome], None],
        believed: set[int],
    ) -> None:
        self._lane = lane
        self._reader = reader
        self._journal = journal
        self._clock = clock
        self._goal = goal
        self._changed = changed
        self._believed = believed
        self._open = Waiting()
        self._last: dict[tuple[str | None, str], Seen] = {}

    async def run(self, targets: Iterable[Target]) -> str | None:
        """Settle what can be settled; return a sentence when something could not be looked at.

        What is still seen as it was is looked at again, with growing waits, before that is believed: a provider's reads
        may lag behind its writes.
        """
        ahead = deque(surveys(targets, everywhere=self._lane.spec.everywhere))
        try:
            while ahead:
                groups = ahead.popleft()
                await self._load(groups)
                await self._look(self._open.wanted(target.target for target in groups))
            await self._look_with_patience()
        except RequestError as error:
            for groups in ahead:
                await self._load(groups)
            return f"{len(self._open)} numbers of {self._lane.account} could not be verified: {error}"
        for target, numbers in self._open.wanted().items():
            for number in numbers:
                self._as_before(target, number)
        return None

    async def _load(self, groups: Iterable[Target]) -> None:
        states = TROUBLED | {self._goal.done}
        for target in groups:
            async for each in self._journal.items_of(target.no, states):
                if not each.verified and each.id not in self._believed:
                    self._open.add(target.target, each)

    async def _look_with_patience(self) -> None:
        """Look on until nothing is open, or that has been so for several looks and twice the longest delay."""
        policy, waited = self._lane.policy, 0.0
        for looks in itertools.count(1):
            patient = looks >= policy.max_attempts and waited >= 2 * policy.max_delay
            if not self._open or self._lane.stopped or patient:
                return
            delay = policy.backoff(looks, (1 + self._lane.roll()) / 2)
            waited += delay
            await self._lane.wait(delay, f"some numbers show as {self._goal.undone}, looking again")
            await self._look(self._open.wanted())

    async def _look(self, wanted: dict[str | None, list[str]]) -> None:
        """Look once at what is ``wanted``, and settle what is where it should be, or hangs on something else."""
        if not wanted:
            return
        async for sight in self._sights(wanted):
            if isinstance(sight, TargetSeen):
                if sight.attached is None:
                    for number in self._open.wanted([sight.target]).get(sight.target, []):
                        self._judge(sight.target, number, Gone("target_gone"))
            elif isinstance(sight.seen, Attached) and await self._differs(sight.target, sight.number, sight.seen):
                self._hangs_on(sight.target, sight.number, _REATTACHED)
            else:
                self._judge(sight.target, sight.number, sight.seen)

    async def _differs(self, target: str | None, number: str, seen: Attached) -> bool:
        """Whether the number of a confirmed detach hangs on something else than the pre-check saw."""
        standings = self._open.at(target, number)
        if not standings or standings[0].state is not State.DETACHED:
            return False
        before = await self._journal.call(self._journal.ledger.history.before, standings[0].id) or {}
        return any(before.get(key) != value for key, value in seen.before.items())

    async def _sights(self, wanted: Mapping[str | None, list[str]]) -> AsyncIterator[Sight]:
        """Survey what is ``wanted``; what the survey leaves out is looked at by itself."""
        shown = set()
        async for sight in self._reader.survey(wanted, census=False):
            yield sight
            if isinstance(sight, NumberSeen) and self._open.at(sight.target, sight.number):
                shown.add((sight.target, sight.number))
        for target, numbers in self._open.wanted(wanted).items():
            for number in sorted(numbers):
                if (target, number) not in shown:
                    yield NumberSeen(target, number, await self._reader.look(target, number))

    def _judge(self, target: str | None, number: str, seen: Seen) -> None:
        if self._goal.reached(seen):
            for standing in self._open.pop(target, number):
                self._reached(target, standing, seen)
        elif fault := self._goal.obstacle(seen):
            self._hangs_on(target, number, fault)
        else:
            self._last[target, number] = seen

    def _reached(self, target: str | None, standing: Standing, seen: Seen) -> None:
        if standing.state is self._goal.done:
            self._journal.verified(standing.id)
        else:
            self._settle(target, standing, settled_by(self._goal, standing, seen))

    def _hangs_on(self, target: str | None, number: str, fault: Fault) -> None:
        for standing in self._open.pop(target, number):
            self._believed.add(standing.id)
            self._settle(target, standing, Failed(fault))

    def _as_before(self, target: str | None, number: str) -> None:
        seen = self._last.get((target, number))
        for standing in self._open.pop(target, number):
            self._believed.add(standing.id)
            if outcome := self._goal.corrected(standing.state, seen):
                self._settle(target, standing, outcome)

    def _settle(self, target: str | None, standing: Standing, outcome: Outcome) -> None:
        verified = not isinstance(outcome, Failed | Stranded)
        self._journal.settled(Settled(standing.id, outcome, self._clock(), verified=verified))
        self._changed(target, standing, outcome)
