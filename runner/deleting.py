"""Deleting one bridge or gateway: look, mark, send, and settle by a look what the answer leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner.decide import Finish, Halt, Looked, Send, Sent, decide, wind_up
from runner.errors import Refused, RequestError
from runner.execute import stop_for
from runner.model import Attached, Detached, Failed, Fault, Gone, Unknown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container

    from runner.decide import Case, Evidence, Step
    from runner.lanes import Lane
    from runner.model import Outcome
    from runner.providers.removing import Remover, Thing
    from runner.records import KeptReason

_NOT_FOUND = 404
_THERE = Looked(Attached({}))
_GONE = Looked(Gone())
_STILL_THERE = Fault("still_there", "the provider confirmed that it was deleted, but a look shows it")


class Kept(Struct, frozen=True):
    """It stays, because of ``reason``; ``left`` is what is on it."""

    reason: KeptReason
    left: list[str] = []


@dataclass(slots=True)
class Deletion:
    """One thing; rows of the numbers ``ours`` count for nothing, ``forbidden`` says why it may not be deleted at all.

    ``mark`` returns when the mark is on the disk; ``sent`` counts the requests to delete it.
    """

    lane: Lane
    remover: Remover
    thing: Thing
    ours: Container[str]
    forbidden: KeptReason | None
    mark: Callable[[], Awaitable[None]]
    sent: int = 0

    async def run(self, case: Case) -> Outcome | Kept:
        """Return what became of it, in the words for numbers: gone is detached. Each request follows a look."""
        waited = False
        evidence: Evidence | Kept
        while True:
            evidence = await self._look()
            if isinstance(evidence, Kept):
                return evidence
            case, step = self._next(case, evidence)
            if isinstance(step, Send) and (waited or not step.after):
                waited, evidence = False, await self._send()
                case, step = self._next(case, evidence)
            else:
                waited = isinstance(step, Send)
            if isinstance(step, Halt):
                self.lane.stop(stop_for(step.error))
            if isinstance(step, Finish | Halt):
                return await self._seen_gone() if step.outcome == Detached("response") else step.outcome
            await self.lane.wait_before(step, evidence.error)

    def _next(self, case: Case, evidence: Evidence) -> tuple[Case, Step]:
        lane = self.lane
        if isinstance(evidence, Sent) and _may_have_worked(evidence.error):
            case = replace(case, lost=True)
        away = lane.channel.away and not lane.stopped
        case, step = decide(case, evidence, lane.policy, roll=lane.roll(), away=away)
        lane.mind_silence()
        return case, wind_up(case, step) if lane.stopped else step

    async def _look(self) -> Looked | Kept:
        try:
            left = await self.remover.left(self.thing, self.ours)
        except RequestError as error:
            return Looked(error)
        if left is None:
            return _GONE
        if left or self.forbidden:
            return Kept(self.forbidden or "not_empty", left)
        return _THERE

    async def _send(self) -> Sent:
        await self.mark()
        self.sent += 1
        try:
            await self.remover.remove(self.thing)
        except RequestError as error:
            return Sent(error)
        return Sent()

    async def _seen_gone(self) -> Outcome:
        """Look after the documented success: what looks show for as long as patience lasts is there.

        Where no look comes back, the success stands.
        """
        lane, looks = self.lane, 1
        while (evidence := await self._look()) is not _GONE:
            if lane.stopped or looks >= lane.policy.max_attempts:
                unseen = isinstance(evidence, Looked) and evidence.error
                there = Unknown(_STILL_THERE) if lane.stopped else Failed(_STILL_THERE)
                return Detached("response") if unseen else there
            await lane.wait(lane.policy.backoff(looks, (1 + lane.roll()) / 2), "a deleted target still shows")
            looks += 1
        return Detached("response")


def _may_have_worked(error: RequestError | None) -> bool:
    """Whether a refusal leaves open who deleted what a look has just shown: only a 404 does not."""
    return isinstance(error, Refused) and error.status != _NOT_FOUND
