"""Options that several commands share, and the values that they turn into."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from runner.cli.streams import Forgiving, laid_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runner.config import Settings
    from runner.policy import AnyRate
    from runner.report import Report
    from runner.state import StateFolder

F = TypeVar("F", bound="Callable[..., Any]")
_LEVELS = {-1: "error", 0: "warning", 1: "info"}


@dataclass(slots=True)
class World:
    """The global options, which may stand before or after the command."""

    given: dict[str, Any] = field(default_factory=dict)

    def settings(self) -> Settings:
        """Load the config; InputError with every problem."""
        from runner import config

        settings = config.load(self.config_path(), os.environ)
        if settings.log.numbers == "masked" and isinstance(sys.stderr, Forgiving):
            sys.stderr.masked = True
        for warning in settings.warnings:
            self.say(f"warning: {warning}")
        return settings

    @property
    def has_config(self) -> bool:
        """Whether there is a config at all."""
        return self.config_path() is not None

    def config_path(self) -> Path | None:
        """Return where the config is; InputError when one that was asked for is not there."""
        from runner.whereabouts import find_config

        return find_config(self.given.get("config"), os.environ)

    def state(self) -> StateFolder:
        """Return the state folder, made or not."""
        from runner.state import StateFolder

        return StateFolder.find(self.given.get("state_dir"), os.environ)

    @property
    def verbosity(self) -> int:
        """Below 0 quiet, 0 usual, above it the more the higher."""
        return int(self.given.get("verbose", 0)) - (1 if self.given.get("quiet") else 0)

    @property
    def log_level(self) -> str:
        """What the console shows of the log."""
        return self.given.get("log_level") or _LEVELS.get(min(self.verbosity, 2), "debug")

    @property
    def log_format(self) -> Any:
        """How the console shows the log."""
        return self.given.get("log_format") or "console"

    @property
    def color(self) -> bool:
        """Whether colours may be used on a terminal."""
        return not self.given.get("no_color") and not os.environ.get("NO_COLOR")

    def summarize(self, report: Report, stream: TextIO) -> None:
        """Print the summary of a report."""
        from runner.report import summary

        folder = self.state().run_folder(report.run["id"])
        summary(report, stream, color=self.color, folder=folder, state_dir=self.given.get("state_dir"))

    def tell(self, line: str) -> None:
        """Say a line that nobody will want to copy: on a terminal it breaks between words."""
        from runner.log import plain

        self.say(laid_out(plain(line)))

    def say(self, text: str) -> None:
        """Tell a human something, unless they asked for quiet."""
        if self.verbosity >= 0:
            from runner.log import plain

            click.echo("\n".join(plain(line) for line in text.splitlines()), err=True)


def many(count: int, thing: str) -> str:
    """Return so many of a thing in words: ``1 number``, ``4 numbers``."""
    return f"{count} {thing}{'s' if count != 1 else ''}"


def _store(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is not None and value is not False and value != 0 and parameter.name:
        context.find_root().ensure_object(World).given[parameter.name] = value


_global = partial(click.option, expose_value=False, callback=_store)
_GLOBAL_OPTIONS = (
    _global("--config", metavar="PATH", help="Config file (else $TEARDOWN_CONFIG, ./config.yaml, XDG)."),
    _global("--state-dir", metavar="PATH", help="State folder (else $TEARDOWN_STATE_DIR, XDG)."),
    _global("--log-format", type=click.Choice(["console", "json"]), help="How the log looks on stderr."),
    _global("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="What of it shows there."),
    _global("-q", "--quiet", is_flag=True, help="Only errors on stderr."),
    _global("-v", "--verbose", count=True, help="More of the log on stderr; -vv for all of it."),
    _global("--no-color", is_flag=True, help="No colours (also NO_COLOR)."),
)


def global_options(command: F) -> F:
    """Add the options that every command takes."""
    for option in reversed(_GLOBAL_OPTIONS):
        command = option(command)
    return command


class Duration(click.ParamType[float]):
    """``90s``, ``15m``, ``2h``: seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        from runner.policy import parse_duration

        try:
            seconds = parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if seconds <= 0:
            self.fail("must be longer than nothing", param, ctx)
        return seconds


class AccountRate(click.ParamType["tuple[str, AnyRate]"]):
    """``ACCOUNT=5/s`` or ``ACCOUNT=auto``."""

    name = "account=rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, AnyRate]:
        """Return the account and its rate."""
        from runner.policy import parse_rate

        account, separator, rate = str(value).partition("=")
        if not (account and separator):
            self.fail(f"{value!r} is not ACCOUNT=RATE, like unpod-main=5/s or unpod-main=auto", param, ctx)
        try:
            return account, parse_rate(rate)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PlaceValue(click.ParamType["tuple[str, str, str | int]"]):
    """``ACCOUNT[/TARGET]:KEY=VALUE``."""

    name = "place:key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str, str | int]:
        """Return place, key and value; digits alone are a whole number."""
        left, equals, text = str(value).partition("=")
        place, colon, key = left.rpartition(":")
        if not (place and colon and key and equals and text):
            self.fail(f"{value!r} is not ACCOUNT[/TARGET]:KEY=VALUE, like unpod-main:provider_config_id=42", param, ctx)
        return place, key, int(text) if text.isdecimal() else text


class PhoneCall(click.ParamType["tuple[str, float | None]"]):
    """``NUMBER`` or ``NUMBER=90s``: who is in a call, and for how many seconds (null: it does not end)."""

    name = "number=duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float | None]:
        """Return the number and the seconds."""
        from runner import e164

        number, equals, text = str(value).partition("=")
        if complaint := e164.check(number):
            self.fail(complaint, param, ctx)
        return number, Duration().convert(text, param, ctx) if equals else None
