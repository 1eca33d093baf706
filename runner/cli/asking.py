"""The question before a run, and what it is about."""

from __future__ import annotations

import asyncio
import sys
from itertools import starmap
from typing import TYPE_CHECKING

import click

from runner.cli.streams import laid_out
from runner.log import plain
from runner.model import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runner.preview import Preview
    from runner.records import Removal

_BACK = {
    State.DETACHED: "a rollback puts back",
    State.REATTACHED: "puts back",
    State.MOVED: "if refused there, puts back",
}
_SHOWN = 12
_WIDEST = 32
"""How long a name may be for all of them to stand in a column."""
_MANY = 100
_NAMED = 3


def describe(seen: Preview, say: Callable[[str], None]) -> None:
    """Say what would happen: in all, a line per target, then a line per lane with requests and time.

    Where the world is not as the plan says, or a rollback would miss something, there are lines of that as well.
    """
    say(seen.sentence())
    if drifted := seen.drifted():
        say(f"  {drifted}")
    shown, rest = seen.targets[:_SHOWN], seen.targets[_SHOWN:]
    name = min(max((len(target.place) for target in shown), default=0), _WIDEST)
    count = max((len(str(target.to_send)) for target in shown), default=0)
    for target in shown:
        say(f"  {target.place:<{name}}  {target.to_send:>{count}} {target.words()}")
    if rest:
        say(f"  and {len(rest)} more targets: {sum(target.to_send for target in rest)} to {seen.goal.verb}")
    busy = [lane for lane in seen.lanes if lane.to_send]
    name = min(max((len(lane.account) for lane in busy), default=0), _WIDEST)
    for lane in busy:
        say(f"  {lane.account:<{name}}  {lane.sentence()}")
    for lane in busy:
        if reversals := lane.reversible():
            say(f"  {lane.account:<{name}}  {_BACK[seen.goal.done]} {reversals}")
    for lane in busy:
        if lane.calls:
            say(f"  {lane.account:<{name}}  calls: {lane.calls}")
    for account, things in _deleted(seen.removals).items():
        say(f"  {account:<{name}}  then deletes {things}, if nothing is left there; no rollback brings that back")


def _deleted(removals: Iterable[Removal]) -> dict[str, str]:
    """Return in words what would be deleted, by account."""
    ids: dict[str, dict[str, list[str]]] = {}
    for each in removals:
        ids.setdefault(each.account, {}).setdefault(each.kind, []).append(each.thing)
    return {account: " and ".join(starmap(_things, kinds.items())) for account, kinds in ids.items()}


def _things(kind: str, ids: list[str]) -> str:
    more = f" and {len(ids) - _NAMED:,} more" if ids[_NAMED:] else ""
    return f"{kind}{'s' if ids[1:] else ''} {', '.join(ids[:_NAMED])}{more}"


def _way_back(seen: Preview) -> str:
    """Say how many of the numbers to detach a rollback could put back."""
    if seen.removals:
        return "`teardown rollback` does not bring back what is deleted, and puts no number back on that."
    lost = sum(count for lane in seen.lanes for reversal, count in lane.reversals.items() if reversal.how == "none")
    if not lost:
        return "`teardown rollback` can put back what is detached."
    back = f"can put back {seen.to_send - lost:,} of these" if lost < seen.to_send else "can put none of these back"
    return f"As things stand, `teardown rollback` {back}; see above."


class Prompt:
    """Asks on the terminal without stopping the event loop, so that a signal is still heard."""

    _answer: asyncio.Future[str] | None = None

    async def ask(self, seen: Preview) -> bool:
        """Return whether the answer is yes, or for many numbers the name of the plan."""
        count = "1 number" if seen.to_send == 1 else f"{seen.to_send} numbers"
        question = {
            State.DETACHED: f"Detach {count}? Their calls stop at once.",
            State.REATTACHED: f"Put {count} back?",
            State.MOVED: f"Move {count}? Each is without a place for a moment.",
        }[seen.goal.done]
        if seen.goal.done is State.DETACHED:
            click.echo(laid_out(_way_back(seen)), err=True)
        if seen.to_send <= _MANY:
            answer = await self._asked(f"{laid_out(f'{question} [y/N]')} ")
            return answer.lower() in {"y", "yes"}
        name = plain(seen.plan)
        answer = await self._asked(f"{laid_out(question)}\nType {name} to go on: ")
        if answer and answer != name:
            click.echo(f"{plain(answer)!r} is not the plan's name, {name}.", err=True)
        return answer == name

    async def ask_to_delete(self, seen: Preview) -> bool:
        """Return whether the answer is yes to deleting what nobody has confirmed yet."""
        things = "; ".join(_deleted(seen.unconfirmed).values())
        question = f"Delete {plain(things)}, if nothing is left there? It cannot be undone. [y/N]"
        answer = await self._asked(f"{laid_out(question)} ")
        return answer.lower() in {"y", "yes"}

    async def _asked(self, question: str) -> str:
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        loop.add_reader(sys.stdin, self._read)
        click.echo(question, err=True, nl=False)
        try:
            return (await self._answer).strip()
        finally:
            loop.remove_reader(sys.stdin)

    def _read(self) -> None:
        if self._answer and not self._answer.done():
            self._settle(self._answer, sys.stdin.readline())

    def cancel(self) -> None:
        """Answer no, because something else came up."""
        if self._answer and not self._answer.done():
            self._settle(self._answer, "")

    @staticmethod
    def _settle(asked: asyncio.Future[str], answer: str) -> None:
        if not answer.endswith("\n"):
            click.echo(err=True)  # nobody pressed Enter: what follows is not to stand behind the question
        asked.set_result(answer)
