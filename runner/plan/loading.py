"""From a plan file to a Plan, or to every problem at once."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.config import read_guards
from runner.document import (
    ITEMS,
    PLAN_LIMIT,
    Findings,
    Mapping,
    Node,
    Page,
    Sequence,
    compose,
    decode,
    read,
    schema,
    uncollected,
)
from runner.plan.grammar import PlanFile, WindowFile
from runner.plan.groups import Groups
from runner.plan.listing import Numbers
from runner.plan.model import Group, Plan
from runner.policy import Guards, Window

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Mapping as Accounts
    from hashlib import _Hash as Hash

    from runner.document import Spot


@uncollected()
def load(path: str | Path, accounts: Accounts[str, str] | None = None, *, default_guards: Guards | None = None) -> Plan:
    """Read the plan at ``path``; InputError with every problem, in the order of the files.

    ``accounts`` maps each configured account to its provider; without a config (None) an unknown account only gets a
    warning. ``default_guards`` are the config's.
    """
    findings = Findings()
    page = findings.page(str(path))
    text, whole = _read(Path(path), page)
    numbers = Numbers(page)
    root = compose(text, page, {("teardown", ITEMS, "numbers"): numbers.collect})
    if not isinstance(root, Mapping):
        raise page.fatal(root, "a plan is a mapping that begins with `version: 1`; write it as the README shows")
    guards, protected = read_guards(root.get("guards"), page, default_guards or Guards())
    groups, listed = _groups(root, page, accounts, numbers)
    file, window = _head(root, page)
    _warn_of_size(groups, guards, page, root)
    findings.check()
    assert file is not None  # noqa: S101 - or there would have been a problem
    return Plan(
        name=file.name,
        description=file.description,
        metadata=file.metadata,
        path=str(path),
        sha256=_sha256(whole, [*protected, *listed]),
        text=text,
        guards=guards,
        window=window,
        groups=tuple(groups),
        warnings=findings.warnings,
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a plan."""
    return schema.json_schema(PlanFile, "Plan of teardown")


def _head(root: Mapping, page: Page) -> tuple[PlanFile | None, Window | None]:
    """Read all but the guards and the groups, which are read on their own so that they show their problems too."""
    node = root.get("window")
    window = _window(node, page) if node else None
    given: dict[str, object] = {"window": None, "guards": None, "teardown": None}
    given |= schema.free(root, page, "metadata", schema.plain)
    return schema.validate(PlanFile, root, page, "the plan", given), window


def _window(node: Node, page: Page) -> Window | None:
    file = schema.validate(WindowFile, node, page, "`window`")
    if file is None:
        return None
    if file.not_before is None and file.not_after is None:
        page.problem(node, "`window` is empty; give `not_before`, `not_after` or both, or take it out")
    elif file.not_before and file.not_after and file.not_after <= file.not_before:
        late = node.get("not_after") if isinstance(node, Mapping) else None
        page.problem(late or node, "the window ends before it begins; put `not_after` after `not_before`")
    return Window(file.not_before, file.not_after)


def _groups(
    root: Mapping, page: Page, accounts: Accounts[str, str] | None, numbers: Numbers
) -> tuple[list[Group], list[bytes]]:
    """Return the sound groups, and the SHA-256 of their number files in the order of the plan."""
    node = root.get("teardown")
    if node is None:
        return [], []
    if not isinstance(node, Sequence) or not node.items:
        page.problem(node, "`teardown` must be a list of at least one group; add `- account: …` below it")
        return [], []
    groups = Groups(page, accounts, numbers)
    read_ones = [groups.read(item) for item in node.items]
    numbers.finish(node)
    return [group for group, _ in read_ones if group], [digest for _, digest in read_ones if digest]


def _warn_of_size(groups: Iterable[Group], guards: Guards, page: Page, root: Mapping) -> None:
    listed = sum(len(group.numbers or ()) for group in groups)
    if listed > guards.max_numbers:
        spot: Spot = root.key("guards") or root.key("teardown") or root
        more = f"the plan lists {listed:,} numbers and `max_numbers` is {guards.max_numbers:,}"
        page.warn(spot, f"{more}; a run refuses to start when more than that would be detached")


def _read(path: Path, page: Page) -> tuple[str, Hash]:
    data = read(path, PLAN_LIMIT)
    return decode(data, page.name), hashlib.sha256(data)


def _sha256(whole: Hash, files: Iterable[bytes]) -> str:
    """Return the hash of the plan and its files, each file by its digest: a line moved from one to the next shows."""
    for digest in files:
        whole.update(digest)
    return whole.hexdigest()
