"""The command itself, and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

from runner.cli.codes import epilog
from runner.cli.options import World, global_options
from runner.cli.streams import Forgiving, give_up_stdout
from runner.version import VERSION

if TYPE_CHECKING:
    from runner.errors import TeardownError

_COMMANDS = {
    "init": "init",
    "discover": "discovering",
    "validate": "looking",
    "check": "acting",
    "run": "acting",
    "resume": "acting",
    "rollback": "acting",
    "pause": "steering",
    "unpause": "steering",
    "stop": "steering",
    "status": "looking",
    "report": "looking",
    "providers": "looking",
    "schema": "looking",
    "sandbox": "serving",
    "completion": "completing",
}
_BUG = 1
_SIGINT = 130
_OBJECTS_BETWEEN_COLLECTIONS = 20_000


class Commands(click.Group):
    """Commands that are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order in which one meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import and return a command."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"runner.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a reader that leaves its output early is no error, where click would exit with 1."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            give_up_stdout()
            return 0
        return result


@click.command(cls=Commands, epilog=epilog(), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, message="%(prog)s %(version)s")
@global_options
@click.pass_context
def teardown(context: click.Context) -> None:
    """Detach phone numbers from voice bridges in bulk, and report what became of every one."""
    context.ensure_object(World)


def main() -> None:
    """Run the command line; every problem that a user can cause is a sentence, and the exit code says what kind."""
    sys.exit(_run())


def _run() -> int:
    # Neither what is loaded for a command nor its work makes cycles worth mentioning: to search for them is in vain.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    sys.stderr = Forgiving(sys.stderr)
    try:
        code = teardown.main(prog_name="teardown", standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - the one place that may let nothing through
        return _explain(error)
    except KeyboardInterrupt:
        return _SIGINT
    return code if isinstance(code, int) else 0


def _explain(error: Exception) -> int:
    """Say what went wrong, and return the exit code for it."""
    from runner.errors import TeardownError

    match error:
        case ExceptionGroup():
            return _explain(error.exceptions[0])
        case click.ClickException():
            error.show()
            return error.exit_code
        case click.Abort():
            return _SIGINT
        case TeardownError():
            _say_all(str(error))
            return _code_of(error)
        case _:
            _say_all(f"a bug in teardown ({type(error).__name__} in {_place_of(error)}); please report it")
            return _BUG


def _code_of(error: TeardownError) -> int:
    from runner.errors import BlockedError, BusyError, InputError, LedgerError, RecordingFailed, StepRefused

    codes = {InputError: 2, BlockedError: 3, StepRefused: _BUG, RecordingFailed: 5, LedgerError: 2, BusyError: 75}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), _BUG)


def _place_of(error: Exception) -> str:
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{os.path.basename(frame.filename)}:{frame.lineno}"  # noqa: PTH119 - a name, not a path


def _say_all(text: str) -> None:
    from runner.log import plain

    for line in text.splitlines():
        click.echo(f"error: {plain(line)}", err=True)
