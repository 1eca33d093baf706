"""``pause``, ``unpause`` and ``stop``: control of a live run from another terminal, through the ledger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from runner.cli.completing import run_ids
from runner.cli.options import World, global_options

if TYPE_CHECKING:
    from runner.records import Command


@click.command("pause")
@click.argument("run_id", shell_complete=run_ids("live"))
@click.option("--reason", metavar="TEXT", help="Recorded in the run's log.")
@global_options
@click.pass_obj
def pause_command(world: World, run_id: str, reason: str | None) -> None:
    """Let a live run send nothing more until `unpause`; requests in flight finish."""
    _steer(world, run_id, "pause", reason)


@click.command("unpause")
@click.argument("run_id", shell_complete=run_ids("live"))
@click.option("--reason", metavar="TEXT", help="Recorded in the run's log.")
@global_options
@click.pass_obj
def unpause_command(world: World, run_id: str, reason: str | None) -> None:
    """Let a paused run go on."""
    _steer(world, run_id, "unpause", reason)


@click.command("stop")
@click.argument("run_id", shell_complete=run_ids("live"))
@click.option("--reason", metavar="TEXT", help="Recorded in the run's log and report.")
@global_options
@click.pass_obj
def stop_command(world: World, run_id: str, reason: str | None) -> None:
    """Stop a live run: requests in flight finish, the rest is pending, and `resume` goes on from there."""
    _steer(world, run_id, "stop", reason)


def _steer(world: World, run_id: str, command: Command, reason: str | None) -> None:
    from runner.finding import opened_for
    from runner.watch import steer

    with opened_for(world.state(), run_id) as ledger:
        steer(ledger, run_id, command, reason, time.time())
    world.say(f"told run {run_id} to {command}; it hears that within a second or two")
