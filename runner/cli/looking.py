"""``validate``, ``status``, ``report``, ``providers`` and ``schema``: the commands that change nothing."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.completing import run_ids
from runner.cli.options import World, global_options, many
from runner.cli.streams import whole_stdout
from runner.errors import InputError, Problem

if TYPE_CHECKING:
    from runner.report import Report
    from runner.state import StateFolder


@click.command("validate")
@click.argument("plan", type=click.Path())
@global_options
@click.pass_obj
def validate_command(world: World, plan: str) -> None:
    """Check PLAN offline: schema, numbers, duplicates, guards; every problem with its place.

    A saved check is as it was written, or not.
    """
    from runner import plan as plans

    if plans.is_saved_check(Path(plan)):
        from runner import saved

        check = saved.load(Path(plan))
        count = many(check.head.totals["planned"], "number")
        click.echo(f"{plan} is a saved check of {count}, as it was written; SHA-256 {check.sha256}")
        return
    problems: list[Problem] = []
    accounts = guards = None
    try:
        settings = world.settings()
        guards = settings.guards
        if settings.accounts or world.has_config:
            accounts = {name: each.provider for name, each in settings.accounts.items()}
    except InputError as error:
        problems += error.problems
    try:
        loaded = plans.load(plan, accounts, default_guards=guards)
    except InputError as error:
        raise InputError([*problems, *error.problems]) from error
    if problems:
        raise InputError(problems)
    for warning in loaded.warnings:
        world.say(f"warning: {warning}")
    targets = len({(group.account, group.target) for group in loaded.groups})
    more = " and all that is attached where it says so" if any(group.numbers is None for group in loaded.groups) else ""
    click.echo(f"{plan} is valid: {many(loaded.listed, 'number')}{more}, {many(targets, 'target')}")


@click.command("status")
@click.argument("run_id", required=False, shell_complete=run_ids("any"))
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@global_options
@click.pass_obj
def status_command(world: World, run_id: str | None, *, as_json: bool) -> None:
    """List the runs of the ledger, or show one in detail."""
    state = world.state()
    if not state.holds_runs():
        if run_id:
            raise InputError(f"there is no run {run_id!r}: {state.path} holds no runs")
        click.echo('{"runs": []}' if as_json else f"no runs in {state.path}")
        return
    _print_runs(world, state, run_id, as_json=as_json)


def _print_runs(world: World, state: StateFolder, run_id: str | None, *, as_json: bool) -> None:
    from runner.finding import find_run, opened
    from runner.holding import is_live
    from runner.report import fold
    from runner.watch import standing

    now = time.time()
    with opened(state) as ledger:
        wanted = [find_run(ledger, run_id)] if run_id else ledger.history.runs()
        if as_json:
            _print_json({"runs": [standing(ledger, run.id, now) for run in wanted]})
        elif run_id and is_live(ledger, run_id, now):
            _print_live(standing(ledger, run_id, now))
        elif run_id:
            world.summarize(fold(ledger.history, run_id), sys.stdout)
        else:
            for run in wanted:
                _print_run(standing(ledger, run.id, now))


@click.command("report")
@click.argument("run_id", shell_complete=run_ids("any"))
@click.option("--format", "form", type=click.Choice(["json", "csv", "md", "html", "junit"]), help="Which report.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write it here; its ending chooses the format.")
@global_options
@click.pass_obj
def report_command(world: World, run_id: str, form: Any, *, as_json: bool, output: str | None) -> None:
    """Make the report of a run again, from the ledger."""
    from runner import report as reports
    from runner.finding import opened_for

    form = "json" if as_json else form
    with opened_for(world.state(), run_id) as ledger:
        report = reports.fold(ledger.history, run_id)
        if output:
            _save(report, Path(output), form)
        elif form:
            with whole_stdout() as stdout:
                reports.write(report, form, stdout)
        else:
            world.summarize(report, sys.stdout)


def _save(report: Report, path: Path, form: Any) -> None:
    from runner import report as reports

    try:
        reports.save(report, path, form)
    except reports.ReportUnwritable as error:
        raise InputError(str(error)) from error


@click.command("providers")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@global_options
def providers_command(*, as_json: bool) -> None:
    """List the providers installed, and what each can do."""
    from runner import providers

    specs = providers.installed().values()
    if as_json:
        rows = [{"name": s.name, "title": s.title, "target": s.target_key, "abilities": s.abilities} for s in specs]
        _print_json({"providers": rows})
    else:
        for spec in specs:
            click.echo(f"{spec.name:<10} {spec.title:<24} target: {spec.target_key:<8} {', '.join(spec.abilities)}")


@click.command("schema")
@click.argument("what", type=click.Choice(["plan", "config", "report", "check"]))
@global_options
def schema_command(what: str) -> None:
    """Print the JSON Schema of plans, configs, reports or saved checks."""
    from importlib import import_module

    module = import_module("runner.saved" if what == "check" else f"runner.{what}")
    _print_json(module.json_schema())


def _print_run(run: dict[str, Any]) -> None:
    from runner.log import plain

    click.echo(plain(f"{run['id']}  {run['status']:<12} {run['plan']['name']}  {_counts(run)}"))


def _print_live(run: dict[str, Any]) -> None:
    """Show how a run stands that goes on in another process."""
    from runner.log import plain

    _print_run(run)
    if run["command"]:
        click.echo(plain(f"  {run['command']}{': ' + run['command_reason'] if run['command_reason'] else ''}"))
    for lane in run["lanes"]:
        pace = f"{lane['achieved_rate'] or 0:g}/s of {lane['rate']:g}/s, {lane['throttled']} throttled"
        click.echo(f"  {lane['account']}: {pace}{', ' + lane['waiting'] if lane['waiting'] else ''}")
    click.echo(f"  about {run['eta_s']:.0f} s left" if run["eta_s"] is not None else "  nothing left to send")


def _counts(run: dict[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in run["totals"].items() if count)


def _print_json(document: dict[str, Any]) -> None:
    import json

    click.echo(json.dumps(document, indent=2))
