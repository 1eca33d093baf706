"""The chain that an event goes through, and the log that feeds it."""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import orjson

from runner.log.sinks import LEVELS, Console, LogFile, Sink
from runner.log.text import mask, mask_line, plain, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, MutableMapping
    from pathlib import Path
    from typing import TextIO

    from runner.log.sinks import ConsoleFormat

    Fields = MutableMapping[str, Any]


class Event(Protocol):
    """Record that something happened; a key whose value is None is left out."""

    def __call__(self, event: str, **fields: object) -> None:
        """Record ``event`` with its ``fields``."""


class Log:
    """Where events go; ``debug``, ``info``, ``warning`` and ``error`` each take an event's name and its fields."""

    __slots__ = ("_bound", "_sink", "debug", "error", "info", "warning")

    debug: Event
    info: Event
    warning: Event
    error: Event

    def __init__(self, bound: Any, sink: Sink) -> None:
        self._bound, self._sink = bound, sink
        self.debug, self.info = bound.debug, bound.info
        self.warning, self.error = bound.warning, bound.error

    def bind(self, **fields: object) -> Log:
        """Return the same log, which adds ``fields`` to every event."""
        return Log(self._bound.bind(**fields), self._sink)

    def flush(self) -> None:
        """Hand what is buffered to the file now."""
        self._sink.file.flush()

    def close(self) -> None:
        """Flush and close the file; events after it reach the console only."""
        self._sink.file.close()


def open(  # noqa: A001 - reads as log.open
    run_id: str,
    *,
    file: Path | None,
    console: TextIO,
    console_format: ConsoleFormat,
    console_level: str,
    masked: bool,
    secrets: Collection[str],
    clock: Callable[[], float],
) -> Log:
    """Open the log of a run; ``clock`` gives seconds since the epoch, ``console_level`` is a key of ``LEVELS``.

    Every event goes to ``file`` (appended, 0600), those of ``console_level`` and above to ``console`` as well. Never
    raises: a file that cannot be written is given up, and the console says so once.
    """
    with _without_rich():
        import structlog  # noqa: PLC0415 - 40 ms that only a run pays

        from runner.log.bound import Bound  # noqa: PLC0415 - the same

    screen = Console(console, console_format)
    sink = Sink(LogFile(file, clock, screen), screen, LEVELS[console_level])
    bound = structlog.wrap_logger(
        sink,
        processors=[_Stamp(clock), *([_mask_number] if masked else []), _Render(secrets, masked=masked)],
        wrapper_class=Bound,
        context_class=dict,
        cache_logger_on_first_use=True,
        run_id=run_id,
    ).bind()
    return Log(bound, sink)


@contextmanager
def _without_rich() -> Iterator[None]:
    """Keep structlog from loading what only its own console needs: that takes longer than all the rest of it."""
    loaded = "rich" in sys.modules
    if not loaded:
        sys.modules["rich"] = None  # type: ignore[assignment] # how Python says that there is none
    try:
        yield
    finally:
        if not loaded:
            del sys.modules["rich"]


class _Stamp:
    """Put time, level and name first, and leave out what is null."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def __call__(self, _logger: object, level: str, fields: Fields) -> Fields:
        event = {"ts": stamp(self._clock()), "level": level, **fields}
        return {key: value for key, value in event.items() if value is not None} if None in event.values() else event


def _mask_number(_logger: object, _level: str, event: Fields) -> Fields:
    if "number" in event:
        event["number"] = mask(str(event["number"]))
    return event


class _Render:
    """An event as a line of JSON, without secrets."""

    def __init__(self, secrets: Collection[str], *, masked: bool) -> None:
        shapes = {shape for secret in secrets if secret for shape in (secret, quote(secret, safe=""))}
        longest_first = sorted(shapes, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        self._needles = [orjson.dumps(shape)[1:-1] for shape in longest_first]
        self._masked = masked

    def __call__(self, _logger: object, _level: str, event: Fields) -> bytes:
        line = _encode(event)
        for needle in self._needles:
            if needle in line:
                line = orjson.dumps(self._scrub(orjson.loads(line)))
                break
        return mask_line(line) if self._masked else line

    def _scrub(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._pattern.sub("***", value)
        if isinstance(value, dict):
            return {key: self._scrub(inner) for key, inner in value.items()}
        return [self._scrub(inner) for inner in value] if isinstance(value, list) else value


def _encode(event: Fields) -> bytes:
    try:
        return orjson.dumps(event, default=str)
    except TypeError:  # a lone surrogate, an integer beyond 64 bits: the event matters more than its types
        return orjson.dumps({key: plain(str(value)) for key, value in event.items()})
