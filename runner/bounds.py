"""Until when a run may send: the plan's window and the command's deadline."""

from __future__ import annotations

import asyncio
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.lanes import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from runner.policy import Window


@contextmanager
def bounded(window: Window, deadline: float | None, now: datetime, stop: Callable[[Stop], None]) -> Iterator[None]:
    """Call ``stop`` when the window closes, or ``deadline`` seconds from ``now`` have passed."""
    loop = asyncio.get_running_loop()
    closes_in = window.closes_in(now)
    timers = []
    if 0 < closes_in < math.inf:
        closed = Stop("window_closed", f"the plan's window closed at {window.not_after}")
        timers.append(loop.call_later(closes_in, stop, closed))
    if deadline is not None:
        over = Stop("deadline", f"the deadline of {deadline:g} s is reached")
        timers.append(loop.call_later(deadline, stop, over))
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
