"""The numbers of the groups: from the plan or from number files, each checked, none twice at one target.

What a plan may hold a million of stands in columns here: 16 bytes a number, its place included.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from runner import e164
from runner.document import Mapping, Node, Page, Scalar, Sequence, Spot, Taken, tables
from runner.document.schema import validate
from runner.plan.grammar import NumberFile
from runner.plan.model import Notes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runner.document.tables import Row

_MAX_DOUBTS = 20

Target = tuple[str, str | None]
"""Account and target."""


@dataclass(slots=True)
class Listing:
    """The sound numbers of one group, or ``all`` of them; each column has an entry a number."""

    page: Page
    """Where the numbers stand."""
    digits: array[int] = field(default_factory=lambda: array("Q"))
    lines: array[int] = field(default_factory=lambda: array("I"))
    columns: array[int] = field(default_factory=lambda: array("I"))
    notes: Notes = field(default_factory=Notes)
    empty: bool = True
    """Whether nothing was listed, sound or not."""
    all: bool = False
    digest: bytes = b""
    """SHA-256 of the number file."""

    def add(self, number: str, spot: Spot, note: str | None) -> None:
        """Add a sound number."""
        self.digits.append(int(number))
        self.lines.append(spot.line)
        self.columns.append(spot.column)
        if note:
            self.notes.add(number, note)


class Numbers:
    """Reads the numbers of every group of one plan, and remembers where each stands."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._listed: defaultdict[str, list[Listing]] = defaultdict(list)
        self._targets: set[Target] = set()
        self._all: dict[Target, Spot] = {}
        self._doubts = 0

    def read(self, group: Mapping, target: Target | None, *, everywhere: bool = False) -> Listing:
        """Return the numbers of ``group``; ``target`` is null where it is not clear.

        ``everywhere``: a detach takes a number off every target of its account, which has it to do only once.
        """
        listing = self._listing(group, target)
        if listing.digits:
            self._remember(listing, target, everywhere=everywhere)
        return listing

    def collect(self, items: Iterable[Node]) -> Listing:
        """Return what the items of one ``numbers`` list say, after noting what is wrong with each."""
        return self._checked(self._entries(items), self._page)

    def finish(self, spot: Spot) -> None:
        """Note what stands twice, and say how many more numbers are doubtful than were named."""
        for where, listings in self._listed.items():
            _note_twice(f"at {where}", listings)
        if (more := self._doubts - _MAX_DOUBTS) > 0:
            self._page.warn(spot, f"{more:,} more numbers are unknown to their numbering plans; check them")

    def _remember(self, listing: Listing, target: Target | None, *, everywhere: bool) -> None:
        if target is None:
            _note_twice("in this group", [listing])
            return
        self._listed[target[0] if everywhere else shown(target)].append(listing)
        self._targets.add(target)
        if target in self._all:
            self._page.problem(
                self._all[target], f"`all` covers what another group lists at {shown(target)}; keep one of them"
            )

    def _listing(self, group: Mapping, target: Target | None) -> Listing:
        numbers, file = group.get("numbers"), group.get("numbers_from")
        if (numbers is None) == (file is None):
            spot = group.key("numbers_from") or (group.pairs[0][0] if group.pairs else group)
            self._page.problem(spot, "a group needs either `numbers` or `numbers_from`; give one of them")
        elif isinstance(file, Scalar):
            return self._from_file(file)
        elif isinstance(numbers, Scalar) and numbers.text == "all":
            return self._take_all(numbers, target)
        elif numbers is not None:
            return self._listed_in(numbers)
        return Listing(self._page)

    def _listed_in(self, node: Node) -> Listing:
        if isinstance(node, Sequence):
            listing: Listing = node.value if isinstance(node, Taken) else self.collect(node.items)
            if not listing.empty:
                return listing
        found = "is blank" if isinstance(node, Scalar) and not node.text else "is no list of numbers"
        found = "is an empty list" if isinstance(node, Sequence) else found
        self._page.problem(node, f"`numbers` {found}; list at least one number, or write `all` for every number there")
        return Listing(self._page)

    def _from_file(self, node: Scalar) -> Listing:
        table = tables.load(Path(self._page.name).parent / node.text, self._page, node) if node.text else None
        if table is None:
            return Listing(self._page)
        listing = self._checked(table.rows, table.page)
        listing.digest = table.digest
        return listing

    def _take_all(self, node: Scalar, target: Target | None) -> Listing:
        if target and (target in self._targets or target in self._all):
            self._page.problem(
                node, f"`all` covers what another group lists at {shown(target)}; keep one of the groups"
            )
        if target:
            self._all[target] = node
        return Listing(self._page, all=True)

    def _entries(self, items: Iterable[Node]) -> Iterator[Row | None]:
        for item in items:
            if isinstance(item, Scalar):
                yield item, None
            else:
                yield self._noted(item)

    def _noted(self, item: Node) -> Row | None:
        """Return the entry of a ``number:`` with its ``note:``; the grammar is only asked where that fails."""
        if isinstance(item, Mapping):
            values = {key.text: value for key, value in item.pairs}
            number, note = values.get("number"), values.get("note")
            if len(values) == 1 + (note is not None) and isinstance(number, Scalar) and number.text:
                if note is None:
                    return number, None
                if isinstance(note, Scalar) and note.text and note.text.isprintable():
                    return number, note.text
        validate(NumberFile, item, self._page, "an item of `numbers`")
        return None

    def _checked(self, rows: Iterable[Row | None], page: Page) -> Listing:
        listing = Listing(page)
        for row in rows:
            listing.empty = False
            if row is None:
                continue
            spot, note = row
            number = spot.text or ""
            if complaint := e164.check(number):
                page.problem(spot, complaint)
            else:
                listing.add(number, spot, note)
                self._question(page, spot, number)
        return listing

    def _question(self, page: Page, spot: Spot, number: str) -> None:
        if doubt := e164.doubt(number):
            self._doubts += 1
            if self._doubts <= _MAX_DOUBTS:
                page.warn(spot, doubt)


def _note_twice(where: str, listings: list[Listing]) -> None:
    """Note every number that stands more than once; sorting costs a third of the memory that a set does."""
    ordered = sorted(chain.from_iterable(listing.digits for listing in listings))
    twice = {one for one, next_one in pairwise(ordered) if one == next_one}
    first: dict[int, str] = {}
    for listing in listings if twice else ():
        for digits, line, column in zip(listing.digits, listing.lines, listing.columns, strict=True):
            if digits in twice:
                spot = Scalar(None, line, column)
                if digits in first:
                    text = f"+{digits} is listed twice {where}, first at {first[digits]}; remove one of them"
                    listing.page.problem(spot, text)
                else:
                    first[digits] = listing.page.place(spot)


def shown(target: Target) -> str:
    """``account/target``, or the account alone."""
    return "/".join(part for part in target if part)
