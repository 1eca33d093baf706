"""A line every few seconds, for a file or a scheduler's log."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from runner.log import plain
from runner.progress.facts import Board, counts_text, eta_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVERY = 5.0


class LineProgress(Board):
    """A line every few seconds, for a file or a scheduler's log."""

    _last = ""

    def phase(self, name: str) -> None:
        """Say what is being done now, on a line of its own."""
        super().phase(name)
        self._write(f"teardown: {plain(name)}")

    def tick(self) -> None:
        """Write a line, when it is time to."""
        if self._due(_EVERY):
            self._write(self._line())

    def rest(self) -> None:
        """Nothing has to be given back."""

    def close(self) -> None:
        """Write the last state, unless it was the last line."""
        self._mark()
        if self._total:
            self._write(self._line())

    def _line(self) -> str:
        whole = self._whole()
        if not self._total:
            return f"teardown: {plain(self._phase)}, {whole.requests} requests, {whole.speed()}"
        retries = f"{whole.retries} retries" if whole.retries else ""
        eta = self._eta(whole)
        ahead = "done" if eta == 0 else f"ETA {eta_text(eta)}"
        facts = [counts_text(whole.counts), whole.speed(), retries, ahead, *self._waits()]
        return f"teardown: {whole.done}/{self._total} {', '.join(filter(None, facts))}"

    def _waits(self) -> Iterator[str]:
        now = self._clock()
        for facts in self._lanes.values():
            if facts.reason:
                yield f"{plain(facts.account)}: {facts.why(now)}"

    def _write(self, line: str) -> None:
        if line != self._last:
            self._last = line
            with suppress(OSError, ValueError):  # nobody reads any more: no reason to stop
                self._out.write(line + "\n")
                self._out.flush()
