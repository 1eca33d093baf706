"""From a plan to a run in the ledger: what is selected, what is left alone, and the rules that a resume keeps."""

from __future__ import annotations

import getpass
import secrets
import socket
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runner.errors import InputError
from runner.policy import Batch, Guards, Window
from runner.records import NewTarget, RunRecord
from runner.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runner.ledger import Ledger
    from runner.plan import Group, Plan
    from runner.policy import AnyRate


@dataclass(frozen=True, slots=True)
class Options:
    """How a run is done; ``deadline`` in seconds from its start, ``only`` and ``exclude`` as ``ACCOUNT[/TARGET]``."""

    dry_run: bool = False
    limit: int | None = None
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rates: Mapping[str, AnyRate] = field(default_factory=dict)
    concurrency: int | None = None
    deadline: float | None = None
    reason: str | None = None
    verify: bool = True
    retry_failed: bool = False
    wait_for_window: bool = False
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What every process that works on a run has to hold to."""

    guards: Guards = field(default_factory=Guards)
    window: Window = field(default_factory=Window)
    limit: int | None = None
    check: str | None = None
    """The SHA-256 of the saved check that the run is held to."""

    def dump(self) -> dict[str, Any]:
        """Return them as JSON values."""
        moments = {"not_before": self.window.not_before, "not_after": self.window.not_after}
        window = {name: moment.isoformat() for name, moment in moments.items() if moment}
        return {"guards": asdict(self.guards), "window": window, "limit": self.limit, "check": self.check}

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Rules:
        """Return the rules that `dump` gave."""
        guards = dict(stored["guards"])
        guards["protect"] = tuple(guards["protect"])
        guards["batches"] = tuple(Batch(**batch) for batch in guards["batches"])
        window = {name: datetime.fromisoformat(moment) for name, moment in stored["window"].items()}
        return cls(Guards(**guards), Window(**window), stored["limit"], stored.get("check"))


def new_run_id(now: float) -> str:
    """Return an id that sorts by time."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S%f}"[:-3] + f"Z-{secrets.token_hex(2)}"


def begin(ledger: Ledger, run_id: str, plan: Plan, options: Options, now: float) -> None:
    """Record a run of ``plan``; InputError when the selection leaves nothing to do."""
    chosen = [_is_chosen(group, options) for group in plan.groups]
    _check_selection(plan.groups, options, any(chosen))
    record = RunRecord(
        id=run_id,
        plan_name=plan.name,
        plan_path=plan.path,
        plan_sha256=plan.sha256,
        metadata=plan.metadata,
        description=plan.description,
        dry_run=options.dry_run,
        sandbox=options.sandbox,
        rollback_of=None,
        reason=options.reason,
        started_at=now,
        finished_at=None,
        ending=None,
        signal=None,
        notes=(),
        version=VERSION,
        host=socket.gethostname(),
        user=_user(),
    )
    check = plan.approved.sha256 if plan.approved else None
    rules = Rules(plan.guards, plan.window or Window(), options.limit, check)
    ledger.begin(record, rules.dump(), map(_target, plan.groups, chosen))


def leave_alone(ledger: Ledger, run_id: str, rules: Rules, now: float) -> None:
    """Settle what lies beyond the limit, and what is protected, once every number of the run is known."""
    if rules.limit is not None:
        last = ledger.history.position(run_id, rules.limit, seen=False)
        ledger.skip(run_id, "excluded", now, after=last)
    if rules.guards.protect:
        ledger.skip(run_id, "protected", now, like=rules.guards.protect)


def _is_chosen(group: Group, options: Options) -> bool:
    names = {group.account, f"{group.account}/{group.target}"}
    return (not options.only or not names.isdisjoint(options.only)) and names.isdisjoint(options.exclude)


def _check_selection(groups: Iterable[Group], options: Options, anything: bool) -> None:
    known = {name for group in groups for name in (group.account, f"{group.account}/{group.target}")}
    for option, names in (("--only", options.only), ("--exclude", options.exclude)):
        for name in names:
            if name not in known:
                shown = repr(name) if name else "an empty value"
                raise InputError(f"{option}: {shown} names no account or ACCOUNT/TARGET of the plan")
    if not anything:
        raise InputError("--only and --exclude leave nothing of the plan; an empty selection is never run")


def _target(group: Group, chosen: bool) -> NewTarget:
    numbers = group.numbers if chosen else group.numbers or ()
    return NewTarget(group.account, group.provider, group.target, numbers, group.if_missing, excluded=not chosen)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "unknown"
