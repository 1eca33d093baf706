"""From a check in the ledger to a file that can be approved and run."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct

from runner.durable import refusal, replacing
from runner.errors import InputError
from runner.goal import goal_of
from runner.history import SHIFT
from runner.log import stamp
from runner.plan import is_saved_check
from runner.report import outcome_of
from runner.saved.form import Checked, Estimate, Head, Home, Place, SavedItem, WayBack, first_line, last_line, line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from runner.config import Account
    from runner.history import History
    from runner.plan import Plan
    from runner.preview import Preview
    from runner.report import Report


class Look(Struct, frozen=True):
    """What a check came to, and what of; ``accounts`` are those that were asked, none for a rehearsal."""

    report: Report
    plan: Plan
    preview: Preview
    accounts: Mapping[str, Account]


def check_free(path: Path) -> None:
    """Raise InputError when a check cannot be saved at ``path``, or would replace what is no saved check."""
    if complaint := refusal(path):
        raise InputError(f"--out: {complaint}")
    if path.exists() and not is_saved_check(path):
        raise InputError(f"--out: {path} is there already and is no saved check; name another file")


def save(path: Path, history: History, look: Look) -> str:
    """Write a check that ``history`` holds to ``path`` (0600), whole or not at all, and return its SHA-256.

    Raises InputError when the file cannot be written.
    """
    digest = hashlib.sha256()
    try:
        with replacing(path.resolve()) as stream:
            for each in _lines(_head(history, look), history):
                digest.update(each)
                stream.write(each.decode())
            stream.write(last_line(digest.hexdigest()).decode())
    except OSError as error:
        raise InputError(f"--out: {path} cannot be written ({error.strerror}); name a file you may write") from error
    return digest.hexdigest()


def _lines(head: Head, history: History) -> Iterator[bytes]:
    yield first_line(head)
    left = head.totals["planned"]
    places = {target.no: index for index, target in enumerate(history.targets(head.run))}
    would = goal_of(None, moves=history.run(head.run).moves).would
    for item in history.items(head.run):
        left -= 1
        outcome = outcome_of(item.state, seen=item.seen_attached, would=would)
        saved = SavedItem(
            group=places[item.id >> SHIFT],
            number=item.number,
            outcome=outcome,  # type: ignore[arg-type] # the model refuses any other
            reason=item.reason,
            before=item.before,
        )
        yield line(saved, last=not left)


def _head(history: History, look: Look) -> Head:
    plan, record = look.plan, history.run(look.report.run["id"])
    attached = {(target.account, target.target): target.attached for target in look.preview.targets}
    places = [
        Place(
            account=group.account,
            provider=group.provider,
            target=group.target,
            all=group.numbers is None,
            if_missing=group.if_missing,
            reattach=group.reattach,
            reassign=group.reassign,
            then="delete_target" if group.delete_target else None,
            attached=attached.get((group.account, group.target)),
        )
        for group in plan.groups
    ]
    homes = {name: Home(base_url=each.base_url, org_handle=each.org_handle) for name, each in look.accounts.items()}
    return Head(
        run=record.id,
        checked_at=stamp(record.started_at),
        version=record.version,
        host=record.host,
        user=record.user,
        sandbox=record.sandbox,
        plan=Checked(
            name=plan.name,
            path=plan.path,
            sha256=plan.sha256,
            description=plan.description,
            metadata=plan.metadata,
            text=plan.text,
        ),
        rules=history.rules(record.id) | {"limit": None},
        accounts={name: homes[name] for name in sorted({place.account for place in places} & homes.keys())},
        groups=places,
        estimate=[
            Estimate(
                account=lane.account,
                to_send=lane.to_send,
                requests=lane.requests,
                seconds=round(lane.seconds, 3),
                rate=lane.rate,
                rollback=[
                    WayBack(how=reversal.how, missing=list(reversal.missing), numbers=count)
                    for reversal, count in lane.reversals.items()
                ],
            )
            for lane in look.preview.lanes
        ],
        totals=look.report.totals,
    )
