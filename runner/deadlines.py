"""A time limit that many requests share: one timer for all, as a timer for each would cost more than it is worth."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class Deadlines:
    """Limits whatever runs inside ``with deadlines.limit():`` to ``seconds``; TimeoutError when it takes longer.

    As all have the same limit, the one that began first is the first whose time is up. Belongs to one event loop.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[Limit, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def limit(self) -> Limit:
        """Return a limit for the task that enters it; each is good for once."""
        return Limit(self._running, self)

    def watch(self, loop: asyncio.AbstractEventLoop, now: float) -> float:
        """Return when the time of what begins ``now`` is up, and wake up in time for it."""
        due = now + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(due, self._expire, loop)
        return due

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        """Interrupt those whose time is up, and wake up again for the first of the others."""
        self._timer = None
        while self._running:
            limit, due = next(iter(self._running.items()))
            if due > loop.time():
                self._timer = loop.call_at(due, self._expire, loop)
                return
            del self._running[limit]
            limit.expire()


class Limit:
    """One use of a time limit: a context manager that turns its own interruption, and no other, into TimeoutError."""

    __slots__ = ("_cancelling", "_deadlines", "_expired", "_running", "_task")

    def __init__(self, running: dict[Limit, float], deadlines: Deadlines) -> None:
        self._running, self._deadlines = running, deadlines
        self._expired = False

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("a time limit needs a task that it can interrupt")
        self._task, self._cancelling = task, task.cancelling()
        self._running[self] = self._deadlines.watch(loop, loop.time())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._running.pop(self, None)
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Interrupt the task, whose time is up."""
        self._expired = True
        self._task.cancel()
