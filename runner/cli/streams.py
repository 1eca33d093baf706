"""Output that nobody reads any more must not end a run: a closed pipe, a lost terminal. And none may be lost."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


_NARROWEST = 20
"""A terminal that says it is no wider does not know how wide it is."""


class Forgiving:
    """A text stream that drops its writes once one has failed; when ``masked``, it shows no whole number."""

    def __init__(self, stream: TextIO) -> None:
        self.masked = False
        self._stream = stream
        self._lost = False

    def write(self, text: str) -> int:
        """Write ``text`` if that still goes anywhere."""
        shown = self._masked(text) if self.masked else text
        try:
            if not self._lost:
                self._stream.write(shown)
        except OSError:
            self._lost = True
        return len(text)

    @staticmethod
    def _masked(text: str) -> str:
        from runner.log import mask_text

        return mask_text(text)

    def flush(self) -> None:
        """Flush if that still goes anywhere."""
        try:
            if not self._lost:
                self._stream.flush()
        except OSError:
            self._lost = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def laid_out(line: str) -> str:
    """Return a line for stderr: on a terminal it breaks between words, anywhere else not at all."""
    from runner.log import folded

    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return line
    return "\n".join(folded(line, width)) if width > _NARROWEST else line


def give_up_stdout() -> None:
    """Let the rest of stdout go nowhere: its reader has left, and Python would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def whole_stdout() -> Iterator[TextIO]:
    """Give stdout for a document of any length; what is written is on its way when the context ends.

    Where Python is told not to buffer (PYTHONUNBUFFERED, as in most containers), its own stream drops whatever the
    system does not take at once, without a word.
    """
    try:
        number = sys.stdout.fileno()
    except OSError:  # somebody's own stream, with no file behind it
        yield sys.stdout
        return
    sys.stdout.flush()
    with os.fdopen(number, "w", closefd=False, encoding=sys.stdout.encoding, errors=sys.stdout.errors) as stream:
        yield stream
