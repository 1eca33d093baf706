"""From a run to another one in the ledger that puts back what the first has detached, and only that."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from runner import providers
from runner.begin import Planned, Rules, check_selection, is_chosen, new_record
from runner.config.reattach import misfits
from runner.errors import InputError, Problem
from runner.finding import find_run
from runner.history import SHIFT
from runner.model import State
from runner.policy import Guards, Window
from runner.providers import REATTACH
from runner.records import NewTarget
from runner.snapshot import judged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.begin import Options
    from runner.ledger import Ledger
    from runner.providers import Before, Spec
    from runner.records import RunRecord

Said = dict[str, dict[str, Any]]
"""What the command line gives under --reattach, by ACCOUNT or ACCOUNT/TARGET."""


_TAKEN_OFF = frozenset({State.DETACHED, State.STRANDED})
"""What a run has detached and not attached again."""


@dataclass(frozen=True, slots=True)
class Detached:
    """What a run has detached at one target, and where each number was."""

    account: str
    provider: str
    target: str | None
    numbers: list[str] = field(default_factory=list)
    befores: list[Before] = field(default_factory=list)


def reversible(ledger: Ledger, run_id: str) -> RunRecord:
    """Return the run to put back; InputError when that makes no sense."""
    record = find_run(ledger, run_id)
    if record.dry_run or record.sandbox:
        kind = "a dry run, which detached nothing" if record.dry_run else "a rehearsal against a sandbox that is gone"
        raise InputError(f"run {run_id} cannot be rolled back: it was {kind}")
    if record.rollback_of:
        raise InputError(f"run {run_id} is a rollback itself; to detach its numbers again, run the plan again")
    if not any(tab.state in _TAKEN_OFF for tab in ledger.history.tabs(run_id)):
        if record.moves:
            raise InputError(
                f"run {run_id} moved its numbers and left none without a place, so there is nothing to put back;"
                " to bring them back, write a plan that moves them from where they are now"
            )
        raise InputError(f"run {run_id} has detached nothing, so there is nothing to put back")
    return record


def unsettled(ledger: Ledger, run_id: str) -> int:
    """Return of how many numbers nobody knows whether the run has detached them; a rollback leaves them alone."""
    return sum(tab.count for tab in ledger.history.tabs(run_id) if tab.state in {State.IN_FLIGHT, State.UNKNOWN})


def begin_rollback(
    ledger: Ledger, run_id: str, record: RunRecord, options: Options, *, said: Said, partial: bool, now: float
) -> None:
    """Record a run that puts ``record`` back; InputError when the selection or what is ``said`` cannot be used.

    It holds to the guards of that run that make sense here; its window does not bind, as putting back should not wait.
    """
    groups = list(_detached(ledger, record.id).values())
    chosen = [is_chosen(group, options) for group in groups]
    check_selection(groups, options, any(chosen))
    _check_said(groups, said)
    given = Rules.load(ledger.history.rules(record.id)).guards
    usual = Guards()  # what keeps numbers where they are has no say in putting them back
    guards = replace(given, protect=(), max_percent=usual.max_percent, min_remaining=usual.min_remaining)
    known = {name: providers.load(name) for name in dict.fromkeys(group.provider for group in groups)}
    specs = [known[group.provider] for group in groups]
    targets = [
        _target(group, able(spec, group.account) if each else spec, said, chosen=each)
        for group, spec, each in zip(groups, specs, chosen, strict=True)
        if each or spec.reattaching
    ]
    ledger.begin(
        new_record(run_id, _planned(record), options, now, record.id),
        Rules(guards, Window(), options.limit, partial=partial).dump(),
        targets,
    )


def _planned(record: RunRecord) -> Planned:
    name, path, sha256 = record.plan_name, record.plan_path, record.plan_sha256
    return Planned(name, path, sha256, record.metadata, record.description)


def accounts_of(ledger: Ledger, run_id: str) -> list[str]:
    """Return the accounts in which a run has detached something."""
    return list(dict.fromkeys(group.account for group in _detached(ledger, run_id).values()))


def _detached(ledger: Ledger, run_id: str) -> dict[tuple[str, str | None], Detached]:
    places = {target.no: target for target in ledger.history.targets(run_id)}
    groups: dict[tuple[str, str | None], Detached] = {}
    for item in ledger.history.items(run_id):
        if item.state in _TAKEN_OFF:
            at = places[item.id >> SHIFT]
            group = groups.setdefault((at.account, at.target), Detached(at.account, at.provider, at.target))
            group.numbers.append(item.number)
            group.befores.append(item.before or {})
    return groups


def able(spec: Spec, account: str) -> Spec:
    """Return a provider that can attach numbers; InputError for one that cannot."""
    if spec.reattaching is None:
        raise InputError(f"{spec.title} cannot attach numbers; leave them out with --exclude {account}")
    return spec


def _target(group: Detached, spec: Spec, said: Said, *, chosen: bool) -> NewTarget:
    more = {**said.get(group.account, {}), **said.get(f"{group.account}/{group.target}", {})}
    befores = [_completed(spec, before, more) for before in group.befores]
    return NewTarget(group.account, group.provider, group.target, group.numbers, excluded=not chosen, befores=befores)


def _completed(spec: Spec, before: Before, more: Mapping[str, Any]) -> Before:
    """Return what is known with what is said now, which counts before what the plan said."""
    known = {**before.get(REATTACH, {}), **more}
    return judged(spec, {**before, REATTACH: known} if known else before)


def _check_said(groups: list[Detached], said: Said) -> None:
    problems = []
    known = {name: group.provider for group in groups for name in (group.account, f"{group.account}/{group.target}")}
    for place, values in said.items():
        if place not in known:
            problems.append(Problem("--reattach", f"{place!r} names no account or ACCOUNT/TARGET that was detached"))
        else:
            problems += [Problem("--reattach", sentence) for _, sentence in misfits(known[place], values)]
    if problems:
        raise InputError(problems)
