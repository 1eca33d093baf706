"""``completion``, and what the shell is told at a tab."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import World, global_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from runner.watch import Kind

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]

_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
@global_options
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print the script that makes a shell complete commands, run ids, accounts and targets.

    In ~/.bashrc or ~/.zshrc: eval "$(teardown completion bash)" or zsh; in ~/.config/fish/config.fish:
    teardown completion fish | source
    """
    from click.shell_completion import ShellComplete, get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click brings all three
    # The plain script: click's own way to it for bash starts a bash first, to ask how old it is.
    script = ShellComplete.source(kind(context.find_root().command, {}, "teardown", "_TEARDOWN_COMPLETE"))
    click.echo(script.replace("complete --no-files", "complete --keep-order --no-files"))  # fish: the newest run first


def run_ids(kind: Kind) -> Completer:
    """Return what completes the id of a run of this kind."""

    def offered(world: World, _: click.Context) -> list[tuple[str, str]]:
        from runner.watch import newest

        return newest(world.state(), kind)

    return _completer(offered)


def _completer(offered: Callable[[World, click.Context], list[tuple[str, str]]]) -> Completer:
    """Return a completer that offers what begins with the word so far, and nothing where that cannot be had."""

    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from click.shell_completion import CompletionItem

        from runner.log import plain

        try:
            offers = offered(context.find_root().ensure_object(World), context)
        except Exception:  # noqa: BLE001 - a tab never ends in an error
            return []
        return [CompletionItem(word, help=plain(help_)) for word, help_ in offers if word.startswith(incomplete)]

    return complete


def _accounts(world: World, _: click.Context) -> list[tuple[str, str]]:
    from runner.offering import accounts

    return accounts(world.config_path())


def _rates(world: World, _: click.Context) -> list[tuple[str, str]]:
    from runner.offering import rates

    return rates(world.config_path())


def _places(world: World, context: click.Context) -> list[tuple[str, str]]:
    from runner.offering import places

    return places(_plan_on(context), world.config_path())


def _plan_on(context: click.Context) -> Path | None:
    """Return the plan that the line names so far; click leaves it among the rest while an option has no value yet."""
    words: list[Any] = [context.params.get("plan"), *context.args]
    return next((Path(word) for word in words if isinstance(word, str) and Path(word).is_file()), None)


accounts = _completer(_accounts)
rates = _completer(_rates)
places = _completer(_places)
