"""The middle of a run: batch after batch is sent, looked at and counted, until all is done or a guard says stop."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from runner.gate import Gatekeeper
from runner.history import SHIFT
from runner.lanes import PatientReads, each_at_work
from runner.model import TROUBLED, Pending, Skipped
from runner.moving import Moving
from runner.narrating import Crossing
from runner.verify import Verification

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from runner.detaching import Detaching
    from runner.history import Standing, Target
    from runner.journal import Journal
    from runner.lanes import Lane
    from runner.model import Item, Outcome
    from runner.narrating import Narrator
    from runner.policy import Guards
    from runner.records import Attempt
    from runner.restoring import Restoring


@dataclass(slots=True)
class Sending:
    """Sends what the pre-check saw to need it; ``lanes`` and ``targets`` are by account, times since the epoch.

    Without ``verify`` nothing is looked at again after the last batch. ``may_send`` is asked before each batch, and
    ``trip`` is told why a guard stops the run.
    """

    guards: Guards
    stages: Detaching | Restoring | Moving
    lanes: Mapping[str, Lane]
    targets: Mapping[str, list[Target]]
    moves_to: Mapping[int, str]
    journal: Journal
    narrator: Narrator
    clock: Callable[[], float]
    verify: bool
    may_send: Callable[[], Coroutine[None, None, bool]]
    trip: Callable[[str], None]
    incomplete: Callable[[str, str], None]
    """Told of an account and why not all of its numbers could be verified."""
    failures: int = 0
    finished: int = 0
    believed: set[int] = field(default_factory=set)
    """Items whose still being attached was verified with all patience in this process."""

    async def run(self, to_send: int) -> bool:
        """Send batch after batch; False when the gate stopped the run, or it may not send any more."""
        journal = self.journal
        self.failures, self.finished = await journal.call(journal.ledger.history.score, journal.run_id)
        ahead = await self._give_places(to_send)
        if ahead:
            self._mind_guards()
        after, ends = 0, [] if self._all_stopped() else await journal.call(self._batches, ahead)
        gate = Gatekeeper(self.guards.gate, self.lanes.values(), self.narrator.log, self.trip)
        for batch, upto in enumerate(ends, 1):
            if not (await gate.opens() and await self.may_send()):
                return False
            self.narrator.progress.phase(self.stages.goal.doing if len(ends) == 1 else f"batch {batch} of {len(ends)}")
            await each_at_work(self.lanes.values(), partial(self._execute, after, upto))
            await self._verify(between=batch < len(ends))
            after = upto
            if self._all_stopped():
                return True
        if not ends:  # an earlier process may have left something unverified
            await self._verify()
        return True

    async def _give_places(self, to_send: int) -> int:
        """Attach what an earlier process of a move left attached to nothing; return how many are to be sent after that.

        No gate and no guard is asked before: these numbers have left, and wait for a place.
        """
        if not isinstance(self.stages, Moving) or not self.stages.adrift:
            return to_send
        self.narrator.progress.phase("attaching what has no place")
        await each_at_work(self.lanes.values(), partial(self._place, self.stages))
        await self._verify()
        journal = self.journal
        tabs = await journal.call(journal.ledger.history.tabs, journal.run_id)
        return sum(tab.count for tab in tabs if tab.seen)

    async def _place(self, moving: Moving, lane: Lane) -> None:
        if not lane.stopped:
            await moving.place(lane, self.targets[lane.account], partial(self._settled, lane, guarded=False))

    def _all_stopped(self) -> bool:
        return all(lane.stopped for lane in self.lanes.values())

    def _batches(self, total: int) -> list[int]:
        """Return the id of the last item of each batch."""
        ends = itertools.accumulate(self.guards.ramp(total))
        return [self.journal.ledger.history.position(self.journal.run_id, end, seen=True) for end in ends]

    async def _execute(self, after: int, upto: int, lane: Lane) -> None:
        if not lane.stopped:
            settled = partial(self._settled, lane)
            await self.stages.execute(lane, self.targets[lane.account], (after, upto), settled)

    async def _verify(self, *, between: bool = False) -> None:
        """Look again, unless told not to; ``between`` two batches that is a guard, which no option lifts."""
        if not (self.verify or between):
            return
        self.narrator.progress.phase("verifying")
        await each_at_work(self.lanes.values(), self._verify_lane)
        self._mind_guards()

    async def _verify_lane(self, lane: Lane) -> None:
        if lane.stopped and not lane.stopped.leaves_time_to_look:
            return
        reads, targets, goal = PatientReads(lane, outlast=True), self.targets[lane.account], self.stages.goal
        reader = await self.stages.reader(lane, reads, targets)

        def changed(target: str | None, standing: Standing, outcome: Outcome) -> None:
            self.narrator.settled(lane, target, standing.number, outcome, was=standing.state)
            self.failures += (outcome.state in TROUBLED) - (standing.state in TROUBLED)

        verification = Verification(
            lane, reader, self.journal, self.clock, goal, changed=changed, believed=self.believed
        )
        if unverified := await verification.run(targets):
            self.incomplete(lane.account, unverified)
        await self.journal.flush()

    def _settled(
        self,
        lane: Lane,
        item: Item,
        outcome: Outcome,
        attempts: int,
        answer: Attempt | None,
        *,
        gap_ms: float | None = None,
        guarded: bool = True,
    ) -> None:
        """Count what became of an item, and stop where a guard says so; of what is not ``guarded`` none is asked."""
        if isinstance(outcome, Pending):
            return
        there = self.moves_to.get(item.id >> SHIFT)
        crossing = Crossing(there, gap_ms) if there else None
        self.narrator.settled(
            lane, item.target, item.number, outcome, attempts=attempts, answer=answer, crossing=crossing
        )
        if isinstance(outcome, Skipped):
            return
        self.finished += 1
        self.failures += outcome.state in TROUBLED
        if guarded:
            self._mind_guards()

    def _mind_guards(self) -> None:
        """Stop everything, once, when so many items have failed that a guard says so."""
        tripped = self.guards.tripped_by(self.failures, self.finished)
        if tripped and not self._all_stopped():
            self.trip(tripped)
