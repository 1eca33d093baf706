"""One read for all who ask for the same thing at the same time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

T = TypeVar("T")


class Shared(Generic[T]):
    """Lets those who ask while a read is under way share the next one: what began before they asked may be too old."""

    def __init__(self) -> None:
        self._turns: defaultdict[Hashable, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._next: dict[Hashable, asyncio.Future[T]] = {}

    async def read(self, key: Hashable, fetch: Callable[[], Awaitable[T]]) -> T:
        """Return what ``fetch`` returns, or raise what it raises, from a call that began after this one did."""
        while (coming := self._next.get(key)) is not None:
            await asyncio.wait([coming])
            if not coming.cancelled():
                return coming.result()
        coming = self._next[key] = asyncio.get_running_loop().create_future()
        try:
            result = await self._fetch(key, fetch)
        except Exception as error:
            coming.set_exception(error)
            coming.exception()  # nobody else may have asked
            raise
        except asyncio.CancelledError:
            coming.cancel()  # those who wait do it themselves
            raise
        finally:
            if self._next.get(key) is coming:
                del self._next[key]
        coming.set_result(result)
        return result

    async def _fetch(self, key: Hashable, fetch: Callable[[], Awaitable[T]]) -> T:
        async with self._turns[key]:
            del self._next[key]
            return await fetch()
