"""What figures and traces share on their way to an OpenTelemetry collector: address, sender, and complaints."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from runner.extras import installed
from runner.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.sdk.resources import Resource

TIMEOUT = 3.0
"""Seconds for one export, repetitions included."""

_LOGGER = "opentelemetry"


def endpoint(configured: str | None, environ: Mapping[str, str], signal: Literal["traces", "metrics"]) -> str | None:
    """Return where ``signal`` goes: what is configured, else OpenTelemetry's own variables where it is installed."""
    base = configured or _from(environ, signal)
    return f"{base.rstrip('/')}/v1/{signal}" if base else None


def resource() -> Resource:
    """Return who sends: the service ``teardown``, and what OTEL_RESOURCE_ATTRIBUTES adds."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - of an extra, and only where it is asked for

    return Resource.create({"service.name": "teardown", "service.version": VERSION})


@contextmanager
def complaints(tell: Callable[[str, str], None]) -> Iterator[None]:
    """Hand what OpenTelemetry's loggers warn of to ``tell``, on the loop: ``metrics`` or ``tracing``, and the sentence.

    Without any handler these would go to stderr, once for each repetition.
    """
    logger, handler = logging.getLogger(_LOGGER), _Complaints(tell)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Complaints(logging.Handler):
    def __init__(self, tell: Callable[[str, str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell, self._loop = tell, asyncio.get_running_loop()
        self._told: set[tuple[str, str]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if (record.name, record.msg) in self._told:  # the same again, with another wait or another count
            return
        self._told.add((record.name, record.msg))
        about = "metrics" if "metric" in record.name else "tracing"
        with contextlib.suppress(RuntimeError):  # the loop is closed: the run is over
            self._loop.call_soon_threadsafe(self._tell, about, record.getMessage())


def _from(environ: Mapping[str, str], signal: str) -> str | None:
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    off = environ.get(f"OTEL_{signal.upper()}_EXPORTER") == "none" or environ.get("OTEL_SDK_DISABLED") == "true"
    return base if base and not off and installed("otel") else None
