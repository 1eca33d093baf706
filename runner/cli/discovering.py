"""``discover``: what is attached in an account, as a plan."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.completing import accounts
from runner.cli.options import World, global_options, many
from runner.cli.streams import whole_stdout
from runner.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable


@click.command("discover")
@click.argument("account", shell_complete=accounts)
@click.option("--target", "targets", multiple=True, metavar="NAME", help="Only this bridge or gateway; repeatable.")
@click.option("--match", "patterns", multiple=True, metavar="NUMBER", help="Only this, or as +4420*; repeatable.")
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write the plan here.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
@global_options
@click.pass_obj
def discover_command(
    world: World,
    account: str,
    targets: tuple[str, ...],
    patterns: tuple[str, ...],
    output: str | None,
    *,
    overwrite: bool,
) -> None:
    """Print a plan of what is attached in ACCOUNT now; nothing is changed, and a failed read makes no plan.

    Where nothing is attached, or a read failed, the exit code is 3.
    """
    from runner.cli import loop
    from runner.discovery import cleaner, find_account, look_through, plan_text
    from runner.inventory import Choice, Inventory

    _check(targets, patterns)
    path = _free(output, overwrite=overwrite)
    settings = world.settings()
    found = find_account(settings, account)
    choice = Choice(targets, patterns, settings.guards.protect)
    with Inventory(choice, cleaner(found, os.environ)) as inventory:
        began = time.time()
        loop.run(
            look_through(
                found,
                settings,
                targets,
                inventory,
                environ=os.environ,
                clock=time.time,
                heard=lambda count: world.say(f"{account}: {count} numbers so far"),
            )
        )
        _deliver(plan_text(found, inventory, settings.guards, began), path)
        count = many(sum(shelf.size for shelf in inventory.shelves()), "number")
        left_out = [f"{number} {why}" for why, number in inventory.left_out().items()]
    world.say(f"{account}: {count} attached" + (f"; left out: {', '.join(left_out)}" if left_out else ""))


def _check(targets: Iterable[str], patterns: Iterable[str]) -> None:
    from runner import e164

    if not all(each.strip() for each in targets):
        raise InputError("--target is blank; name a bridge or gateway, or leave it out")
    for each in patterns:
        if not (e164.is_e164(each) or e164.is_pattern(each)):
            raise InputError(f"--match: {each!r} is no number; write one like +14155550101, or how it begins: '+4420*'")


def _free(output: str | None, *, overwrite: bool) -> Path | None:
    """Return where the plan goes, None for stdout; InputError when something is there that may not be replaced."""
    from runner.durable import refusal

    if output is None:
        if overwrite:
            raise InputError("--overwrite: goes with -o only")
        return None
    path = Path(output)
    if complaint := refusal(path):
        raise InputError(f"-o: {complaint}")
    if path.exists() and (not overwrite or not path.is_file()):
        mend = "name another file" if not path.is_file() else "name another file, or add --overwrite"
        raise InputError(f"{path} is there already; {mend}")
    return path


def _deliver(lines: Iterable[str], path: Path | None) -> None:
    """Write the plan whole or not at all."""
    from runner.durable import PUBLIC, replacing

    lines = iter(lines)
    first = next(lines)  # what forbids a plan is said before a file is begun
    if path is None:
        with whole_stdout() as stdout:
            stdout.write(first)
            stdout.writelines(lines)
        return
    try:
        with replacing(path.resolve(), PUBLIC) as stream:
            stream.write(first)
            stream.writelines(lines)
    except OSError as error:
        raise InputError(
            f"{path}: cannot write the plan there ({error.strerror}); name a file you may write"
        ) from error
