"""Start runs and go on with them: all that the command line does, from Python.

plan = load_plan("plan.yaml", accounts_of(settings))
report = await start(plan, settings, StateFolder(Path("state")), Options(dry_run=True))
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from runner import log, providers
from runner.begin import Options, Rules, begin, new_run_id
from runner.config.reattach import revealed
from runner.errors import InputError, TeardownError
from runner.finding import opened, opened_for, resumable
from runner.holding import holding
from runner.observing import observed
from runner.opening import known_secrets
from runner.progress import NoProgress, Progress
from runner.report import Report, ReportUnwritable, save_all
from runner.rollback import accounts_of, begin_rollback, reversible
from runner.run import Run
from runner.telling import Audience, Subject, Teller, in_hook_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from runner.config import Account, Credentials, Settings
    from runner.ledger import Ledger
    from runner.log import ConsoleFormat, Log
    from runner.plan import Plan
    from runner.preview import Preview
    from runner.records import RunRecord
    from runner.rollback import Said
    from runner.state import StateFolder
    from runner.tracing import Trace


async def approve(_preview: Preview) -> bool:
    """Confirm every run."""
    return True


@dataclass(slots=True)
class Front:
    """How a run talks to whoever started it; ``clock`` gives seconds since the epoch."""

    console: TextIO = field(default_factory=lambda: sys.stderr)
    console_format: ConsoleFormat = "console"
    console_level: str = "warning"
    progress: Progress = field(default_factory=lambda: NoProgress(sys.stderr))
    preview: Callable[[Preview], None] = lambda _: None
    confirm: Callable[[Preview], Coroutine[None, None, bool]] = approve
    started: Callable[[Run], None] = lambda _: None
    telling: Callable[[Callable[[], None]], None] = lambda _: None
    """Told that the run is over and others are being told of it, and what cuts that short."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], float] = time.time


async def start(plan: Plan, settings: Settings, state: StateFolder, options: Options, front: Front) -> Report:
    """Run ``plan``, or look what a run would do, and return the report, which the state folder keeps as well.

    Raises InputError before anything is sent when the accounts, their secrets or the selection cannot be used, and
    LedgerError when the state folder cannot.
    """
    accounts = _accounts(settings, (group.account for group in plan.groups), options, front.environ)
    audience = _audience(settings, options, front)
    moved = [said for group in plan.groups if group.reassign for said in (group.reassign, group.reattach)]
    given = (
        {} if options.sandbox else revealed(moved, front.environ)
    )  # a sandbox takes a reference as it takes a secret
    run_id = new_run_id(front.clock())
    state.prepare()
    with opened(state) as ledger:
        job = _Job(ledger, run_id, accounts, settings, state, options, front, audience, given)
        with ExitStack() as lanes:
            lanes.enter_context(job.held())
            begin(ledger, run_id, plan, options, front.clock())
            state.keep(run_id, "plan.yaml", plan.text)
            return await _perform(job, lanes.close)


async def resume(run_id: str, settings: Settings, state: StateFolder, options: Options, front: Front) -> Report:
    """Go on with a run: look at what was in flight, then do what is left. Raises as `start` does."""
    with opened(state) as ledger:
        record = resumable(ledger, run_id, retry_failed=options.retry_failed)
        if in_hook_of(record.id, front.environ):
            raise InputError(f"run {record.id} is not over while its own hook runs; resume it afterwards")
        names = (target.account for target in ledger.history.targets(record.id))
        accounts = _accounts(settings, names, options, front.environ)
        audience = _audience(settings, options, front)
        given = revealed(_said(ledger, record), front.environ)
        job = _Job(ledger, record.id, accounts, settings, state, options, front, audience, given)
        with ExitStack() as lanes:
            lanes.enter_context(job.held())
            ledger.reopen(record.id)
            return await _perform(job, lanes.close)


def _said(ledger: Ledger, record: RunRecord) -> list[Mapping[str, Any]]:
    """Return all that a run was given for attaching numbers, there or back."""
    rules = Rules.load(ledger.history.rules(record.id))
    back = ledger.history.given(record.id) if record.rollback_of else []
    return [*back, *rules.reassign.values(), *(rules.reattach.values() if record.moves else ())]


@dataclass(frozen=True, slots=True)
class Return:
    """Which run to put back; ``said`` as `rollback.Said`, ``partial`` to do what can be done when that is not all."""

    of: str
    said: Said = field(default_factory=dict)
    partial: bool = False


async def roll_back(back: Return, settings: Settings, state: StateFolder, options: Options, front: Front) -> Report:
    """Put back what a run has detached, or look what that would do, in a run of its own. Raises as `start` does."""
    with opened_for(state, back.of) as ledger:
        record = reversible(ledger, back.of)
        if in_hook_of(record.id, front.environ):
            raise InputError(f"run {record.id} is not over while its own hook runs; roll it back afterwards")
        accounts = _accounts(settings, accounts_of(ledger, record.id), options, front.environ)
        audience = _audience(settings, options, front)
        given = revealed([*ledger.history.given(record.id), *back.said.values()], front.environ)
        run_id = new_run_id(front.clock())
        job = _Job(ledger, run_id, accounts, settings, state, options, front, audience, given)
        with ExitStack() as lanes:
            lanes.enter_context(job.held())
            now = front.clock()
            begin_rollback(ledger, run_id, record, options, said=back.said, partial=back.partial, now=now)
            return await _perform(job, lanes.close)


@dataclass(frozen=True, slots=True)
class _Job:
    ledger: Ledger
    run_id: str
    accounts: Mapping[str, tuple[Account, Credentials]]
    settings: Settings
    state: StateFolder
    options: Options
    front: Front
    audience: Audience
    given: Mapping[str, str] = field(default_factory=dict)
    """The secrets that a rollback or a move was given by reference, by their references."""
    session: str = field(default_factory=lambda: new_run_id(time.time()))
    """Which process: ids of later ones sort behind it."""

    def held(self) -> AbstractContextManager[None]:
        """Hold the lanes while something may be sent; a dry run and a rehearsal get in nobody's way."""
        if self.options.dry_run or self.options.sandbox:
            return nullcontext()
        return holding(self.ledger, self.accounts, self.run_id, self.session, self.front.clock)


async def _perform(job: _Job, release: Callable[[], None]) -> Report:
    """Do the run and save its report; who is told of it is told when the lanes are free again."""
    front, folder = job.front, job.state.make(job.run_id)
    record = job.ledger.history.run(job.run_id)
    with _logged(job) as run_log:
        teller = Teller(job.audience, Subject(record, job.ledger.path.absolute(), folder.absolute()), run_log)
        try:
            async with observed(
                record, job.settings, job.ledger.path, environ=front.environ, log=run_log, clock=front.clock
            ) as trace:
                report = await _run(job, run_log, trace, teller)
        except Exception as error:
            release()
            front.telling(teller.cut_short)
            await teller.broken_off(_sentence(error))
            raise
        try:
            save_all(report, folder)
        except ReportUnwritable as error:  # what became of the numbers stands: `teardown report` writes it again
            run_log.error("report.unwritable", error=str(error))
        release()
        front.telling(teller.cut_short)
        await teller.ended(report)
    return report


async def _refused(front: Front, teller: Teller, seen: Preview) -> str | None:
    return await teller.may_start(seen) if await front.confirm(seen) else "the run was not confirmed"


async def _run(job: _Job, run_log: Log, trace: Trace | None, teller: Teller) -> Report:
    front = job.front
    run = Run(
        ledger=job.ledger,
        run_id=job.run_id,
        session=job.session,
        rules=Rules.load(job.ledger.history.rules(job.run_id)),
        options=job.options,
        accounts=job.accounts,
        policy=job.settings.retry,
        log=run_log,
        progress=front.progress,
        clock=front.clock,
        preview=front.preview,
        refused=partial(_refused, front, teller),
        tripped=teller.tripped,
        secrets=job.given,
    )
    if trace:
        run.follow = trace.follow
    front.started(run)
    try:
        report = await run.go()
    finally:
        front.progress.close()
    if trace:
        trace.ended(report)
    return report


def _sentence(error: Exception) -> str:
    """Return what may be told of an error: what is not ours may hold anything."""
    return str(error) if isinstance(error, TeardownError) else f"a bug in teardown ({type(error).__name__})"


def _audience(settings: Settings, options: Options, front: Front) -> Audience:
    return Audience.of(settings, front.environ, dry_run=options.dry_run, sandbox=options.sandbox)


def _secrets(job: _Job) -> Iterator[str]:
    yield from job.given.values()
    for _, credentials in job.accounts.values():
        yield from known_secrets(credentials)


@contextmanager
def _logged(job: _Job) -> Iterator[Log]:
    front, settings = job.front, job.settings.log
    opened = log.open(
        job.run_id,
        file=job.state.make(job.run_id) / "log.jsonl" if settings.file else None,
        console=front.progress.stream,
        console_format=front.console_format,
        console_level=front.console_level,
        masked=settings.numbers == "masked",
        secrets=[*_secrets(job), *job.audience.secrets],
        clock=front.clock,
    )
    try:
        yield opened
    finally:
        opened.close()


def _accounts(
    settings: Settings, names: Iterable[str], options: Options, environ: Mapping[str, str]
) -> dict[str, tuple[Account, Credentials]]:
    """Return the accounts by name with their secrets; InputError with everything that is wrong with them."""
    found: dict[str, tuple[Account, Credentials]] = {}
    problems = []
    for name in dict.fromkeys(names):
        try:
            if name not in settings.accounts:
                raise InputError(f"there is no account {name!r} in the config; add it under accounts")
            account = settings.accounts[name]
            providers.load(account.provider)
            found[name] = account, account.credentials(environ)
        except InputError as error:
            problems += error.problems
    for name in options.rates.keys() - found.keys():
        problems += InputError(f"--rate: the plan uses no account {name!r}").problems
    if problems:
        raise InputError(problems)
    return found
