"""Read-only: look at every open number of a lane, settle what needs nothing, and find what forbids a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.errors import RequestError
from runner.goal import DETACH
from runner.model import Attached, Elsewhere, Gone, Skipped, State
from runner.providers import NumberSeen, TargetSeen
from runner.records import Settled
from runner.waiting import Waiting, surveys

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from runner.goal import Goal
    from runner.history import Standing, Target
    from runner.journal import Journal
    from runner.model import Outcome, Seen
    from runner.policy import Guards
    from runner.providers import Before, Reader, Reversal, Wanted
    from runner.snapshot import Snapshots

AT_ONCE = 1000
"""How many sights are gathered before they are recorded."""


@dataclass(slots=True)
class Findings:
    """What the pre-check of one lane found: sentences that forbid the run, and others that are worth a look."""

    blocks: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    census: dict[str | None, int] = field(default_factory=dict)
    """How many numbers are attached to each target, those of the plan and all others."""
    reversals: Counter[Reversal] = field(default_factory=Counter)
    """How many of the numbers that something is to be sent for a rollback could put back, and how."""
    once: int = 0
    """How many of the requests so far a verification does not need again."""
    drift: Counter[str] = field(default_factory=Counter)
    """How many numbers that nothing was sent for are not as the plan says, by what they are instead."""
    lacking: Counter[str | None] = field(default_factory=Counter)
    """In a rollback: how many numbers of each target cannot be put back as things stand."""
    calls: str | None = None
    """How many of them are in a call, in words; null where nobody asked."""
    adrift: Counter[str | None] = field(default_factory=Counter)
    """In a move: how many numbers an earlier process left attached to nothing, by the target that it took them off."""


async def expand(reader: Reader, journal: Journal, targets: Iterable[Target], *, everywhere: bool) -> None:
    """Turn each ``numbers: all`` into the items that are attached now and that no other group of the target names.

    Where a detach takes a number off ``everywhere``, no other group of the account may name it.
    """
    groups = list(targets)
    for target in (each for each in groups if each.whole):
        listed = {
            standing.number
            for each in groups
            if (everywhere or each.target == target.target) and each.no != target.no
            async for standing in journal.items_of(each.no, list(State))
        }
        found = [
            sight.number
            async for sight in reader.survey({target.target: None}, census=False)
            if isinstance(sight, NumberSeen) and isinstance(sight.seen, Attached) and sight.number not in listed
        ]
        await journal.call(journal.ledger.expand, target.no, found)


class Precheck:
    """Looks at the items of one lane that are in one of ``states``, and records what it saw."""

    def __init__(
        self,
        reader: Reader,
        journal: Journal,
        guards: Guards,
        clock: Callable[[], float],
        findings: Findings,
        *,
        snapshots: Snapshots,
        census: bool | None,
    ) -> None:
        self.findings = findings
        self._reader = reader
        self._journal = journal
        self._guards = guards
        self._snapshots = snapshots
        self._census = census
        self._clock = clock
        self._open = Waiting()
        self._sightings: list[tuple[int, Before]] = []
        self._settled: list[Settled] = []

    async def look(self, targets: Iterable[Target], states: frozenset[State], *, everywhere: bool) -> None:
        """Survey the lane and add to the findings; ``everywhere`` as in `expand`.

        Raises RequestError when a read fails for good, because that is no evidence; what others saw is recorded.
        """
        try:
            for groups in surveys(targets, everywhere=everywhere):
                for target in groups:
                    async for standing in self._journal.items_of(target.no, states):
                        self._open.add(target.target, standing)
                if wanted := self._open.wanted(target.target for target in groups):
                    await self._survey(wanted, {target.target for target in groups if target.if_missing})
            await self._trace()
        except RequestError:
            await self._write()
            raise
        await self._write()
        self.findings.reversals += self._snapshots.reversals
        self.findings.once += self._snapshots.requests

    async def _survey(self, wanted: Wanted, may_miss: Container[str | None]) -> None:
        async for sight in self._reader.survey(wanted, census=self._census):
            match sight:
                case NumberSeen():
                    await self._saw(sight)
                case TargetSeen(attached=None):
                    self._missing(sight.target, may_miss=sight.target in may_miss)
                case TargetSeen(attached=int(count)):
                    self.findings.census[sight.target] = count

    async def _trace(self) -> None:
        """Search for the numbers that are not at their target, and for those that the survey did not see at all."""
        if missing := self._open.wanted():
            async for sight in self._reader.trace(missing):
                await self._saw(sight)

    async def _saw(self, sight: NumberSeen) -> None:
        standings = self._open.at(sight.target, sight.number)
        if isinstance(sight.seen, Attached):
            for each in standings:
                self._sightings.append((each.id, await self._snapshots.of(each.id, each.number, sight.seen)))
        elif not sight.traced and any(standing.state is State.PLANNED for standing in standings):
            return
        else:
            for standing in standings:
                self._away(standing, sight)
        self._open.drop(sight.target, sight.number)
        if len(self._sightings) + len(self._settled) >= AT_ONCE:
            await self._write()

    def _away(self, standing: Standing, sight: NumberSeen) -> None:
        """Settle an item that is not attached to its target."""
        seen = sight.seen
        if standing.state is not State.PLANNED:
            self._settle(standing, settled_by(DETACH, standing, seen))
            return
        self.findings.drift += _drift(seen)
        if isinstance(seen, Elsewhere):
            where = f"{sight.number} is not attached to {place(sight.target)} but to {seen.where}"
            if self._guards.on_drift == "block":
                self.findings.blocks.append(f"{where}; correct the plan, or set guards.on_drift to skip")
            else:
                self.findings.warnings.append(where)
                self._settle(standing, Skipped("attached_elsewhere"))
        elif isinstance(seen, Gone):
            if seen.reason == "unknown_to_account":
                self.findings.warnings.append(f"{sight.number} is not known to the account; is it a typing error?")
            self._settle(standing, DETACH.outcome(seen, ours=False))

    def _missing(self, target: str | None, *, may_miss: bool) -> None:
        """Settle the items of a target that does not exist, or forbid the run when it has to."""
        standings, gone = self._open.at_target(target), Gone("target_gone")
        known = any(standing.known for standing in standings)
        if not may_miss and not known:
            self.findings.blocks.append(f"{place(target)} is not found; correct the plan, or set if_missing to ok")
        for standing in standings:
            self._open.drop(target, standing.number)
            self.findings.drift += _drift(gone) if standing.state is State.PLANNED else Counter()
            if may_miss or known:
                self._settle(standing, settled_by(DETACH, standing, gone))

    def _settle(self, standing: Standing, outcome: Outcome) -> None:
        self._settled.append(Settled(standing.id, outcome, self._clock(), verified=not isinstance(outcome, Skipped)))

    async def _write(self) -> None:
        sightings, self._sightings = self._sightings, []
        settled, self._settled = self._settled, []
        await self._journal.call(self._journal.ledger.saw, sightings, settled)


def settled_by(goal: Goal, standing: Standing, seen: Seen) -> Outcome:
    """Return what an item is that a look now sees where it is wanted; where something was sent, this run did it."""
    return goal.outcome(seen, ours=standing.state is not State.PLANNED and not standing.only_refused)


def _drift(seen: Seen) -> Counter[str]:
    """Return what a number is that is not attached to its target; nothing where it is just detached already."""
    if isinstance(seen, Elsewhere):
        return Counter({"attached elsewhere": 1})
    words = {"unknown_to_account": "unknown to the account", "target_gone": "at a target that is not found"}
    return Counter({words[seen.reason]: 1} if isinstance(seen, Gone) and seen.reason else {})


def place(target: str | None) -> str:
    """Return what a target is called in a sentence."""
    return f"target {target}" if target else "any target"
