"""The question before a run, and what it is about."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.preview import Preview

_SHOWN = 20


def describe(seen: Preview, say: Callable[[str], None]) -> None:
    """Say what would happen: a line per target, then a line per lane with requests and time, then what forbids it."""
    for target in seen.targets[:_SHOWN]:
        place = f"{target.account}/{target.target}" if target.target else target.account
        parts = [f"{target.to_detach} to detach"]
        parts += [f"{target.already_detached} already detached"] if target.already_detached else []
        parts += [f"{target.skipped} left alone"] if target.skipped else []
        parts += [f"of {target.attached} attached"] if target.attached is not None else []
        say(f"  {place}: {', '.join(parts)}")
    if len(seen.targets) > _SHOWN:
        say(f"  … and {len(seen.targets) - _SHOWN} more targets")
    for lane in seen.lanes:
        say(f"  {lane.sentence()}")


class Prompt:
    """Asks on the terminal without stopping the event loop, so that a signal is still heard."""

    _answer: asyncio.Future[str] | None = None

    async def ask(self, seen: Preview) -> bool:
        """Return whether the answer is yes."""
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        loop.add_reader(sys.stdin, self._read)
        count = "1 number" if seen.to_detach == 1 else f"{seen.to_detach} numbers"
        click.echo(f"Detach {count}? Their calls stop at once. [y/N] ", err=True, nl=False)
        try:
            return (await self._answer).strip().lower() in {"y", "yes"}
        finally:
            loop.remove_reader(sys.stdin)

    def _read(self) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result(sys.stdin.readline())

    def cancel(self) -> None:
        """Answer no, because something else came up."""
        if self._answer and not self._answer.done():
            self._answer.set_result("")
