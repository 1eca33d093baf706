"""Commands of the user's that a run starts, told by variables what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import InputError, Problem
from runner.programs import lacking

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.config import Hooks
    from runner.telling.facts import Facts


def check_programs(hooks: Hooks, environ: Mapping[str, str]) -> None:
    """Raise InputError for every hook whose program is not there, before it is needed."""
    problems = [
        Problem(hook.place, missing) for hook in hooks.commands.values() if (missing := lacking(hook.command, environ))
    ]
    if problems:
        raise InputError(problems)


def variables(moment: str, facts: Facts, folder: Path, state: Path) -> dict[str, str]:
    """Return what a hook is told of its run, with absolute paths; what is not known yet is not set."""
    told = {
        "hook": moment,
        "run_id": facts["run_id"],
        "plan": facts["plan"],
        "run_dir": folder,
        "state_dir": state,
        "status": facts.get("status"),
        "exit_code": facts.get("exit_code"),
        "report": folder / "report.json" if facts.get("report") else None,
        "message": facts.get("verdict"),
        **facts["totals"],
    }
    return {f"TEARDOWN_{name.upper()}": _text(value) for name, value in told.items() if value is not None}


def in_hook_of(run_id: str, environ: Mapping[str, str]) -> bool:
    """Whether this process was started by a hook of that run."""
    return "TEARDOWN_HOOK" in environ and environ.get("TEARDOWN_RUN_ID") == run_id


def _text(value: object) -> str:
    return str(value).replace("\0", "")  # which no variable can hold
