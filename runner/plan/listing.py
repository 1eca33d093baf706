"""The numbers of the groups: from the plan or from number files, each checked, none twice at one target."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner import e164
from runner.document import Mapping, Node, Page, Scalar, Sequence, Spot, tables
from runner.document.schema import validate
from runner.plan.grammar import NumberFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAX_DOUBTS = 20

Target = tuple[str, str | None]
"""Account and target."""
Entry = tuple[Page, Scalar, str | None]
"""The page that a number stands on, the number as it is written, and its note."""


@dataclass(slots=True)
class Listing:
    """The sound numbers of one group, or ``all`` of them; ``data`` is the bytes of its number file."""

    numbers: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    all: bool = False
    data: bytes = b""


class Numbers:
    """Reads the numbers of every group of one plan, and remembers where each stands."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._seen: dict[Target, dict[str, tuple[Page, Spot]]] = {}
        self._all: dict[Target, Spot] = {}
        self._listed: set[Target] = set()
        self._doubts = 0

    def read(self, group: Mapping, target: Target | None, *, everywhere: bool = False) -> Listing:
        """Return the numbers of ``group``; where its ``target`` is not clear (null) no duplicates are looked for.

        ``everywhere``: a detach takes a number off every target of its account, which has it to do only once.
        """
        listing = self._listing(group, target, (target[0], None) if target and everywhere else target)
        if target and listing.numbers:
            self._listed.add(target)
        return listing

    def _listing(self, group: Mapping, target: Target | None, once_at: Target | None) -> Listing:
        numbers, file = group.get("numbers"), group.get("numbers_from")
        if (numbers is None) == (file is None):
            spot = group.key("numbers_from") or (group.pairs[0][0] if group.pairs else group)
            self._page.problem(spot, "a group needs either `numbers` or `numbers_from`; give one of them")
            return Listing()
        if isinstance(file, Scalar):
            return self._from_file(file, target, once_at)
        if isinstance(numbers, Scalar) and numbers.text == "all":
            return self._take_all(numbers, target)
        return self._checked(self._entries(numbers), target, once_at) if numbers is not None else Listing()

    def finish(self, spot: Spot) -> None:
        """Say how many more numbers are doubtful than were named."""
        if (more := self._doubts - _MAX_DOUBTS) > 0:
            self._page.warn(spot, f"{more:,} more numbers are unknown to their numbering plans; check them")

    def _from_file(self, node: Scalar, target: Target | None, once_at: Target | None) -> Listing:
        if not node.text:
            return Listing()
        table = tables.load(Path(self._page.name).parent / node.text, self._page, node)
        if table is None:
            return Listing()
        listing = self._checked(((table.page, number, note) for number, note in table.rows), target, once_at)
        listing.data = table.data
        return listing

    def _take_all(self, node: Scalar, target: Target | None) -> Listing:
        if target and (target in self._listed or target in self._all):
            self._page.problem(
                node, f"`all` covers what another group lists at {shown(target)}; keep one of the groups"
            )
        if target:
            self._all[target] = node
        return Listing(all=True)

    def _entries(self, node: Node) -> Iterator[Entry]:
        if not isinstance(node, Sequence) or not node.items:
            found = "is blank" if isinstance(node, Scalar) and not node.text else "is no list of numbers"
            found = "is an empty list" if isinstance(node, Sequence) else found
            self._page.problem(
                node, f"`numbers` {found}; list at least one number, or write `all` for every number there"
            )
            return
        for item in node.items:
            if isinstance(item, Scalar):
                yield self._page, item, None
            elif entry := self._noted(item):
                yield entry

    def _noted(self, item: Node) -> Entry | None:
        """Return the entry of a ``number:`` with its ``note:``; the grammar is only asked where that fails."""
        if isinstance(item, Mapping):
            values = {key.text: value for key, value in item.pairs}
            number, note = values.get("number"), values.get("note")
            if len(values) == 1 + (note is not None) and isinstance(number, Scalar) and number.text:
                if note is None:
                    return self._page, number, None
                if isinstance(note, Scalar) and note.text and note.text.isprintable():
                    return self._page, number, note.text
        validate(NumberFile, item, self._page, "an item of `numbers`")
        return None

    def _checked(self, entries: Iterable[Entry], target: Target | None, once_at: Target | None) -> Listing:
        listing = Listing()
        seen = self._seen.setdefault(once_at, {}) if once_at else {}
        for page, spot, note in entries:
            number = spot.text or ""
            if complaint := e164.check(number):
                page.problem(spot, complaint)
            elif first := seen.get(number):
                where = f"at {shown(once_at)}, first" if once_at else "in this group, first"
                page.problem(
                    spot, f"{number} is listed twice {where} at {first[0].place(first[1])}; remove one of them"
                )
            else:
                seen[number] = page, spot
                listing.numbers.append(number)
                self._question(page, spot, number)
                if note:
                    listing.notes[number] = note
        if target in self._all and listing.numbers:
            self._page.problem(
                self._all[target], f"`all` covers what another group lists at {shown(target)}; keep one of them"
            )
        return listing

    def _question(self, page: Page, spot: Spot, number: str) -> None:
        if doubt := e164.doubt(number):
            self._doubts += 1
            if self._doubts <= _MAX_DOUBTS:
                page.warn(spot, doubt)


def shown(target: Target) -> str:
    """``account/target``, or the account alone."""
    return "/".join(part for part in target if part)
