"""``check``, ``run``, ``resume`` and ``rollback``: the commands that make a run or go on with one."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.completing import places, rates, run_ids
from runner.cli.options import AccountRate, Duration, PlaceValue, World, global_options
from runner.cli.streams import give_up_stdout, whole_stdout
from runner.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractAsyncContextManager

    from runner.begin import Options
    from runner.config import Settings
    from runner.operate import Front
    from runner.plan import Plan
    from runner.preview import Preview
    from runner.report import Report
    from runner.run import Run


_UNCOVERED = "wants its target deleted, which --yes does not cover; add --delete-targets, or --keep-targets to leave it"


def _options(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def add(command: Any) -> Any:
        for option in reversed(options):
            command = option(command)
        return command

    return add


_pace = _options(
    click.option(
        "--rate",
        "rates",
        type=AccountRate(),
        multiple=True,
        shell_complete=rates,
        help="ACCOUNT=5/s or ACCOUNT=auto: another rate than the config's.",
    ),
    click.option("--concurrency", type=click.IntRange(1, 1000), help="Requests in flight per account."),
)
_place = partial(click.option, multiple=True, metavar="ACCOUNT[/TARGET]", shell_complete=places)
_selection = _options(
    click.option("--limit", type=click.IntRange(1), metavar="N", help="At most the first N items."),
    _place("--only", help="Only these; may be repeated."),
    _place("--exclude", help="All but these; may be repeated."),
)
_rehearsal = _options(
    click.option("--sandbox", is_flag=True, help="Start a sandbox seeded from the plan, and run against that."),
    click.option("--faults", metavar="LIST", help="With --sandbox: faults like lost_after=5%,http_500=5%."),
    click.option("--seed", type=int, default=0, metavar="N", help="With --faults: which of them strike."),
)
_sending = _options(
    click.option("--yes", is_flag=True, help="Do not ask before anything is sent."),
    click.option("--deadline", type=Duration(), help="After so long nothing new starts: 90s, 15m, 2h."),
    click.option("--no-verify", is_flag=True, help="Do not look again afterwards."),
)
_approval = click.option(
    "--expect-hash", "expected", metavar="SHA256", help="Only if the saved check that is run has this hash."
)
_deleting = click.option(
    "--delete-targets/--keep-targets",
    default=None,
    help="Whether to do what `then: delete_target` asks for; --yes does not cover that.",
)
_window = click.option("--wait", is_flag=True, help="Wait for the plan's window to open.")
_output = _options(
    click.option("--reason", metavar="TEXT", help="Recorded in ledger, log and report."),
    click.option(
        "--report", "reports", multiple=True, metavar="PATH", help="Also write a .json .csv .md .html or .xml."
    ),
    click.option("--json", "as_json", is_flag=True, help="The report on stdout, and nothing else there."),
    click.option("--no-progress", is_flag=True, help="No progress display."),
)


@click.command("check")
@click.argument("plan", type=click.Path())
@click.option("--out", type=click.Path(), metavar="FILE", help="Save what was seen, to be approved, and run by FILE.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 11 where a run would change something.")
@_options(_selection, _pace, _rehearsal, _window, _output, global_options)
@click.pass_obj
def check_command(world: World, /, plan: str, **given: Any) -> int:
    """Look what a run of PLAN, or of a saved check, would do now, without any change."""
    return _act(world, given | {"dry_run": True}, plan)


@click.command("run")
@click.argument("plan", type=click.Path())
@_options(_sending, _deleting, click.option("--dry-run", is_flag=True, help="The same as check."), _approval)
@_options(_selection, _pace, _rehearsal, _window, _output, global_options)
@click.pass_obj
def run_command(world: World, /, plan: str, **given: Any) -> int:
    """Check PLAN against the provider, detach its numbers, verify, and report.

    PLAN may be a check that `check --out` has saved: then just what that saw is done, once.
    """
    return _act(world, given, plan)


@click.command("rollback")
@click.argument("run_id", shell_complete=run_ids("real"))
@click.option(
    "--reattach",
    "said",
    type=PlaceValue(),
    multiple=True,
    help="ACCOUNT[/TARGET]:KEY=VALUE: what the run did not see and a rollback needs.",
)
@click.option("--partial", is_flag=True, help="Put back what can be put back, when that is not all of it.")
@_options(_sending, click.option("--dry-run", is_flag=True, help="Only look what would be put back, and how."))
@_options(_selection, _pace, _output, global_options)
@click.pass_obj
def rollback_command(world: World, /, run_id: str, **given: Any) -> int:
    """Put back what a run detached, and only that, in a run of its own."""
    from runner.finding import opened_for
    from runner.operate import Return, roll_back
    from runner.rollback import unsettled

    settings, state, options = world.settings(), world.state(), _options_of(given)
    said: dict[str, dict[str, Any]] = {}
    for place, key, value in given["said"]:
        said.setdefault(place, {})[key] = value
    back = Return(run_id, said, partial=given["partial"])
    _check_terminal(given)
    with opened_for(state, run_id) as ledger:
        count = unsettled(ledger, run_id)
    if count:
        mend = f"`teardown resume {run_id} --retry-failed` settles them"
        world.say(f"note: unknown numbers of run {run_id}: {count}; they are left alone; {mend}")
    return _report(world, given, lambda front: roll_back(back, settings, state, options, front))


@click.command("resume")
@click.argument("run_id", required=False, shell_complete=run_ids("open"))
@click.option("--retry-failed", is_flag=True, help="Also take up what ended failed or unknown.")
@_options(_sending, _deleting, _pace, _window, _output, global_options)
@click.pass_obj
def resume_command(world: World, /, run_id: str | None, **given: Any) -> int:
    """Go on with an interrupted run (default: the newest unfinished one)."""
    from runner.finding import deletes, find_resumable
    from runner.operate import resume

    settings, state, options = world.settings(), world.state(), _options_of(given)
    record = find_resumable(state, run_id, retry_failed=options.retry_failed)
    if _unsaid(given) and deletes(state, record.id):
        raise InputError(f"run {record.id} {_UNCOVERED}")
    _check_terminal(given)
    return _report(world, given, lambda front: resume(record.id, settings, state, options, front))


def _act(world: World, given: dict[str, Any], path: str) -> int:
    from runner.cli.approving import Closing, check_options, read_plan
    from runner.finding import other_runs
    from runner.operate import start

    _check_terminal(given)
    check_options(given)
    options, state = _options_of(given), world.state()
    rehearsal = given["sandbox"]
    settings = world.settings()
    plan, seeds = read_plan(path, given, settings)
    if _unsaid(given) and (wanted := [group for group in plan.groups if group.delete_target]):
        raise InputError([Problem(group.place, f"the group {_UNCOVERED}") for group in wanted])
    for warning in plan.warnings:
        world.say(f"warning: {warning}")
    for other, live in other_runs(state, plan) if not options.dry_run and not rehearsal else ():
        how = "at work now" if live else f"unfinished; go on with it by `teardown resume {other}`"
        world.say(f"note: run {other} of this plan is {how}")
    used = _used(seeds, settings, given)

    async def work(front: Front) -> Report:
        async with used as known:
            return await start(plan, known, state, options, front)

    accounts = {} if rehearsal else settings.accounts
    return _report(world, given, work, Closing(world, given, plan, accounts).conclude)


def _used(seeds: Plan, settings: Settings, given: dict[str, Any]) -> AbstractAsyncContextManager[Settings]:
    """Return what gives the settings to work with: those of a sandbox that is up meanwhile, or the config's."""
    if given["sandbox"]:
        from runner.rehearsal import rehearsal

        return rehearsal(seeds, settings, faults=given["faults"], seed=given["seed"])
    if not settings.accounts:
        raise InputError("there is no config with accounts; see config.example.yaml, or try --sandbox")
    return nullcontext(settings)


def _report(
    world: World,
    given: dict[str, Any],
    work: Callable[[Front], Coroutine[Any, Any, Report]],
    conclude: Callable[[Report, list[Preview]], int] = lambda report, _: report.exit_code or 0,
) -> int:
    """Do the work with signals minded, then show and write its report, and return the exit code.

    ``conclude`` gives that from the report and what the pre-check said, which is nothing where it was not done.
    """
    from runner import report as reports
    from runner.cli import loop

    paths = [Path(path) for path in given["reports"]]
    if paths:
        world.state().prepare()  # which is made if need be, and a report may go there
    for path in paths:
        reports.check_place(path)
    seen: list[Preview] = []
    report = loop.run(_minded(world, given, work, seen.append))
    for path in paths:
        _save(report, path)
    if given["as_json"]:
        _write(report)
    if world.verbosity >= 0:
        world.summarize(report, sys.stderr)
    return conclude(report, seen)


def _write(report: Report) -> None:
    """Write the report to stdout; a reader that leaves early changes nothing about what became of the numbers."""
    from runner import report as reports

    try:
        with whole_stdout() as stdout:
            reports.write(report, "json", stdout)
    except BrokenPipeError:
        give_up_stdout()


def _save(report: Report, path: Path) -> None:
    """Write a report file; one that cannot be written changes nothing about what became of the numbers."""
    from runner import report as reports
    from runner.log import plain

    try:
        reports.save(report, path)
    except reports.ReportUnwritable as error:
        run_id = report.run["id"]
        click.echo(f"error: {plain(str(error))}; `teardown report {run_id} -o FILE` writes it again", err=True)


async def _minded(
    world: World,
    given: dict[str, Any],
    work: Callable[[Front], Coroutine[Any, Any, Report]],
    foreseen: Callable[[Preview], None],
) -> Report:
    from runner import progress
    from runner.cli.asking import Prompt, describe
    from runner.cli.signals import mind_signals
    from runner.operate import Front, approve, decline

    enabled = not given["no_progress"] and world.verbosity >= 0
    display = progress.choose(sys.stderr, enabled=enabled, color=world.color, clock=time.monotonic)
    prompt, unattended = Prompt(), bool(given.get("yes") or given.get("dry_run"))

    def preview(seen: Preview) -> None:
        foreseen(seen)
        describe(seen, world.tell)

    def started(run: Run) -> None:
        def interrupt(number: int) -> None:
            prompt.cancel()
            world.say("interrupted: requests in flight finish, then the report is written; once more to leave at once")
            run.interrupt(number)

        mind_signals(interrupt, unattended=unattended)

    front = Front(
        console_format=world.log_format,
        console_level=world.log_level,
        progress=display,
        confirm=approve if given.get("yes") else prompt.ask,
        may_delete={True: approve, False: decline, None: prompt.ask_to_delete}[given.get("delete_targets")],
        preview=preview,
        started=started,
        telling=lambda cut_short: mind_signals(lambda _: cut_short(), unattended=unattended),
    )
    return await work(front)


def _check_terminal(given: dict[str, Any]) -> None:
    if not (given.get("dry_run") or given.get("yes") or sys.stdin.isatty()):
        raise InputError("nothing was sent: without a terminal to ask on, a run needs --yes")


def _unsaid(given: dict[str, Any]) -> bool:
    """Whether everything is confirmed beforehand, but not whether targets may be deleted."""
    return bool(given.get("yes")) and not given.get("dry_run") and given.get("delete_targets") is None


def _options_of(given: dict[str, Any]) -> Options:
    from runner.begin import Options

    if given.get("faults") and not given.get("sandbox"):
        raise InputError("--faults: goes with --sandbox only")
    return Options(
        dry_run=given.get("dry_run", False),
        limit=given.get("limit"),
        only=given.get("only", ()),
        exclude=given.get("exclude", ()),
        rates=dict(given["rates"]),
        concurrency=given["concurrency"],
        deadline=given.get("deadline"),
        reason=given["reason"],
        verify=not given.get("no_verify", False),
        retry_failed=given.get("retry_failed", False),
        wait_for_window=given.get("wait", False),
        sandbox=given.get("sandbox", False),
    )
