"""A time limit that many requests share: one timer for all, as a timer for each would cost more than it is worth."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


class Deadlines:
    """Limits whatever runs inside ``with deadlines.limit():`` to ``seconds``; TimeoutError when it takes longer.

    As all have the same limit, the one that began first is the first whose time is up.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._running: dict[Limit, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def limit(self) -> Limit:
        """Return a limit for the task that enters it; each is good for once."""
        return Limit(self)

    def begin(self, limit: Limit) -> None:
        """Count the time of ``limit`` from now on."""
        loop = asyncio.get_running_loop()
        self._running[limit] = due = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(due, self._expire)

    def end(self, limit: Limit) -> None:
        """Forget ``limit``, if its time is not up yet."""
        self._running.pop(limit, None)

    def _expire(self) -> None:
        """Interrupt those whose time is up, and wake up again for the first of the others."""
        loop, self._timer = asyncio.get_running_loop(), None
        while self._running:
            limit, due = next(iter(self._running.items()))
            if due > loop.time():
                self._timer = loop.call_at(due, self._expire)
                return
            del self._running[limit]
            limit.expire()


class Limit:
    """One use of a time limit: a context manager that turns its own interruption, and no other, into TimeoutError."""

    __slots__ = ("_cancelling", "_deadlines", "_expired", "_task")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a time limit needs a task that it can interrupt")
        self._task, self._cancelling = task, task.cancelling()
        self._deadlines.begin(self)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._deadlines.end(self)
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Interrupt the task, whose time is up."""
        self._expired = True
        self._task.cancel()
