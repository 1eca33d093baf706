"""The ledger as a running process uses it: one writer thread, marks awaited, outcomes gathered into batches."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from runner.history import Standing
    from runner.ledger import Ledger
    from runner.model import State
    from runner.records import Attempt, Settled
    from runner.tally import Tally

P = ParamSpec("P")
T = TypeVar("T")

_EVERY = 0.2
_AT_ONCE = 10_000


class Journal:
    """Writes of one process about one run.

    What is gathered is lost when the process is killed: then the mark stands, and a resume looks before it repeats.
    """

    def __init__(self, ledger: Ledger, run_id: str, session: str) -> None:
        self.ledger = ledger
        self.run_id = run_id
        self._session = session
        self._attempts: list[Attempt] = []
        self._settled: list[Settled] = []
        self._verified: list[int] = []
        # What waits for the writer stays here until it is written, even when the caller that gathered it is cancelled.
        self._batches: deque[tuple[list[Attempt], list[Settled], list[int]]] = deque()
        self._writer = ThreadPoolExecutor(1, "ledger")

    def attempted(self, attempt: Attempt) -> None:
        """Gather an attempt."""
        self._attempts.append(attempt)

    def settled(self, settled: Settled) -> None:
        """Gather an outcome."""
        self._settled.append(settled)

    def verified(self, item: int) -> None:
        """Gather that a look has seen a detached item gone."""
        self._verified.append(item)

    async def claim(
        self, account: str, *, after: int, upto: int, most: int, departs: float | None = None
    ) -> list[tuple[int, str]]:
        """Return the next items of a lane; when this returns, their marks are on the disk."""
        claim = self.ledger.claim
        return await self.call(claim, self.run_id, account, after=after, upto=upto, most=most, departs=departs)

    async def items_of(self, target: int, states: Collection[State]) -> AsyncIterator[Standing]:
        """Yield the items of one target that are in one of ``states``, no more than some thousands in memory."""
        read, after = self.ledger.history.items_of, 0
        while found := await self.call(read, target, states, after=after, most=_AT_ONCE):
            for standing in found:
                yield standing
            after = found[-1].id

    async def count(self, account: str, *, rate: float, tally: Tally, waiting: str | None) -> None:
        """Record what a lane has counted, and why it waits."""
        count = self.ledger.count
        await self.call(count, self.run_id, self._session, account, rate=rate, tally=tally, waiting=waiting)

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Write what has been gathered, then call ``function`` of the ledger, in the writer's thread."""
        if self._attempts or self._settled or self._verified:
            self._batches.append((self._attempts, self._settled, self._verified))
            self._attempts, self._settled, self._verified = [], [], []

        def write() -> T:
            while self._batches:
                self.ledger.record(*self._batches[0])
                self._batches.popleft()
            return function(*args, **kwargs)

        # Whoever waits may be cancelled; what was gathered is written all the same, and a failure shows next time.
        writing = asyncio.get_running_loop().run_in_executor(self._writer, write)
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(writing)

    async def flush(self) -> None:
        """Write what has been gathered."""
        await self.call(lambda: None)

    async def keep(self) -> None:
        """Write what has been gathered several times a second, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY)
            if self._attempts or self._settled or self._verified or self._batches:
                await self.flush()

    def close(self) -> None:
        """End the writer's thread once it has written what it was given."""
        self._writer.shutdown()
