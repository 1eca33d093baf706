"""From a plan to a run in the ledger: what is selected, what is left alone, and the rules that a resume keeps."""

from __future__ import annotations

import getpass
import secrets
import socket
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

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
    reattach: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """What the plan gives for a rollback, by the place of the group."""
    reassign: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """Where the plan moves its numbers to, in the same way; empty where it detaches them."""
    partial: bool = False
    """In a rollback: whether it puts back what it can when that is not all."""

    def dump(self) -> dict[str, Any]:
        """Return them as JSON values."""
        moments = {"not_before": self.window.not_before, "not_after": self.window.not_after}
        window = {name: moment.isoformat() for name, moment in moments.items() if moment}
        said = {str(place): said for place, said in self.reattach.items()}
        to = {str(place): said for place, said in self.reassign.items()}
        rest = {"limit": self.limit, "reattach": said, "reassign": to, "partial": self.partial}
        return {"guards": asdict(self.guards), "window": window} | rest

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> Rules:
        """Return the rules that `dump` gave."""
        guards = dict(stored["guards"])
        guards["protect"] = tuple(guards["protect"])
        guards["batches"] = tuple(Batch(**batch) for batch in guards["batches"])
        window = {name: datetime.fromisoformat(moment) for name, moment in stored["window"].items()}
        said, to = (
            {int(place): said for place, said in stored.get(name, {}).items()} for name in ("reattach", "reassign")
        )
        return cls(Guards(**guards), Window(**window), stored["limit"], said, to, partial=stored.get("partial", False))


class Placed(Protocol):
    """What stands at one place: a group of a plan, or what was detached there."""

    @property
    def account(self) -> str:
        """The account."""
        ...

    @property
    def target(self) -> str | None:
        """What the numbers are or were attached to; null where none is named."""
        ...


@dataclass(frozen=True, slots=True)
class Planned:
    """What a run's record says of its plan."""

    plan_name: str
    plan_path: str
    plan_sha256: str
    metadata: dict[str, Any]
    description: str | None
    moves: bool = False


def new_run_id(now: float) -> str:
    """Return an id that sorts by time."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S%f}"[:-3] + f"Z-{secrets.token_hex(2)}"


def begin(ledger: Ledger, run_id: str, plan: Plan, options: Options, now: float) -> None:
    """Record a run of ``plan``; InputError when the selection leaves nothing to do."""
    chosen = [is_chosen(group, options) for group in plan.groups]
    check_selection(plan.groups, options, any(chosen))
    said = {place: group.reattach for place, group in enumerate(plan.groups) if group.reattach}
    to = {place: group.reassign for place, group in enumerate(plan.groups) if group.reassign}
    rules = Rules(plan.guards, plan.window or Window(), options.limit, said, to)
    planned = Planned(plan.name, plan.path, plan.sha256, plan.metadata, plan.description, plan.moves)
    ledger.begin(new_record(run_id, planned, options, now), rules.dump(), map(_target, plan.groups, chosen))


def new_record(
    run_id: str, planned: Planned, options: Options, now: float, rollback_of: str | None = None
) -> RunRecord:
    """Return the record of a run that begins now."""
    return RunRecord(
        id=run_id,
        **asdict(planned),
        dry_run=options.dry_run,
        sandbox=options.sandbox,
        rollback_of=rollback_of,
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


def leave_alone(ledger: Ledger, run_id: str, rules: Rules, now: float) -> None:
    """Settle what lies beyond the limit, and what is protected, once every number of the run is known."""
    if rules.limit is not None:
        last = ledger.history.position(run_id, rules.limit, seen=False)
        ledger.skip(run_id, "excluded", now, after=last)
    if rules.guards.protect:
        ledger.skip(run_id, "protected", now, like=rules.guards.protect)


def is_chosen(group: Placed, options: Options) -> bool:
    """Whether --only and --exclude leave a place in."""
    names = {group.account, f"{group.account}/{group.target}"}
    return (not options.only or not names.isdisjoint(options.only)) and names.isdisjoint(options.exclude)


def check_selection(groups: Iterable[Placed], options: Options, anything: bool) -> None:
    """Raise InputError when an option names nothing, or when there is not ``anything`` left."""
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
