"""Work that may block, beside the event loop, and never waited for beyond one's patience."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def aside(work: Callable[[], T], patience: float) -> T:
    """Return what ``work`` returns in a thread of its own; TimeoutError when that takes ``patience`` seconds.

    The thread is given up then, and keeps nobody from leaving: one of an executor would be waited for at the end.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if over.done():
            return
        if error is None:
            over.set_result(result)  # type: ignore[arg-type] # without an error it is a T
        else:
            over.set_exception(error)

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is raised where it was waited for
            failed = error
        with contextlib.suppress(RuntimeError):  # nobody waits any more: the loop is closed
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, daemon=True).start()
    async with asyncio.timeout(patience):
        return await over
