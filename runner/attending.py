"""What goes on beside the work: display and log kept fresh, counts written, leases renewed, commands obeyed."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.holding import TTL
from runner.lanes import Stop
from runner.tenure import uptime

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.journal import Journal
    from runner.lanes import Lane
    from runner.log import Log
    from runner.progress import Progress
    from runner.records import Command

_TICK = 0.25
_TICKS_PER_ROUND = 4


@dataclass(slots=True)
class Attendant:
    """Attends to the lanes of a run, ``held`` by leases of its ``session`` unless nothing can be sent.

    ``clock`` gives seconds since the epoch, ``stop`` stops every lane.
    """

    lanes: Mapping[str, Lane]
    journal: Journal
    log: Log
    progress: Progress
    session: str
    held: bool
    clock: Callable[[], float]
    stop: Callable[[Stop], None]
    paused: bool = False

    async def attend(self) -> None:
        """Look after everything several times a second, until cancelled."""
        for tick in itertools.count(1):
            await asyncio.sleep(_TICK)
            for lane in self.lanes.values():
                self._tell(lane)
            self.progress.tick()
            self.log.flush()
            if tick % _TICKS_PER_ROUND == 0:
                await self.count()
                await self._keep_leases()
                self._obey(*await self.journal.call(self.journal.ledger.history.command, self.journal.run_id))

    def _tell(self, lane: Lane) -> None:
        tally, limit = lane.channel.tally, lane.channel.pacer.rate.per_second
        self.progress.traffic(lane.account, requests=tally.requests, retries=tally.retries, limit=limit)
        self.progress.waiting(lane.account, *lane.why_waiting())

    async def count(self) -> None:
        """Record what the lanes have counted so far, and why they wait."""
        for lane in self.lanes.values():
            rate, (waiting, _) = lane.channel.pacer.rate.per_second, lane.why_waiting()
            await self.journal.count(lane.account, rate=rate, tally=lane.channel.counted(), waiting=waiting)

    async def _keep_leases(self) -> None:
        if not self.held:
            return
        asked = uptime()
        kept = await self.journal.call(self.journal.ledger.renew, self.session, self.clock() + TTL)
        if kept < len(self.lanes):
            self.stop(Stop("lease_lost", "another run has taken the lane over"))
            return
        for lane in self.lanes.values():
            lane.channel.tenure.extend(asked + TTL)

    def _obey(self, command: Command | None, reason: str | None) -> None:
        """Do what somebody at another terminal wants."""
        pause = command == "pause"
        if pause is not self.paused and command != "stop":
            self.paused = pause
            self.log.warning("run.paused" if pause else "run.unpaused", reason=reason)
            for lane in self.lanes.values():
                lane.channel.pacer.hold(on=pause)
        if command == "stop" and not all(lane.stopped for lane in self.lanes.values()):
            self.stop(Stop("operator", f"stopped by an operator{f': {reason}' if reason else ''}"))
