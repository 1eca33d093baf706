"""Batch teardown of phone numbers. These names are what scripts may rely on; ``docs/python.md`` shows them at work.

Each is imported when it is first asked for, so that ``teardown --help`` does not load a network client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.begin import Options
    from runner.config import Account, Settings
    from runner.config import load as load_config
    from runner.errors import BlockedError, BusyError, InputError, LedgerError, Problem, TeardownError
    from runner.finding import find_resumable
    from runner.operate import Front, Return, resume, roll_back, start
    from runner.plan import Group, Plan
    from runner.plan import load as load_plan
    from runner.policy import Guards, Rate, RetryPolicy, Window
    from runner.report import Report, ReportError
    from runner.report import save as save_report
    from runner.state import StateFolder

__all__ = [
    "Account",
    "BlockedError",
    "BusyError",
    "Front",
    "Group",
    "Guards",
    "InputError",
    "LedgerError",
    "Options",
    "Plan",
    "Problem",
    "Rate",
    "Report",
    "ReportError",
    "RetryPolicy",
    "Return",
    "Settings",
    "StateFolder",
    "TeardownError",
    "Window",
    "find_resumable",
    "load_config",
    "load_plan",
    "resume",
    "roll_back",
    "save_report",
    "start",
]

_HOMES = {
    "runner.begin": ("Options",),
    "runner.config": ("Account", "Settings"),
    "runner.errors": ("BlockedError", "BusyError", "InputError", "LedgerError", "Problem", "TeardownError"),
    "runner.finding": ("find_resumable",),
    "runner.operate": ("Front", "Return", "resume", "roll_back", "start"),
    "runner.plan": ("Group", "Plan"),
    "runner.policy": ("Guards", "Rate", "RetryPolicy", "Window"),
    "runner.report": ("Report", "ReportError"),
    "runner.state": ("StateFolder",),
}
_RENAMED = {
    "load_config": ("runner.config", "load"),
    "load_plan": ("runner.plan", "load"),
    "save_report": ("runner.report", "save"),
}
_ORIGINS = _RENAMED | {name: (home, name) for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # pragma: no branch - or a type checker would believe in any name at all

    def __getattr__(name: str) -> Any:
        """Import a public name from where it lives."""
        if name not in _ORIGINS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home, attribute = _ORIGINS[name]
        return getattr(import_module(home), attribute)
