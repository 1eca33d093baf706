"""Located values, and what was found wrong with them: the ground that plan and config stand on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from runner.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SHOWN = 60


class Spot(Protocol):
    """A place in a file; ``line`` and ``column`` count from 1, and ``line`` is 0 where there is no line."""

    line: int
    column: int


@dataclass(slots=True, eq=False)
class Scalar:
    """One value as it is written, never converted: ``+1415…`` keeps its plus; None where it is blank or ``null``."""

    text: str | None
    line: int
    column: int
    plain: bool = True
    """Whether it stands without quotes."""


@dataclass(slots=True, eq=False)
class Given(Scalar):
    """A value that came from elsewhere than the file; ``source`` names the place."""

    source: str = ""


@dataclass(slots=True, eq=False)
class Sequence:
    """A list of nodes."""

    items: list[Node]
    line: int
    column: int


@dataclass(slots=True, eq=False)
class Taken(Sequence):
    """A list whose items were used up while it was read: only what became of them is kept, in ``value``."""

    value: Any


@dataclass(slots=True, eq=False)
class Mapping:
    """Keys and values in the order of the file; no key stands twice."""

    pairs: list[tuple[Scalar, Node]]
    line: int
    column: int

    def get(self, name: str) -> Node | None:
        """Return the value of the key ``name``; None where there is no such key."""
        for key, value in self.pairs:
            if key.text == name:
                return value
        return None

    def key(self, name: str) -> Scalar | None:
        """Return the key ``name`` itself, for its place."""
        return next((key for key, _ in self.pairs if key.text == name), None)


Node = Scalar | Sequence | Mapping


@dataclass(slots=True)
class Findings:
    """Every problem and warning of one reading, over all files that it touched."""

    _pages: int = 0
    _problems: list[tuple[tuple[int, int, int], Problem]] = field(default_factory=list)
    _warnings: list[tuple[tuple[int, int, int], Problem]] = field(default_factory=list)

    def page(self, name: str) -> Page:
        """Begin another file; its problems follow those of the files begun earlier."""
        self._pages += 1
        return Page(name, self._pages, self)

    def add(self, order: tuple[int, int, int], problem: Problem, *, warning: bool) -> None:
        """Note one problem; ``order`` is its page, line and column."""
        (self._warnings if warning else self._problems).append((order, problem))

    def error(self) -> InputError:
        """Return the error that holds every problem, in the order of the files."""
        return InputError(list(_sorted(self._problems)))

    def check(self) -> None:
        """Raise InputError when there is any problem."""
        if self._problems:
            raise self.error()

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Every warning, in the order of the files."""
        return tuple(_sorted(self._warnings))


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """One file under inspection: turns spots in it into problems."""

    name: str
    rank: int
    findings: Findings

    def place(self, spot: Spot) -> str:
        """``file:line:column``, the file alone where there is no line, or the source of a given value."""
        if isinstance(spot, Given):
            return spot.source
        return f"{self.name}:{spot.line}:{spot.column}" if spot.line else self.name

    def problem(self, spot: Spot, message: str) -> None:
        """Note a problem at ``spot``; reading goes on."""
        self._add(spot, message, warning=False)

    def warn(self, spot: Spot, message: str) -> None:
        """Note something worth knowing at ``spot`` that is no reason to refuse."""
        self._add(spot, message, warning=True)

    def adopt(self, spot: Spot, error: InputError) -> None:
        """Note what went wrong with something that ``spot`` refers to."""
        for problem in error.problems:
            self.findings.add((self.rank, spot.line, spot.column), problem, warning=False)

    def fatal(self, spot: Spot, message: str) -> InputError:
        """Return the error to raise where reading cannot go on; holds what was found before, too."""
        self.problem(spot, message)
        return self.findings.error()

    def _add(self, spot: Spot, message: str, *, warning: bool) -> None:
        order = (self.rank, spot.line, spot.column)
        self.findings.add(order, Problem(self.place(spot), message), warning=warning)


def _sorted(found: Iterable[tuple[tuple[int, int, int], Problem]]) -> Iterator[Problem]:
    return (problem for _, problem in sorted(found, key=lambda each: each[0]))


def quoted(text: object) -> str:
    """``text`` as a sentence shows it: in quotes, shortened, without control characters."""
    shown = str(text)
    return repr(shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…")
