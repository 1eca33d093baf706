"""The event loop that a command works in."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` comes to, on uvloop's event loop where that is installed: it takes a fifth off a request."""
    gc.freeze()  # what was loaded stays, and need not be searched for garbage over and over
    with asyncio.Runner(loop_factory=_factory()) as runner:
        return runner.run(work)


def _factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None

    class Loop(uvloop.Loop):
        """Its own clock stands still during a turn: what leaves late in one would count for an earlier second."""

        def time(self) -> float:
            return time.monotonic()

    return Loop
