"""A display redrawn in place, for a terminal."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from rich.console import Console, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from runner.progress.facts import Board, cut
from runner.progress.table import Frame, Row

if TYPE_CHECKING:
    from collections.abc import Callable

_EVERY = 0.1
_STYLES = {"failed": "red", "unknown": "red", "stopped": "bold red", "info": "dim", "debug": "dim"}


class LiveProgress(Board):
    """A line per lane and one for the run, redrawn in place; gone when it is closed, for the summary to follow."""

    def __init__(self, stream: TextIO, *, color: bool, clock: Callable[[], float]) -> None:
        super().__init__(stream, clock=clock)
        self._console = Console(file=stream, force_terminal=True, no_color=not color, highlight=False)
        self._live: Live | None = None
        self._shown: list[int] = []
        self.stream = cast("TextIO", _Above(self, stream))

    def phase(self, name: str) -> None:
        """Say what is being done now, and show the display if it is not shown."""
        super().phase(name)
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
            with suppress(OSError, ValueError):
                self._live.start()
        self._draw()

    def tick(self) -> None:
        """Redraw, when it is time to."""
        if self._due(_EVERY):
            self._draw()

    def rest(self) -> None:
        """Take the display away and show the cursor again."""
        live, self._live, self._shown = self._live, None, []
        if live:
            with suppress(OSError, ValueError):
                live.stop()

    def close(self) -> None:
        """Take the display away for good."""
        self.rest()

    def above(self, line: str) -> bool:
        """Print a line above the display, cut to the terminal's width; false when no display is shown."""
        if self._live is None:
            return False
        style = next((_STYLES.get(word, "yellow") for word in line.split()[1:2]), "")
        with suppress(OSError, ValueError):
            if line.startswith("{"):  # half a JSON object is of no use
                self._console.print(Text(line), soft_wrap=True)
            else:
                self._console.print(Text(cut(line, self._console.width), style), no_wrap=True, overflow="crop")
        return True

    def _draw(self) -> None:
        if self._live is None:
            return
        with suppress(OSError, ValueError):
            width, height = self._console.size
            lines = list(self._frame(width, height).lines())
            self._make_up_for(width)
            self._live.update(Group(*lines), refresh=True)
            self._shown = [line.cell_len for line in lines]

    def _frame(self, width: int, height: int) -> Frame:
        now, whole = self._clock(), self._whole()
        # Once it is known what there is to do, an account that has nothing to do is left out.
        rows = [Row(facts, facts.eta(now)) for facts in self._lanes.values() if facts.total or not self._total]
        ascii_only = not self._console.encoding.startswith("utf")
        return Frame([*rows, Row(whole, self._eta(whole))], self._phase, now, width, height, ascii_only)

    def _make_up_for(self, width: int) -> None:
        """Take away the lines that a terminal has made of ours when it became narrower than they are."""
        more = sum((length - 1) // width for length in self._shown if length > width)
        if more > 0:
            self._console.control(Control(*[(ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)] * more))


class _Above:
    """A text stream whose lines stand above the display, one line each: the log file has the rest of a longer one."""

    def __init__(self, display: LiveProgress, stream: TextIO) -> None:
        self._display, self._stream = display, stream

    def write(self, text: str) -> int:
        """Write whole lines."""
        if not all(map(self._display.above, text.splitlines())):
            self._stream.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
