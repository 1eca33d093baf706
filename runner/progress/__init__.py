"""What a person watches while a run goes on: told facts by the runner, asked for nothing, able to stop nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from runner.progress.lines import LineProgress

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from runner.model import State

__all__ = ["LineProgress", "NoProgress", "Progress", "choose"]


class Progress(Protocol):
    """A display; the runner tells it what happened and calls :meth:`tick` a few times a second."""

    stream: TextIO
    """Where other lines for the same terminal go, so that they do not tear the display."""

    def start(self, total: int) -> None:
        """Begin a run of ``total`` items."""
        ...

    def lane(self, account: str, total: int) -> None:
        """Add a lane that has ``total`` items to settle."""
        ...

    def phase(self, name: str) -> None:
        """Say what is being done now; rates count from here."""
        ...

    def settled(self, account: str, state: State, was: State | None = None) -> None:
        """Count an item that ended at ``state``; ``was`` is where it had ended before, when a look changed that."""
        ...

    def traffic(self, account: str, *, requests: int, retries: int, limit: float) -> None:
        """Note how many requests and repeats a lane has sent, and how many requests a second it may send now."""
        ...

    def waiting(self, account: str, reason: str | None, until: float | None = None) -> None:
        """Say why a lane waits and until when on the display's clock, where that is known; None when it goes on."""
        ...

    def tick(self) -> None:
        """Show what changed, when it is time to."""
        ...

    def rest(self) -> None:
        """Give the terminal back until the next phase, for a question."""
        ...

    def close(self) -> None:
        """Show the last state, and give the terminal back; harmless the second time."""
        ...


def choose(stream: TextIO, *, enabled: bool, color: bool, clock: Callable[[], float]) -> Progress:
    """Return the display that fits ``stream``: live on a terminal, lines elsewhere and where ``TERM`` is ``dumb``.

    ``clock`` gives seconds that only go up. Colour needs ``color``, and ``NO_COLOR`` unset or empty.
    """
    if not enabled:
        return NoProgress(stream)
    if stream.isatty() and os.environ.get("TERM", "dumb") not in {"", "dumb", "unknown"}:
        from runner.progress.live import LiveProgress  # noqa: PLC0415 - rich: 35 ms that only a terminal pays

        return LiveProgress(stream, color=color and not os.environ.get("NO_COLOR"), clock=clock)
    return LineProgress(stream, clock=clock)


class NoProgress:
    """Shows nothing."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def start(self, total: int) -> None:
        """Show nothing."""

    def lane(self, account: str, total: int) -> None:
        """Show nothing."""

    def phase(self, name: str) -> None:
        """Show nothing."""

    def settled(self, account: str, state: State, was: State | None = None) -> None:
        """Show nothing."""

    def traffic(self, account: str, *, requests: int, retries: int, limit: float) -> None:
        """Show nothing."""

    def waiting(self, account: str, reason: str | None, until: float | None = None) -> None:
        """Show nothing."""

    def tick(self) -> None:
        """Show nothing."""

    def rest(self) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""
