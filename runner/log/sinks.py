"""Where rendered lines go: the run's file, and the console a person reads."""

from __future__ import annotations

import contextlib
import json
import os
import re
from functools import partial
from typing import TYPE_CHECKING, Literal

import orjson

from runner.log.prose import sentence
from runner.log.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO, TextIO

ConsoleFormat = Literal["console", "json"]
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

_FLUSH_AFTER = 0.2
_BARE = re.compile(r"[^\s\"'=]+")


class Sink:
    """What structlog calls a logger: it takes rendered lines, by a method per level."""

    def __init__(self, file: LogFile, console: Console, console_level: int) -> None:
        self.file, self._console, self._from = file, console, console_level
        for name, level in LEVELS.items():
            setattr(self, name, partial(self._take, level))

    def _take(self, level: int, line: bytes) -> None:
        self.file.add(line)
        if level >= LEVELS["warning"]:
            self.file.flush()
        if level >= self._from:
            self._console.show(line)


class LogFile:
    """The run's log file, buffered; gives up at the first failure and says so."""

    def __init__(self, path: Path | None, clock: Callable[[], float], console: Console) -> None:
        self._path, self._clock, self._console = path, clock, console
        self._lines: list[bytes] = []
        self._flushed = clock()
        self._file: BinaryIO | None = None
        if path:
            with self._giving_up():
                self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "a+b")
                self._mend()

    def add(self, line: bytes) -> None:
        """Buffer a line, and write the buffer when the last time is long enough ago."""
        if self._file is None:
            return
        self._lines.append(line)
        if not 0 <= self._clock() - self._flushed < _FLUSH_AFTER:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered."""
        self._flushed = self._clock()
        if self._file is None or not self._lines:
            return
        lines, self._lines = self._lines, []
        with self._giving_up():
            self._file.write(b"\n".join([*lines, b""]))
            self._file.flush()

    def close(self) -> None:
        """Write what is buffered and take no more."""
        self.flush()
        if self._file is not None:
            with self._giving_up():
                self._file.close()
        self._file = None

    def _mend(self) -> None:
        """End a line that a killed process left torn, so that ours do not hang on to it."""
        if self._file is not None and self._file.seek(0, os.SEEK_END):
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._file.write(b"\n")

    @contextlib.contextmanager
    def _giving_up(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            file, self._file = self._file, None
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()
            self._console.say(f"the log file {self._path} is given up: {error.strerror}; the run goes on without it")


class Console:
    """The terminal or pipe a person reads; what cannot be written to it is not worth stopping for."""

    def __init__(self, stream: TextIO, form: ConsoleFormat) -> None:
        self._stream, self._form = stream, form

    def show(self, line: bytes) -> None:
        """Print a rendered event."""
        self._print(_as_json(line) if self._form == "json" else _as_text(line))

    def say(self, sentence: str) -> None:
        """Print a sentence of the log's own."""
        self._print(f"teardown: {plain(sentence)}")

    def _print(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self._stream.flush()


def _as_json(line: bytes) -> str:
    text = line.decode()
    return text if text.isprintable() else json.dumps(orjson.loads(line))


def _as_text(line: bytes) -> str:
    """``22:43:01Z throttled unpod-main for 12 s: …``; below a warning ``22:43:01Z info    run.started plan=sales``."""
    event = orjson.loads(line)
    time, level, name = event.pop("ts")[11:19], event.pop("level"), event.pop("event")
    event.pop("run_id", None)
    if LEVELS[level] >= LEVELS["warning"] and (told := sentence(name, event)):
        return f"{time}Z {plain(told)}"
    return " ".join([f"{time}Z {level:7} {plain(name)}", *(f"{plain(k)}={_value(v)}" for k, v in event.items())])


def _value(value: object) -> str:
    if isinstance(value, str) and value.isprintable() and _BARE.fullmatch(value):
        return value
    return plain(json.dumps(value, ensure_ascii=False))
