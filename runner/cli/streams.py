"""Output that nobody reads any more must not end a run: a closed pipe, a lost terminal."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


class Forgiving:
    """A text stream whose writes are dropped, from the first one on that fails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost = False

    def write(self, text: str) -> int:
        """Write ``text`` if that still goes anywhere."""
        try:
            return len(text) if self._lost else self._stream.write(text)
        except OSError:
            self._lost = True
            return len(text)

    def flush(self) -> None:
        """Flush if that still goes anywhere."""
        try:
            if not self._lost:
                self._stream.flush()
        except OSError:
            self._lost = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Write to stdout; when its reader has left, go on as if it had read all."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains on its way out
