"""The pre-check of a move: which numbers are here, there already, without a place, or hang on something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import UnexpectedAnswer
from runner.goal import MOVE, REATTACH
from runner.history import SHIFT
from runner.model import Attached, Elsewhere, Failed, Fault, Gone, Skipped, State, Still, Stranded
from runner.moves import ADRIFT
from runner.precheck import AT_ONCE, Precheck, place, settled_by
from runner.providers import NumberSeen
from runner.records import Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from runner.history import Standing
    from runner.journal import Journal
    from runner.model import Seen
    from runner.policy import Guards
    from runner.precheck import Findings
    from runner.providers import Before, Reader, Wanted
    from runner.routes import Routes
    from runner.snapshot import Snapshots

_NAMED = 3
_BACK_HERE = Fault("still_attached", "it is attached again to what it was taken off")


class Departure(Precheck):
    """Looks at the items of a lane that are moved; ``free`` collects those that are attached to nothing already.

    A number that nothing was sent for and that is attached to nothing is drift: the plan says that it is here.
    """

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
        routes: Routes,
        free: set[int],
    ) -> None:
        super().__init__(reader, journal, guards, clock, findings, snapshots=snapshots, census=census)
        self._routes, self._free = routes, free
        self._searched = False
        self._groups: set[int] = set()
        """Those that have items to look at; where an excluded one would go is nobody's business."""
        self._adrift: list[Settled] = []
        self._here: list[int] = []
        self._lacking: dict[tuple[str | None, str], list[str]] = {}

    async def _saw(self, sight: NumberSeen) -> None:
        for standing in self._open.at(sight.target, sight.number):
            if isinstance(sight.seen, Attached):
                self._open.drop(sight.target, sight.number)
                await self._attached(standing, sight.target, sight.seen)
            elif sight.traced and self._searched:
                self._open.drop(sight.target, sight.number)
                await self._not_here(standing, sight)
        if len(self._sightings) + len(self._settled) >= AT_ONCE:
            await self._write()

    async def _survey(self, wanted: Wanted, may_miss: Container[str | None]) -> None:
        self._groups |= {each.id >> SHIFT for target in wanted for each in self._open.at_target(target)}
        await super()._survey(wanted, may_miss)

    async def _trace(self) -> None:
        """Look at the destinations, then search for the numbers that are neither here nor there."""
        await self._look_there()
        self._searched = True
        await super()._trace()
        self._tell()

    async def _look_there(self) -> None:
        numbers: dict[str | None, dict[str, list[str | None]]] = {}
        if not self._routes.spec.everywhere:
            numbers = {self._routes.asked(self._routes.there(group << SHIFT, {})): {} for group in sorted(self._groups)}
        for target, wanted in self._open.wanted().items():
            for number in wanted:
                for standing in self._open.at(target, number):
                    asked = self._routes.asked(self._routes.there(standing.id, {}))
                    numbers.setdefault(asked, {}).setdefault(number, []).append(target)
        if not numbers:
            return
        async for sight in self._reader.survey(numbers, census=False):
            if not isinstance(sight, NumberSeen):
                self.findings.blocks.append(f"{place(sight.target)} is not found; make it, or correct `reassign`")
            elif isinstance(sight.seen, Attached):
                for target in numbers[sight.target][sight.number]:
                    await self._seen_there(target, sight.number, sight.seen)

    async def _seen_there(self, target: str | None, number: str, seen: Attached) -> None:
        """Settle a number that a look for its destination saw there; what hangs there otherwise is traced."""
        for standing in self._open.at(target, number):
            known = await self._known(standing)
            match self._judged(standing, target, seen, known):
                case Attached() as there:
                    self._open.drop(target, number)
                    self._settle(standing, settled_by(MOVE, standing, there))
                case Still() if self._routes.spec.everywhere and known:
                    self._open.drop(target, number)
                    await self._still(standing, target, seen)
                case _:
                    pass

    async def _attached(self, standing: Standing, target: str | None, seen: Attached) -> None:
        """Take in a number that a look for its target saw attached."""
        judged: Seen = Still(str(target))
        if self._routes.spec.everywhere:
            judged = self._judged(standing, target, seen, await self._known(standing))
        match judged:
            case Attached():
                self._settle(standing, settled_by(MOVE, standing, judged))
            case Elsewhere():
                await self._not_here(standing, NumberSeen(target, standing.number, judged))
            case _:
                await self._still(standing, target, seen)

    def _judged(self, standing: Standing, target: str | None, seen: Attached, known: Before | None) -> Seen:
        try:
            return self._routes.judge(standing.id, target, seen, known)
        except UnexpectedAnswer as error:
            return Elsewhere(str(error))

    async def _known(self, standing: Standing) -> Before | None:
        """Return what an earlier process saw of an item that something was sent for."""
        if standing.state is State.PLANNED:
            return None
        return await self._journal.call(self._journal.ledger.history.before, standing.id)

    async def _still(self, standing: Standing, target: str | None, seen: Attached) -> None:
        """Note a number that is to be moved."""
        before = await self._snapshots.of(standing.id, standing.number, seen)
        self._check(standing, target, before)
        self._sightings.append((standing.id, before))
        self._here.append(standing.id)
        if standing.state is State.STRANDED:
            self._settle_failed(standing, _BACK_HERE)

    def _check(self, standing: Standing, target: str | None, before: Before) -> None:
        """Note what forbids moving a number: something that its destination lacks, or that its way back does."""
        reversal = self._routes.spec.reversal(before)
        for missing in self._routes.moving.lacks(self._routes.there(standing.id, before)):
            sentence = (
                f"cannot be attached to {self._routes.name(standing.id)}: missing {missing}; give it under `reassign`"
            )
            self._lacking.setdefault((target, sentence), []).append(standing.number)
        if reversal.how == "none" and self._routes.returns(standing.id):
            sentence = (
                f"could not be put back if that is refused: missing {', '.join(reversal.missing)};"
                " give it under `reattach`, or set `if_refused: leave` under `reassign`"
            )
            self._lacking.setdefault((target, sentence), []).append(standing.number)

    def _tell(self) -> None:
        for (target, sentence), numbers in self._lacking.items():
            named = ", ".join(numbers[:_NAMED]) + (f" and {len(numbers) - _NAMED} more" if numbers[_NAMED:] else "")
            self.findings.blocks.append(f"{named} at {place(target)} {sentence}")

    async def _not_here(self, standing: Standing, sight: NumberSeen) -> None:
        """Take in a number that is neither here nor there."""
        match sight.seen:
            case Elsewhere() if standing.state is not State.PLANNED:
                if fault := REATTACH.obstacle(sight.seen):
                    self._settle_failed(standing, fault)
            case Gone() if standing.state is State.PLANNED:
                self._drifted(standing, sight.seen)
            case Gone():
                await self._is_free(standing, sight.target)
            case _:
                self._away(standing, sight)

    def _drifted(self, standing: Standing, seen: Gone) -> None:
        known = seen.reason != "unknown_to_account"
        what = f"{standing.number} is {'attached to nothing' if known else 'not known to the account'}"
        if self._guards.on_drift == "block":
            self.findings.blocks.append(
                f"{what}, so it cannot be moved; correct the plan, or set guards.on_drift to skip"
            )
        else:
            self.findings.warnings.append(f"{what}, so it is not moved")
            self._settle(standing, Skipped("not_attached"))

    async def _is_free(self, standing: Standing, target: str | None) -> None:
        """Note a number that an earlier process has taken off: it needs a place, and until then it has none."""
        before = await self._known(standing) or {}
        if standing.state is not State.STRANDED:
            self._adrift.append(Settled(standing.id, Stranded(ADRIFT), self._clock()))
        self._sightings.append((standing.id, before))
        self._free.add(standing.id)
        self.findings.adrift[target] += 1

    def _missing(self, target: str | None, *, may_miss: bool) -> None:
        """Forbid the run when a target does not exist; what an earlier process has taken off it goes on."""
        if not any(standing.known for standing in self._open.at_target(target)):
            super()._missing(target, may_miss=may_miss)

    def _settle_failed(self, standing: Standing, fault: Fault) -> None:
        self._settled.append(Settled(standing.id, Failed(fault), self._clock()))

    async def _write(self) -> None:
        adrift, self._adrift = self._adrift, []
        here, self._here = self._here, []
        await self._journal.call(self._journal.ledger.saw, (), adrift)
        await self._journal.call(self._journal.ledger.stayed, here)
        await super()._write()
