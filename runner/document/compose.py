"""YAML text to located nodes, straight from libyaml's events: nothing is converted, nothing is constructed."""

from __future__ import annotations

import gc
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from runner.document.nodes import Mapping, Node, Page, Scalar, Sequence, Spot, Taken, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Mapping as Table

    Takers = Table[tuple[str | None, ...], Callable[[Iterator[Node]], object]]

ITEMS = "[]"
"""Stands in a path of keys for the items of a list."""
_MAX_DEPTH = 32
_MAX_ALIASED = 200_000
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SENTENCES = {
    "mapping values are not allowed in this context": (
        "a `:` is not expected here; check the indentation above, and quote a value that holds `: `"
    ),
    "did not find expected ',' or ']'": "a list in [brackets] is not closed; add `,` or `]`",
    "did not find expected ',' or '}'": "a mapping in {braces} is not closed; add `,` or `}`",
    "did not find expected key": "a key like `name: value` is expected here; check the indentation and the quotes",
    "did not find expected '-' indicator": "an item that begins with `- ` is expected here; check the indentation",
    "could not find expected ':'": "a `:` is missing after this key; add it, or check the line above",
    "found unknown escape character": "the text in double quotes holds an unknown `\\` escape; use single quotes",
    "did not find expected alphabetic or numeric character": "a value cannot begin with `*` or `&`; put it in quotes",
    "found duplicate anchor": "this anchor is defined twice; give it another name",
}


class _At:
    """A spot made of a parser's mark; marks count from 0."""

    def __init__(self, mark: Any) -> None:
        self.line: int = mark.line + 1
        self.column: int = mark.column + 1


_BEGIN = Scalar(None, 1, 1)


@contextmanager
def uncollected() -> Iterator[None]:
    """Hold the garbage collector off: trees have no cycles, and walking a growing one costs as much as building it."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def compose(text: str, page: Page, takers: Takers | None = None) -> Node:
    """Return the one document in ``text``; note on ``page`` what can be gone past, raise InputError where it cannot.

    ``takers`` use up long lists item by item, so that these never stand in memory: by the path of keys that leads to
    them. A list that an alias could repeat is kept as it is.
    """
    if bad := _FORBIDDEN.search(text):
        raise page.fatal(_at_index(text, bad.start()), f"the character {bad[0]!r} is not allowed here; remove it")
    try:
        loader = yaml.CSafeLoader(_Reading(text))  # type: ignore[arg-type] # it always says how much it wants
        return _Composer(page, iter(loader.get_event, None), takers or {}).document()
    except yaml.MarkedYAMLError as error:
        raise page.fatal(*_syntax(text, error)) from error
    except yaml.YAMLError as error:  # pragma: no cover - the search above finds these characters first
        raise page.fatal(_BEGIN, "this is not YAML; save it as UTF-8 text") from error


class _Reading:
    """Text as a stream: libyaml would make a copy of what it gets in one piece."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def read(self, size: int, /) -> str:
        """Return the next characters, none at the end."""
        self._at += size
        return self._text[self._at - size : self._at]


class _Composer:
    """One pass over the events of one document; the events are libyaml's, without types."""

    def __init__(self, page: Page, events: Iterator[Any], takers: Takers) -> None:
        self._page = page
        self._events = events
        self._takers = takers
        self._path: list[str | None] = []
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._open_anchors = 0
        self._size = 0
        self._aliased = 0

    def document(self) -> Node:
        """Return the first document; a second one is a problem."""
        next(self._events)
        if not isinstance(next(self._events), yaml.DocumentStartEvent):
            raise self._page.fatal(_BEGIN, "the file is empty; write it as the README shows")
        root = self._node(next(self._events), 0)
        next(self._events)
        after = next(self._events)
        if isinstance(after, yaml.DocumentStartEvent):
            self._page.problem(_At(after.start_mark), "a second document begins here; keep one document in a file")
        return root

    def _node(self, event: Any, depth: int) -> Node:
        if type(event) is yaml.AliasEvent:
            return self._alias(event)
        before, self._size = self._size, self._size + 1
        if event.anchor is None:
            return self._value(event, depth)
        self._anchors[event.anchor] = None
        self._open_anchors += 1
        node = self._value(event, depth)
        self._open_anchors -= 1
        self._anchors[event.anchor] = node, self._size - before
        return node

    def _value(self, event: Any, depth: int) -> Node:
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        if event.tag is not None:
            self._page.problem(_At(mark), f"tags such as {quoted(event.tag)} are not supported; remove it")
        if type(event) is yaml.ScalarEvent:
            text, plain = event.value, not event.style
            return Scalar(None if plain and text in _NULL else text, line, column, plain)
        if depth == _MAX_DEPTH:
            raise self._page.fatal(_At(mark), f"this is nested more than {_MAX_DEPTH} levels deep; flatten it")
        if type(event) is yaml.SequenceStartEvent:
            items, take = self._items(depth + 1), self._takers.get(tuple(self._path))
            if take and not self._open_anchors:
                return Taken([], line, column, take(items))
            return Sequence(list(items), line, column)
        return Mapping(self._pairs(depth + 1), line, column)

    def _items(self, depth: int) -> Iterator[Node]:
        self._path.append(ITEMS)
        for event in self._events:
            if type(event) is yaml.SequenceEndEvent:
                break
            yield self._node(event, depth)
        self._path.pop()

    def _pairs(self, depth: int) -> list[tuple[Scalar, Node]]:
        pairs: dict[str, tuple[Scalar, Node]] = {}
        for event in self._events:
            if type(event) is yaml.MappingEndEvent:
                break
            key = self._node(event, depth)
            self._path.append(key.text if isinstance(key, Scalar) else None)
            value = self._node(next(self._events), depth)
            self._path.pop()
            if not isinstance(key, Scalar) or key.text is None:
                self._page.problem(key, "a key must be a plain word; name it before the `:`")
            elif first := pairs.get(key.text):
                self._twice(key, first[0])
            else:
                key.text = sys.intern(key.text)
                pairs[key.text] = key, value
        return self._merged(pairs) if "<<" in pairs else list(pairs.values())

    def _twice(self, key: Scalar, first: Scalar) -> None:
        where = self._page.place(first)
        self._page.problem(key, f"the key {quoted(key.text)} stands twice, first at {where}; keep one of them")

    def _merged(self, pairs: dict[str, tuple[Scalar, Node]]) -> list[tuple[Scalar, Node]]:
        key, value = pairs.pop("<<")
        if isinstance(value, Mapping):
            return [*pairs.values(), *(pair for pair in value.pairs if pair[0].text not in pairs)]
        self._page.problem(key, "`<<` takes one mapping, like `<<: *defaults`; write the keys out instead")
        return list(pairs.values())

    def _alias(self, event: Any) -> Node:
        at, name = _At(event.start_mark), event.anchor
        if not (known := self._anchors.get(name)):
            why = "stands inside its own anchor" if name in self._anchors else "has no anchor before it"
            raise self._page.fatal(at, f"the alias *{name} {why}; write the value out, or put it in quotes")
        node, size = known
        self._size += size
        self._aliased += size
        if self._aliased > _MAX_ALIASED:
            message = f"the aliases up to here stand for more than {_MAX_ALIASED:,} values; write them out"
            raise self._page.fatal(at, message)
        return node


def _syntax(text: str, error: yaml.MarkedYAMLError) -> tuple[Spot, str]:
    """Where a syntax error stands, and one sentence for it."""
    at, problem = _At(error.problem_mark), str(error.problem)
    if "quoted scalar" in str(error.context) and "end of stream" in problem:
        return _At(error.context_mark), "this quote is never closed; add the closing quote"
    if problem == "found character that cannot start any token":
        return at, _bad_start(text, at)
    return at, _SENTENCES.get(problem, f"this is not valid YAML ({problem}); check indentation and quotes")


def _bad_start(text: str, at: _At) -> str:
    character = text.splitlines()[at.line - 1][at.column - 1 :][:1]
    if character == "\t":
        return "a tab stands where YAML wants spaces; indent with spaces"
    return f"a value cannot begin with {character!r}; put it in quotes"


def _at_index(text: str, index: int) -> Scalar:
    before = text[:index]
    return Scalar(None, before.count("\n") + 1, index - before.rfind("\n"))
