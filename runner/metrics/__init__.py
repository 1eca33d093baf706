"""The figures of a run for monitoring: written while it goes on and at its end; a failure changes nothing else."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from runner.aside import aside
from runner.metrics.facts import Figures, gather

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from runner.config import MetricsSettings
    from runner.log import Log

    Sink = Callable[[Figures], None]

__all__ = ["Figures", "gather", "publishing"]

T = TypeVar("T")

_PATIENCE = 10.0


@asynccontextmanager
async def publishing(
    settings: MetricsSettings, collector: str | None, gather: Callable[[], Figures], log: Log
) -> AsyncIterator[None]:
    """Publish what ``gather`` returns every so often until the block is left, and then once more.

    ``collector`` is where OTLP takes metrics. What cannot be written is told to ``log`` as ``metrics.failed``.
    """
    sinks = dict(_sinks(settings, collector))
    if not sinks:
        yield
        return
    publisher = _Publisher(sinks, gather, log)
    task = asyncio.create_task(publisher.go_on(settings.interval))
    try:
        yield
        publisher.over.set()
        await task
    finally:
        task.cancel()


@dataclass(slots=True)
class _Publisher:
    """Gives the figures to every sink, by name; one that fails is told about when it says something new."""

    sinks: Mapping[str, Sink]
    gather: Callable[[], Figures]
    log: Log
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _told: dict[str, str] = field(default_factory=dict)

    async def go_on(self, interval: float) -> None:
        """Publish every ``interval`` seconds, and a last time once it is ``over``."""
        ended = False
        while not ended:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    ended = await self.over.wait()
            await self._publish()

    async def _publish(self) -> None:
        if figures := await self._try("ledger", self.gather):
            await asyncio.gather(*(self._try(name, partial(sink, figures)) for name, sink in self.sinks.items()))

    async def _try(self, name: str, work: Callable[[], T]) -> T | None:
        """Return what ``work`` returns, None when it fails: whatever happened here is no reason to end a run."""
        try:
            result = await aside(work, _PATIENCE)
        except Exception as error:  # noqa: BLE001 - see above
            self._failed(name, str(error) or f"no answer within {_PATIENCE:g} s")
            return None
        self._told.pop(name, None)
        return result

    def _failed(self, name: str, sentence: str) -> None:
        if self._told.get(name) != sentence:
            self._told[name] = sentence
            self.log.warning("metrics.failed", to=name, error=sentence)


def _sinks(settings: MetricsSettings, collector: str | None) -> Iterator[tuple[str, Sink]]:
    if settings.textfile or settings.pushgateway:
        from runner.metrics import prometheus  # noqa: PLC0415 - of an extra

        if settings.textfile:
            yield "textfile", partial(prometheus.write, path=settings.textfile)
        if settings.pushgateway:
            yield "pushgateway", partial(prometheus.push, address=settings.pushgateway, job=settings.job)
    if collector:
        from runner.metrics.collector import send  # noqa: PLC0415 - of an extra

        yield "otlp", partial(send, endpoint=collector)
