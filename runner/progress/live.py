"""A display redrawn in place, for a terminal."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TextIO, cast

from rich.console import Console, Group
from rich.file_proxy import FileProxy
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from runner.log import plain
from runner.progress.facts import Board, counts_text

if TYPE_CHECKING:
    from collections.abc import Callable

_EVERY = 0.1
_BAR = 30


class LiveProgress(Board):
    """A line per lane and one for the run, redrawn in place; gone when it is closed, for the summary to follow."""

    def __init__(self, stream: TextIO, *, color: bool, clock: Callable[[], float]) -> None:
        super().__init__(stream, clock=clock)
        console = Console(file=stream, force_terminal=True, no_color=not color, highlight=False)
        self._live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False)
        self.stream = cast("TextIO", FileProxy(console, stream))  # writes above the display

    def start(self, total: int) -> None:
        """Begin a run of ``total`` items and show the display."""
        super().start(total)
        with suppress(OSError, ValueError):
            self._live.start()

    def tick(self) -> None:
        """Redraw, when it is time to."""
        if self._due(_EVERY):
            with suppress(OSError, ValueError):
                self._live.update(self._frame(), refresh=True)

    def close(self) -> None:
        """Take the display away and show the cursor again."""
        with suppress(OSError, ValueError):
            self._live.stop()

    def _frame(self) -> Group:
        run = f"{plain(self._phase)} {self._done}/{self._total}  {self._counts()}  {self._rate():.1f}/s"
        return Group(self._table(), Text(f"{run}  ETA {self._eta()}".lstrip(), "bold", no_wrap=True))

    def _table(self) -> Table:
        table, now = Table.grid(padding=(0, 1)), self._clock()
        for facts in self._lanes.values():
            bar = ProgressBar(facts.total or 1, facts.done, width=_BAR)
            words = [counts_text(facts.counts), f"{facts.pace.rate:.1f}/s", facts.wait_text(now)]
            texts = [Text(word, no_wrap=True) for word in (f"{facts.done}/{facts.total}", *words)]
            table.add_row(Text(plain(facts.account), no_wrap=True), bar, *texts)
        return table
