"""The pre-check of a rollback: which numbers are free, are back, hang on something else, or cannot be put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.goal import REATTACH
from runner.model import Attached, Elsewhere, Failed, Fault, Gone, Pending, Skipped, State
from runner.precheck import place, settled_by
from runner.providers import NumberSeen
from runner.records import Settled
from runner.waiting import Waiting, surveys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runner.history import Standing, Target
    from runner.journal import Journal
    from runner.model import Outcome
    from runner.places import Places
    from runner.precheck import Findings
    from runner.providers import Before, Reader, Spec

_AT_ONCE = 1000
_NAMED = 3


class Recheck:
    """Looks at the items of a lane, and records what it saw; with ``partial`` what cannot be put back forbids nothing.

    A number that cannot be put back stays pending, and its row says what is missing.
    """

    def __init__(
        self,
        reader: Reader,
        journal: Journal,
        spec: Spec,
        places: Places,
        clock: Callable[[], float],
        *,
        findings: Findings,
        partial: bool,
    ) -> None:
        self._reader = reader
        self._journal = journal
        self._spec = spec
        self._places = places
        self._clock = clock
        self._findings = findings
        self._partial = partial
        self._open = Waiting()
        self._free: list[tuple[int, Before]] = []
        self._settled: list[Settled] = []
        self._lacking: dict[tuple[str | None, str, str | None], list[str]] = {}

    async def look(self, targets: Iterable[Target], states: frozenset[State], *, everywhere: bool) -> None:
        """Survey the lane, then trace what is not back, as it may hang on something else; raises RequestError."""
        for groups in surveys(targets, everywhere=everywhere):
            for target in groups:
                async for standing in self._journal.items_of(target.no, states):
                    self._open.add(target.target, standing)
            wanted = self._open.wanted(target.target for target in groups)
            async for sight in self._reader.survey(wanted, census=False):
                if isinstance(sight, NumberSeen):
                    await self._saw(sight)
                elif sight.attached is None:
                    self._no_target(sight.target)
        if missing := self._open.wanted():
            async for sight in self._reader.trace(missing):
                await self._saw(sight)
        self._unclear()
        await self._write()
        self._tell()

    async def _saw(self, sight: NumberSeen) -> None:
        if isinstance(sight.seen, Gone) and not sight.traced:
            return
        for standing in self._open.pop(sight.target, sight.number):
            match sight.seen:
                case Attached():
                    self._settle(standing, settled_by(REATTACH, standing, sight.seen))
                case Gone():
                    self._is_free(sight.target, standing, sight.seen)
                case Elsewhere():
                    self._elsewhere(standing, sight.seen)
        if len(self._free) + len(self._settled) >= _AT_ONCE:
            await self._write()

    def _is_free(self, target: str | None, standing: Standing, seen: Gone) -> None:
        before = self._places.before(target, standing.number)
        reversal = self._spec.reversal(before)
        if seen.reason == "unknown_to_account":
            self._lacks(target, standing, "the account does not know the number any more")
        elif reversal.missing:
            keys = self._spec.reattaching.keys if self._spec.reattaching else frozenset()
            mend = "give it with --reattach" if keys.issuperset(reversal.missing) else None
            self._lacks(target, standing, f"missing {', '.join(reversal.missing)}", mend)
        else:
            self._free.append((standing.id, before))
            self._findings.reversals[reversal] += 1

    def _elsewhere(self, standing: Standing, seen: Elsewhere) -> None:
        """Leave a number alone that hangs on something else; where something was sent for it, that was in vain."""
        self._findings.warnings.append(f"{standing.number} is attached to something else by now: {seen.where}")
        fault = REATTACH.obstacle(seen)
        self._settle(standing, Failed(fault) if standing.state is not State.PLANNED and fault else _LEFT_ALONE)

    def _unclear(self) -> None:
        """Leave numbers alone of which no look tells what they hang on; where something was sent, that stays open."""
        for target, numbers in self._open.wanted().items():
            for number in numbers:
                for standing in self._open.pop(target, number):
                    if standing.state is State.PLANNED:
                        self._lacks(target, standing, "attached, and no look shows to what")

    def _no_target(self, target: str | None) -> None:
        for standing in self._open.at_target(target):
            self._open.drop(target, standing.number)
            self._lacks(target, standing, f"{place(target)} does not exist any more", "make it again")

    def _lacks(self, target: str | None, standing: Standing, why: str, mend: str | None = None) -> None:
        self._lacking.setdefault((target, why, mend), []).append(standing.number)
        self._findings.lacking[target] += standing.state is State.PLANNED
        fault = Fault("cannot_put_back", f"cannot be put back: {'; '.join(filter(None, (why, mend)))}")
        self._settle(standing, Pending(fault) if standing.state is State.PLANNED else Failed(fault))

    def _tell(self) -> None:
        for (target, why, mend), numbers in self._lacking.items():
            named = ", ".join(numbers[:_NAMED]) + (f" and {len(numbers) - _NAMED} more" if numbers[_NAMED:] else "")
            at = f" at {place(target)}" if target else ""
            sentence = f"{named}{at} cannot be put back: {'; '.join(filter(None, (why, mend)))}"
            if self._partial:
                self._findings.warnings.append(sentence)
            else:
                also = f"{',' if mend else ';'} leave them out with --exclude, or allow for it with --partial"
                self._findings.blocks.append(sentence + also)

    def _settle(self, standing: Standing, outcome: Outcome) -> None:
        verified = outcome.state in {REATTACH.done, REATTACH.already}
        self._settled.append(Settled(standing.id, outcome, self._clock(), verified=verified))

    async def _write(self) -> None:
        free, self._free = self._free, []
        settled, self._settled = self._settled, []
        await self._journal.call(self._journal.ledger.saw, free, settled)


_LEFT_ALONE = Skipped("attached_elsewhere")
