"""Who watches a run from outside: figures for monitoring, a trace for whoever follows requests across services."""

from __future__ import annotations

from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from runner import otlp
from runner.metrics import gather, publishing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from runner.config import MetricsSettings, Settings
    from runner.log import Log
    from runner.metrics import Figures
    from runner.records import RunRecord
    from runner.tracing import Trace


@asynccontextmanager
async def observed(
    record: RunRecord,
    settings: Settings,
    ledger: Path,
    *,
    environ: Mapping[str, str],
    log: Log,
    clock: Callable[[], float],
) -> AsyncIterator[Trace | None]:
    """Publish the run's figures and trace as ``settings`` and ``environ`` say; yield the trace where there is one.

    A rehearsal is nobody's business, and a dry run leaves no figures, as it would replace those of the last real run.
    """
    if record.sandbox:
        yield None
        return

    def complain(about: str, sentence: str) -> None:
        log.warning("tracing.failed" if about == "tracing" else "metrics.failed", to="otlp", error=sentence)

    with otlp.complaints(complain):
        async with (
            _traced(record, settings, environ) as trace,
            _published(record, settings.metrics, environ, lambda: gather(ledger, record.id, clock()), log),
        ):
            if trace:
                log.info("tracing.started", trace_id=trace.id)
            yield trace


def _traced(
    record: RunRecord, settings: Settings, environ: Mapping[str, str]
) -> AbstractAsyncContextManager[Trace | None]:
    collector = otlp.endpoint(settings.tracing.endpoint, environ, "traces")
    if collector is None:
        return nullcontext()
    from runner.tracing import tracing  # noqa: PLC0415 - of an extra

    return tracing(collector, record, masked=settings.log.numbers == "masked", parent=environ.get("TRACEPARENT"))


def _published(
    record: RunRecord,
    settings: MetricsSettings,
    environ: Mapping[str, str],
    figures: Callable[[], Figures],
    log: Log,
) -> AbstractAsyncContextManager[None]:
    collector = otlp.endpoint(settings.otlp, environ, "metrics")
    return nullcontext() if record.dry_run else publishing(settings, collector, figures, log)
