"""A health gate: asked before each batch, and whatever is no good answer in time is a bad one."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import aiohttp
from msgspec import Struct

from runner.errors import InputError
from runner.programs import lacking, run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from runner.lanes import Lane
    from runner.log import Log
    from runner.policy import Gate

_GOOD = range(200, 300)


def check(gate: Gate | None, environ: Mapping[str, str]) -> None:
    """Raise InputError when the gate's program is not there: it would never let anything through."""
    if gate and gate.command and (missing := lacking(gate.command, environ)):
        raise InputError(f"guards.gate: {missing}")


class Gatekeeper(Struct, frozen=True):
    """Asks ``gate``, if there is one, and lets the next batch through when all is well; ``trip`` stops the run.

    When every lane has stopped, nothing leaves whatever the answer is: it is not waited for.
    """

    gate: Gate | None
    lanes: Collection[Lane]
    log: Log
    trip: Callable[[str], None]

    async def opens(self) -> bool:
        """Whether the next batch may begin, now or after a pause; False when the gate has stopped the run."""
        if self.gate is None or not (why := await self._answer(self.gate)):
            return True
        if self.gate.on_fail == "stop":
            self.trip(why)
            return False
        self.log.warning("gate.closed", error=why)
        while why and not self._over:
            await self._wait(self.gate.every, f"paused, {why}")
            why = await self._answer(self.gate)
        if not self._over:
            self.log.warning("gate.opened")
        return True

    @property
    def _over(self) -> bool:
        return all(lane.stopped for lane in self.lanes)

    async def _wait(self, seconds: float, why: str | None = None) -> None:
        """Wait for so long, or until every lane has stopped."""
        await asyncio.gather(*(lane.wait(seconds, why) for lane in self.lanes))

    async def _answer(self, gate: Gate) -> str | None:
        tasks = asking, over = asyncio.ensure_future(_ask(gate)), asyncio.ensure_future(self._wait(gate.timeout))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return None if self._over else await asking
        finally:
            asking.cancel()
            over.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _ask(gate: Gate) -> str | None:
    """Return why the gate lets nothing through at the moment; None when all is well."""
    complaint = await _fetch(gate.url, gate.timeout) if gate.url else await _run(gate)
    return complaint and f"guards.gate: {complaint}"


async def _run(gate: Gate) -> str | None:
    ran = await run(gate.command, dict(os.environ), gate.timeout)
    if ran.failure is None:
        return None
    said = f": {ran.output.splitlines()[-1]}" if ran.output else ""
    return f"{gate.command[0]}: {ran.failure}{said}"


async def _fetch(url: str, timeout: float) -> str | None:  # noqa: ASYNC109 - it is told, not only raised
    shown = url.partition("?")[0]  # a query may hold a key
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(timeout)) as session,
            session.get(url) as answer,
        ):
            return None if answer.status in _GOOD else f"{shown} answered HTTP {answer.status}"
    except TimeoutError:
        return f"{shown} did not answer within {timeout:g} s"
    except (aiohttp.ClientError, OSError) as error:
        return f"{shown} could not be asked: {type(error).__name__}"
