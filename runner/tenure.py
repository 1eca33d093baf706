"""How long the lanes are certainly this process's own, on a clock that goes on while the machine sleeps."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.errors import LaneStopped

if TYPE_CHECKING:
    from collections.abc import Callable


_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Return seconds that only go up, those of a suspended machine included where the system counts them."""
    return time.clock_gettime(_CLOCK)


@dataclass(slots=True)
class Tenure:
    """What a lease looks like to those who send: good until it has to be renewed, for ever where none is held.

    A process that was frozen or suspended wakes with a lease that may have run out, and may have been taken over: it
    sends nothing before a renewal has told that it was not.
    """

    clock: Callable[[], float] = uptime
    _until: float = math.inf
    _ended: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def extend(self, until: float) -> None:
        """Make it good until then, on ``clock``."""
        self._until = until
        self._changed.set()

    def end(self) -> None:
        """Let nobody wait for a renewal any more."""
        self._ended = True
        self._changed.set()

    @property
    def good(self) -> bool:
        """Whether it is good now."""
        return self.clock() < self._until

    async def renewed(self) -> None:
        """Return once it is good; LaneStopped when it will not be good again."""
        while not self.good:
            if self._ended:
                raise LaneStopped("the lane is stopping, and its lease has run out")
            self._changed.clear()
            await self._changed.wait()
