"""Who is told of a run, and what, and when: whatever goes wrong with that is a line in the log."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from runner.config import Hooks
from runner.errors import first_of
from runner.programs import run
from runner.telling.commands import check_programs, variables
from runner.telling.composing import Composing
from runner.telling.post import in_time, open_mailboxes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping

    from runner.config import Event, Moment, Settings
    from runner.log import Log
    from runner.preview import Preview
    from runner.report import Report
    from runner.telling.facts import Facts, Subject
    from runner.telling.post import Mailbox


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is to be told; ``environ`` is what hooks are started with, ``masked`` whether texts hide numbers."""

    mailboxes: tuple[Mailbox, ...] = ()
    hooks: Hooks = field(default_factory=Hooks)
    environ: Mapping[str, str] = field(default_factory=dict)
    masked: bool = False

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str], *, dry_run: bool, sandbox: bool) -> Audience:
        """Return whom ``settings`` want told of such a run; InputError when one of them cannot be reached.

        Nobody hears of a rehearsal, and of a dry run only who asked for that.
        """
        if sandbox:
            return cls()
        recipients = [each for each in settings.notify if each.dry_run or not dry_run]
        hooks = settings.hooks if settings.hooks.dry_run or not dry_run else Hooks()
        check_programs(hooks, environ)
        boxes = open_mailboxes(recipients, environ)
        config = {"TEARDOWN_CONFIG": str(settings.path.absolute())} if settings.path else {}
        return cls(tuple(boxes), hooks, {**environ, **config}, masked=settings.log.numbers == "masked")

    def __bool__(self) -> bool:
        return bool(self.mailboxes or self.hooks.commands)

    @property
    def secrets(self) -> list[str]:
        """Every address: none of them may be shown."""
        return [box.url for box in self.mailboxes]


@dataclass(slots=True)
class Teller:
    """Tells an audience of one run."""

    audience: Audience
    subject: Subject
    log: Log
    _under_way: list[asyncio.Task[None]] = field(default_factory=list)

    def tripped(self, guard: str) -> None:
        """Tell at once that a guard has stopped the run, which goes on to finish what is in flight."""
        if self._wanted({"guard"}):
            self._begin(self._guard(guard))

    async def may_start(self, seen: Preview) -> str | None:
        """Run the hook that comes before the first detach; return why the run may not go on, None when it may."""
        failure = await self._hook("start", self.subject.before({seen.goal.to: seen.to_send}))
        forbids = failure and self.audience.hooks.required
        return f"the start hook failed ({failure}), and hooks.required is set" if forbids else None

    async def ended(self, report: Report) -> None:
        """Tell how the run ended; its report is on the disk."""
        await self._tell(partial(self.subject.ended, report), report)

    async def broken_off(self, why: str) -> None:
        """Tell that the run ended without a report."""
        await self._tell(partial(self.subject.broken_off, why), None)

    def cut_short(self) -> None:
        """Leave untold what has not been told yet, and kill the hook that is at work."""
        for task in self._under_way:
            task.cancel()

    async def _tell(self, find_out: Callable[[], Facts], report: Report | None) -> None:
        if not self.audience:
            return
        self._begin(self._end(find_out, report))
        for failure in await asyncio.gather(*self._under_way, return_exceptions=True):
            if failure:  # a bug in here, or a signal: neither may change what the run comes to
                self.log.warning("notify.failed", error=_reason(failure))

    async def _guard(self, guard: str) -> None:
        await self._notify({"guard"}, await asyncio.to_thread(self.subject.stopped_by, guard), None)

    async def _end(self, find_out: Callable[[], Facts], report: Report | None) -> None:
        facts = await asyncio.to_thread(find_out)
        moments, events = _ENDS[facts["event"] == "failure"]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._notify(events, facts, report))
            for moment in moments:
                await self._hook(moment, facts)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        self._under_way.append(asyncio.get_running_loop().create_task(work))

    async def _hook(self, moment: Moment, facts: Facts) -> str | None:
        hooks = self.audience.hooks
        if not (hook := hooks.commands.get(moment)):
            return None
        told = variables(moment, facts, self.subject.folder, self.subject.ledger.parent)
        ran = await run(hook.command, {**self.audience.environ, **told}, hooks.timeout)
        if ran.output:
            self.log.debug("hook.output", hook=moment, output=ran.output)
        if ran.failure:
            self.log.warning("hook.failed", hook=moment, error=ran.failure, said=_last_line(ran.output))
        else:
            self.log.info("hook.finished", hook=moment, seconds=round(ran.seconds, 3))
        return ran.failure

    def _wanted(self, events: Collection[Event]) -> list[Mailbox]:
        return [box for box in self.audience.mailboxes if not box.recipient.events.isdisjoint(events)]

    async def _notify(self, events: Collection[Event], facts: Facts, report: Report | None) -> None:
        await asyncio.gather(*(self._write(box, facts, report) for box in self._wanted(events)))

    async def _write(self, box: Mailbox, facts: Facts, report: Report | None) -> None:
        """Write to one address, the composing in the same thread: a template may take its time, too."""
        composing = Composing(self.subject.folder, facts, report, masked=self.audience.masked)
        failure = await in_time(lambda: box.send(*composing.message(box.recipient)), box.recipient.timeout)
        if failure:
            self.log.warning("notify.failed", recipient=box.place, told=facts["event"], error=failure)
        else:
            self.log.info("notify.sent", recipient=box.place, told=facts["event"])


_ENDS: dict[bool, tuple[tuple[Moment, ...], frozenset[Event]]] = {
    True: (("failure", "finish"), frozenset({"failure", "finish"})),
    False: (("finish",), frozenset({"finish"})),
}
"""By whether the run failed: the hooks to start, and the events that recipients may have asked for."""


def _last_line(output: str) -> str | None:
    return output.splitlines()[-1] if output else None


def _reason(failure: BaseException) -> str:
    if isinstance(failure, asyncio.CancelledError):
        return "cut short by a signal"
    first = first_of(failure)
    return f"{type(first).__name__}: {first}"
