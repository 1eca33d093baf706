"""Numbers that are in a call: counted by the pre-check, and not sent while the call lasts, where a guard says so."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.errors import AccessDenied, RequestError, Throttled
from runner.execute import item_of, stop_for
from runner.goal import DETACH
from runner.lanes import PatientReads, Stop
from runner.model import Skipped
from runner.providers import Reversal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Iterator, Sequence

    from runner.execute import Finished
    from runner.goal import Goal
    from runner.history import Target
    from runner.journal import Journal
    from runner.lanes import Lane
    from runner.policy import Guards
    from runner.precheck import Findings
    from runner.providers import Reads
    from runner.providers.calls import Busy

_FRESH = 10
"""Seconds of sending that one look at the calls is good for."""
_NAMED = 3
_IN_CALL = Skipped("in_call")
_ALL = (0, 1 << 62)

Found = list[tuple[int, str]]
"""Ids and numbers of items."""


class Sparing(Struct, frozen=True):
    """What the calls of one lane forbid of its ``targets``; ``clock`` gives seconds since the epoch."""

    lane: Lane
    journal: Journal
    guards: Guards
    targets: Sequence[Target]
    clock: Callable[[], float]
    goal: Goal = DETACH
    exempt: Container[int] = ()
    """Items that are attached to nothing: nobody calls them, and they need a place."""
    finished: Finished = lambda *_, **__: None

    @property
    def wanted(self) -> bool:
        """Whether numbers in a call are to be spared, and can be."""
        return self.guards.live_calls != "ignore" and self.lane.spec.calls is not None

    async def foresee(self, reads: Reads, findings: Findings, *, dry_run: bool) -> None:
        """Say how many of the numbers to send are in a call, and leave those alone that are to be skipped.

        Raises RequestError where that has to be known and cannot be.
        """
        ignored = self.guards.live_calls == "ignore"
        ahead = await self._to_send(_ALL) if dry_run or not ignored else []
        if not ahead:
            return
        if self.lane.spec.calls is None:
            findings.calls = f"{self.lane.spec.title} do not show them"
            if not ignored:
                findings.warnings.append(
                    f"guards.live_calls has no effect, as {self.lane.spec.title} do not show calls"
                )
            return
        tally, before = self.lane.channel.tally, self.lane.channel.tally.requests
        try:
            busy = await self.lane.spec.calls(reads, self.clock())
        except RequestError as error:
            if not ignored:
                raise
            findings.calls = "unknown"
            findings.warnings.append(f"whether numbers are in a call is unknown: {error}")
            return
        findings.once += tally.requests - before
        found = self._in_call(ahead, busy)
        self._tell(found, findings)
        if self.guards.live_calls == "skip":
            await self._left_out(found, findings)
            await self.journal.call(self.journal.ledger.spare, [item for item, _ in found], self.clock())

    async def send(self, ids: tuple[int, int], send: Callable[[tuple[int, int]], Awaitable[None]]) -> None:
        """Let ``send`` do the items with ids above the first and up to the second of ``ids`` that are in no call.

        The calls are looked at again before each stretch. Where the guard says ``wait``, numbers in a call are sent
        when it is over, up to ``live_calls_wait`` after the others.
        """
        held: Found = []
        after = ids[0]
        for stretch in self._stretches(await self._to_send(ids)):
            busy = await self._look()
            if busy is None:
                return
            found = self._in_call(stretch, busy)
            await self._hold(found)
            held += found
            await send((after, after := stretch[-1][0]))
        if self.guards.live_calls == "wait":
            held = await self._wait_for(held, lambda: send(ids))
        if not self.lane.stopped:
            await self._skip(held)

    async def _wait_for(self, held: Found, send: Callable[[], Awaitable[None]]) -> Found:
        """Send what is in a call no longer, and return what still is at the end."""
        lane, loop = self.lane, asyncio.get_running_loop()
        ends = loop.time() + self.guards.live_calls_wait
        for tries in itertools.count(1):
            left = ends - loop.time()
            if not held or left <= 0 or lane.stopped:
                break
            await lane.wait(min(left, lane.policy.backoff(tries, 1.0)), f"{_numbers(len(held))} in a call")
            busy = None if lane.stopped else await self._look()
            if busy is None:
                break
            still = self._in_call(held, busy)
            if len(still) < len(held):
                free = {item for item, _ in held} - {item for item, _ in still}
                await self.journal.call(self.journal.ledger.release_held, free)
                await send()
            held = still
        return held

    async def _look(self) -> Busy | None:
        """Return who is in a call; None after stopping the lane when that cannot be known."""
        assert self.lane.spec.calls is not None  # noqa: S101 - or nothing is wanted
        try:
            return await self.lane.spec.calls(PatientReads(self.lane, outlast=True), self.clock())
        except RequestError as error:
            told = isinstance(error, AccessDenied | Throttled)
            sentence = f"the calls could not be read, and a failed read does not mean that there are none ({error})"
            self.lane.stop(stop_for(error) if told else Stop("calls_unknown", sentence))
            return None

    async def _to_send(self, ids: tuple[int, int]) -> Found:
        history, numbers = self.journal.ledger.history, [target.no for target in self.targets]
        return await self.journal.call(history.to_send, numbers, *ids)

    def _stretches(self, ahead: Found) -> Iterator[Found]:
        begin = 0
        while begin < len(ahead):
            size = max(self.lane.concurrency, int(self.lane.channel.pacer.rate.per_second * _FRESH))
            yield ahead[begin : begin + size]
            begin += size

    def _in_call(self, items: Found, busy: Busy) -> Found:
        return [(item, number) for item, number in items if number in busy and item not in self.exempt]

    async def _hold(self, found: Found) -> None:
        await self.journal.call(self.journal.ledger.hold, [item for item, _ in found])

    async def _skip(self, found: Found) -> None:
        await self.journal.call(self.journal.ledger.spare, [item for item, _ in found], self.clock())
        places = {target.no: target.target for target in self.targets}
        for item, number in found:
            self.finished(item_of(self.lane, places, item, number), _IN_CALL, 0, None)

    async def _left_out(self, found: Found, findings: Findings) -> None:
        """Take them out of what a rollback could put back."""
        for item, _ in found:
            before = await self.journal.call(self.journal.ledger.history.before, item) or {}
            if said := before.get("reversal"):
                findings.reversals[Reversal(said["how"], tuple(said["missing"]))] -= 1
        findings.reversals = +findings.reversals

    def _tell(self, found: Found, findings: Findings) -> None:
        findings.calls = f"{_numbers(len(found))} in one now"
        if not found or self.guards.live_calls == "skip":
            return
        named = ", ".join(number for _, number in found[:_NAMED])
        more = f" and {len(found) - _NAMED} more" if found[_NAMED:] else ""
        waits = f"waited for up to {self.guards.live_calls_wait:g} s"
        becomes = waits if self.wanted else f"{self.goal.participle} all the same"
        verb = "is" if len(found) == 1 else "are"
        findings.warnings.append(f"{_numbers(len(found))} in a call now ({named}{more}), and {verb} {becomes}")


def _numbers(count: int) -> str:
    return f"{count or 'no'} number is" if count <= 1 else f"{count} numbers are"
