"""One run from its beginning to its report: pre-check, confirm, send, verify, report."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from runner.attending import Attendant
from runner.begin import leave_alone
from runner.bounds import bounded
from runner.cleaning import Cleaning
from runner.clearing import Clearing
from runner.detaching import Detaching
from runner.errors import LedgerError, RecordingFailed, RequestError, StepRefused, first_of
from runner.foreseeing import census, foresee
from runner.history import destination_name
from runner.journal import Journal
from runner.lanes import PatientReads, Stop, each_at_work
from runner.ledgerfile import LedgerFile
from runner.model import TROUBLED, UNFINISHED
from runner.moving import Moving
from runner.narrating import Narrator
from runner.opening import open_lane
from runner.precheck import Findings
from runner.report import fold
from runner.restoring import Restoring
from runner.sending import Sending

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from runner.begin import Options, Rules
    from runner.config import Account, Credentials
    from runner.history import Target
    from runner.lanes import Lane
    from runner.ledger import Ledger
    from runner.log import Log
    from runner.policy import RetryPolicy
    from runner.preview import Preview
    from runner.progress import Progress
    from runner.records import Ending, RunRecord
    from runner.report import Report
    from runner.saved import Approval


@dataclass(slots=True)
class Run:
    """One process at work on one run of the ledger; ``clock`` gives seconds since the epoch."""

    ledger: Ledger
    run_id: str
    session: str
    rules: Rules
    options: Options
    accounts: Mapping[str, tuple[Account, Credentials]]
    policy: RetryPolicy
    log: Log
    progress: Progress
    clock: Callable[[], float]
    preview: Callable[[Preview], None]
    refused: Callable[[Preview], Coroutine[None, None, str | None]]
    """Asked before the first detach; gives why nothing may be sent, or None."""
    may_delete: Callable[[Preview], Coroutine[None, None, bool]]
    """Asked before that whether what is empty in the end may be deleted, where the plan wants it."""
    tripped: Callable[[str], None]
    follow: Callable[[AsyncExitStack, Lane], None] = lambda *_: None
    """Told of every lane before it sends anything, with what is closed when its run ends."""
    approval: Approval | None = None
    """What holds it to a saved check."""
    lanes: dict[str, Lane] = field(default_factory=dict)
    targets: dict[str, list[Target]] = field(default_factory=dict)
    signal: int | None = None
    notes: list[str] = field(default_factory=list)
    """Why it was blocked or stopped."""
    warnings: list[str] = field(default_factory=list)
    """What the pre-check warned of; it is noted behind that, as there may be a lot of it."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """The values of what was given by reference for a rollback or a move."""
    moves_to: dict[int, str] = field(default_factory=dict)
    """What the numbers of each target are moved to, by the target's number; empty when they are detached."""

    narrator: Narrator = field(init=False)
    stages: Detaching | Restoring | Moving = field(init=False)
    cleaning: Cleaning = field(init=False)

    def __post_init__(self) -> None:
        self.narrator = Narrator(self.log, self.progress)

    async def go(self) -> Report:
        """Do the run, or go on with it, as far as it can be done, and return its report.

        Raises RecordingFailed when the ledger fails on the way: then nothing more is sent.
        """
        journal = Journal(self.ledger, self.run_id, self.session)
        record = self.ledger.history.run(self.run_id)
        self.stages = self._stages(journal, record)
        self.narrator.started(record)
        try:
            ending = await self._engage(journal)
            self.ledger.finish(self.run_id, self.clock(), ending, self.signal, [*self.notes, *self.warnings])
            report = fold(LedgerFile(self.ledger.path), self.run_id)
        except (LedgerError, ExceptionGroup) as error:
            raise self._failure(first_of(error)) from error
        finally:
            journal.close()
        self.log.info("run.finished", status=report.status, exit_code=report.exit_code, **report.totals)
        return report

    def _stages(self, journal: Journal, record: RunRecord) -> Detaching | Restoring | Moving:
        if record.rollback_of is not None:
            return Restoring(journal, self.rules, self.log, self.clock, self.secrets)
        targets = self.ledger.history.targets(self.run_id)
        said = {target.no: self.rules.reattach.get(place, {}) for place, target in enumerate(targets)}
        if not record.moves:
            return Detaching(journal, self.rules, self.log, self.clock, said, self.options.dry_run)
        to = {target.no: self.rules.reassign[place] for place, target in enumerate(targets)}
        self.moves_to = {no: destination_name(where) for no, where in to.items()}
        return Moving(journal, self.rules, self.log, self.clock, said, to, self.secrets, self.options.dry_run)

    def _failure(self, error: BaseException) -> BaseException:
        if isinstance(error, LedgerError) and not isinstance(error, StepRefused):
            return RecordingFailed(f"{error}; nothing more was sent; mend it, then `teardown resume {self.run_id}`")
        return error

    async def _engage(self, journal: Journal) -> Ending:
        async with AsyncExitStack() as stack:
            await self._open_lanes(stack)
            how = {name: lane.spec.removing for name, lane in self.lanes.items()}
            clearing = Clearing(self.ledger.history, self.run_id, how)
            self.cleaning = Cleaning(journal, self.log, self.clock, clearing, self.rules.delete)
            attendant = Attendant(
                lanes=self.lanes,
                journal=journal,
                log=self.log,
                progress=self.progress,
                session=self.session,
                held=not (self.options.dry_run or self.options.sandbox),
                clock=self.clock,
                stop=self.stop,
            )
            async with asyncio.TaskGroup() as group:
                helpers = [group.create_task(journal.keep()), group.create_task(attendant.attend())]
                ending = await self._work(journal)
                for helper in helpers:
                    helper.cancel()
            await attendant.count()
            return ending

    def interrupt(self, signal: int) -> None:
        """Stop every lane because of a signal: requests in flight finish, nothing new is sent."""
        self.signal = signal
        self.log.warning("run.interrupted", signal=signal)
        self.stop(Stop("signal", f"interrupted by signal {signal}"))

    def stop(self, why: Stop) -> None:
        """Stop every lane."""
        self.notes.append(why.message)
        for lane in self.lanes.values():
            lane.stop(why)

    async def _work(self, journal: Journal) -> Ending:
        if not self.options.dry_run and not await self._window_opens():
            return self._held_back()
        now = datetime.fromtimestamp(self.clock(), UTC)
        with bounded(self.rules.window, self.options.deadline, now, self.stop):
            seen = await self._precheck(journal)
            self.preview(seen)
            if seen.blocks or self._interrupted():
                return self._held_back()
            if self.options.dry_run:
                await self.cleaning.leave_out(seen.unconfirmed, "dry_run")
            else:
                if refused := await self._refused(seen):
                    self.notes.append(f"nothing was sent: {refused}")
                    return self._held_back()
                self.narrator.sending(seen)
                if not (await self._sending(journal).run(seen.to_send) and await self._clean_up(journal)):
                    return self._held_back()
        return self._ending("stopped" if any(lane.stopped for lane in self.lanes.values()) else "finished")

    async def _refused(self, seen: Preview) -> str | None:
        """Return why nothing may be sent; what may be deleted is recorded only when something may."""
        may_delete = bool(seen.unconfirmed) and await self.may_delete(seen)
        if self._interrupted():
            return "it was interrupted"
        to_delete = len(seen.removals) - (0 if may_delete else len(seen.unconfirmed))
        if (seen.to_send or to_delete) and (refused := await self.refused(seen)):
            return refused
        if may_delete:
            await self.cleaning.confirm(seen.unconfirmed)
        else:
            await self.cleaning.leave_out(seen.unconfirmed, "not_confirmed")
        return None

    def _held_back(self) -> Ending:
        """Blocked, unless an earlier process has sent something already: then it is not before the first detach."""
        return self._ending("stopped" if self.ledger.history.has_sent(self.run_id) else "blocked")

    def _interrupted(self) -> bool:
        return self.signal is not None

    def _ending(self, otherwise: Ending) -> Ending:
        return "interrupted" if self._interrupted() else otherwise

    async def _open_lanes(self, stack: AsyncExitStack) -> None:
        for target in self.ledger.history.targets(self.run_id):
            self.targets.setdefault(target.account, []).append(target)
        for name in self.targets:
            account, credentials = self.accounts[name]
            lane = await open_lane(
                stack,
                account=account,
                credentials=credentials,
                policy=self.policy,
                options=self.options,
                clock=self.clock,
                secrets=tuple(self.secrets.values()),
            )
            lane.on_stop, lane.on_throttle = self._lane_stopped, self.narrator.throttled
            self.follow(stack, lane)
            self.lanes[name] = lane

    async def _window_opens(self) -> bool:
        """Whether the run may start now; with ``wait_for_window`` once it may."""
        now = datetime.fromtimestamp(self.clock(), UTC)
        if not (closed := self.rules.window.refuses(now)):
            return True
        wait = self.rules.window.opens_in(now)
        if not wait or not self.options.wait_for_window:
            self.notes.append(closed)
            return False
        self.progress.phase(f"waiting for the window that opens at {self.rules.window.not_before}")
        await next(iter(self.lanes.values())).wait(wait)
        return not self._interrupted()

    async def _precheck(self, journal: Journal) -> Preview:
        self.progress.phase("pre-check")
        lanes = {lane: self.targets[name] for name, lane in self.lanes.items()}
        findings = {name: Findings() for name in self.lanes}
        await each_at_work(lanes, lambda lane: self._look(lane, findings[lane.account], expand_only=True))
        if self.approval:
            await journal.call(self.approval.leave_alone, self.ledger, self.run_id, self.clock())
        await journal.call(leave_alone, self.ledger, self.run_id, self.rules, self.clock())
        await each_at_work(lanes, lambda lane: self._look(lane, findings[lane.account], expand_only=False))
        tabs = await journal.call(self.ledger.history.tabs, self.run_id)
        plan = self.ledger.history.run(self.run_id).plan_name
        seen = foresee(
            plan,
            lanes,
            tabs,
            findings,
            self.rules,
            goal=self.stages.goal,
            objections=await self._objections(journal, findings),
            moves_to=self.moves_to,
            verify=self.options.verify,
            now=self.clock(),
        )
        removals, unconfirmed = await self.cleaning.ahead()
        seen = replace(seen, removals=tuple(removals), unconfirmed=tuple(unconfirmed))
        self.notes += seen.blocks
        self.warnings += seen.warnings
        self.narrator.prechecked(seen)
        return seen

    async def _objections(self, journal: Journal, findings: Mapping[str, Findings]) -> list[str]:
        """Return what a saved check has against the run; what was not seen whole is not compared."""
        if not self.approval or self._interrupted() or any(found.blocks for found in findings.values()):
            return []
        history, counted = self.ledger.history, census(findings)
        return await journal.call(self.approval.objections, history, self.run_id, counted, self.clock())

    async def _look(self, lane: Lane, findings: Findings, *, expand_only: bool) -> None:
        reads, targets = PatientReads(lane), self.targets[lane.account]
        states = UNFINISHED | TROUBLED if self.options.retry_failed else UNFINISHED
        try:
            if expand_only:
                await self.stages.expand(lane, reads, targets)
            elif not findings.blocks:
                await self.stages.look(lane, reads, targets, states, findings)
        except RequestError as error:
            if not self.signal:
                findings.blocks.append(f"the pre-check failed, and a failed read is no evidence: {error}")

    def _sending(self, journal: Journal) -> Sending:
        return Sending(
            guards=self.rules.guards,
            stages=self.stages,
            lanes=self.lanes,
            targets=self.targets,
            moves_to=self.moves_to,
            journal=journal,
            narrator=self.narrator,
            clock=self.clock,
            verify=self.options.verify,
            may_send=partial(self._uses_check, journal),
            trip=self._trip,
            incomplete=self._unverified,
        )

    def _unverified(self, account: str, why: str) -> None:
        self.notes.append(why)
        self.log.warning("verification.incomplete", account=account, error=why)

    async def _uses_check(self, journal: Journal) -> bool:
        """Use a saved check up, as something is about to be sent; False when another run has done so meanwhile."""
        if self.approval is None or all(lane.stopped for lane in self.lanes.values()):
            return True
        if used := await journal.call(self.approval.use, self.ledger, self.run_id):
            self.notes.append(f"nothing was sent: {used}")
        return used is None

    async def _clean_up(self, journal: Journal) -> bool:
        """Delete what the plan wants deleted; nothing in a run that has stopped anywhere, or left anything open.

        False when the saved check is used up.
        """
        if any(lane.stopped for lane in self.lanes.values()) or not await self.cleaning.may_begin():
            return True
        if not await self._uses_check(journal):
            return False
        self.progress.phase("deleting what is empty")
        await each_at_work(self.lanes.values(), self.cleaning.run)
        return True

    def _trip(self, why: str) -> None:
        self.log.error("guard.tripped", error=why)
        self.tripped(why)
        self.stop(Stop("guard", why))

    def _lane_stopped(self, lane: Lane) -> None:
        if lane.stopped and lane.stopped.message not in self.notes:
            self.notes.append(f"{lane.account}: {lane.stopped.message}")
        self.narrator.stopped(lane)
