"""What a plan is read from, and what a check leaves behind: saved checks on the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import Struct

from runner.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.cli.options import World
    from runner.config import Account, Settings
    from runner.plan import Plan
    from runner.preview import Preview
    from runner.report import Report

SOMETHING_TO_DO = 11
_HASH = re.compile("[0-9A-Fa-f]{64}")
_OF_A_PLAN = ("only", "exclude", "limit", "out")


def check_options(given: dict[str, Any]) -> None:
    """Refuse a hash that is none, and a file that a check may not be saved in, before anything is asked."""
    expected = given.get("expected")
    if expected is not None and not _HASH.fullmatch(expected):
        raise InputError("--expect-hash: give the SHA-256 that the check said: 64 digits from 0 to f")
    if given.get("out") is not None:
        from runner import saved

        saved.check_free(Path(given["out"]))


def read_plan(path: str, given: dict[str, Any], settings: Settings) -> tuple[Plan, Plan]:
    """Return the plan at ``path``, or the one of a saved check; and what a sandbox is seeded from, for that is less."""
    from runner.plan import is_saved_check

    if is_saved_check(Path(path)):
        return _saved_plan(path, given, settings)
    if given.get("expected") and Path(path).exists():
        raise InputError(
            f"--expect-hash: {path} is no saved check; it goes with what `teardown check PLAN --out FILE` saved"
        )
    plan = _plan(path, settings, rehearsal=given["sandbox"])
    return plan, plan


def _saved_plan(path: str, given: dict[str, Any], settings: Settings) -> tuple[Plan, Plan]:
    from runner import saved

    for option in _OF_A_PLAN:
        if given.get(option):
            raise InputError(
                f"--{option}: {path} is a saved check, which is run as it is; give it to `check PLAN --out`"
            )
    check = saved.load(Path(path), given.get("expected"))
    plan = check.plan(settings.guards)
    return plan, check.plan(settings.guards, attached_only=True) if given["sandbox"] else plan


def _plan(path: str, settings: Settings, *, rehearsal: bool) -> Plan:
    from runner import plan as plans

    accounts, guards = {name: each.provider for name, each in settings.accounts.items()}, settings.guards
    try:
        return plans.load(path, accounts or None, default_guards=guards)
    except InputError:
        if not rehearsal:
            raise
        return plans.load(path, None, default_guards=guards)  # a sandbox stands in for accounts that nobody configured


class Closing(Struct, frozen=True):
    """What is left to do when ``plan`` was done, or only looked at; ``accounts`` are none in a rehearsal."""

    world: World
    given: dict[str, Any]
    plan: Plan
    accounts: Mapping[str, Account]

    def conclude(self, report: Report, seen: Sequence[Preview]) -> int:
        """Save a check that is to be saved, and return the exit code."""
        code, out = report.exit_code or 0, self.given.get("out")
        if out and (code or not seen):
            self.world.say(f"nothing was saved in {out}: only a check that nothing blocks can be run")
        elif out:
            self._save(out, report, seen[-1])
        detailed = self.given.get("detailed_exitcode") and not code
        return SOMETHING_TO_DO if detailed and seen and (seen[-1].to_send or seen[-1].removals) else code

    def _save(self, out: str, report: Report, seen: Preview) -> None:
        from runner import saved
        from runner.finding import opened

        with opened(self.world.state()) as ledger:
            sha256 = saved.save(Path(out), ledger.history, saved.Look(report, self.plan, seen, self.accounts))
        rehearsed = " --sandbox" if self.given["sandbox"] else ""
        self.world.say(f"Saved:  {out}, to be run once: teardown run {out}{rehearsed} --expect-hash {sha256}")
        if not self.given["as_json"]:
            click.echo(sha256)
