"""What a grammar is for: to read a mapping by, noting every problem at its place, and to tell editors of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from runner.document.grammar import Strict
from runner.document.nodes import Mapping, Node, Page, Scalar, Sequence, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from runner.document.grammar import Key

_NONE: dict[str, object] = {}
M = TypeVar("M", bound=Strict)


def validate(model: type[M], node: Node, page: Page, what: str, given: dict[str, object] = _NONE) -> M | None:
    """Read the mapping ``node`` by ``model``; None after noting every problem on ``page``.

    ``what`` names the mapping in sentences; ``given`` holds, by key, what the caller has read already.
    """
    if not isinstance(node, Mapping):
        page.problem(node, f"{what} must be a mapping of `key: value`")
        return None
    present = {name: value for name in model.keys if (value := node.get(name))}
    missing = [name for name, key in model.keys.items() if key.required and name not in present]
    unknown = [key for key, _ in node.pairs if key.text not in model.keys]
    for name in missing:
        page.problem(node.pairs[0][0] if node.pairs else node, f"{what} lacks `{name}`; add it")
    values = {
        name: given[name] if name in given else model.keys[name].kind.take(value, page, f"`{name}`")
        for name, value in present.items()
    }
    for key in unknown:
        page.problem(key, f"{what} has no key {quoted(key.text)}; {nearest(key.text or '', model.keys)}")
    refused = [name for name, value in values.items() if value is None and name not in given]
    return None if missing or unknown or refused else model(**values)


def plain(node: Node) -> Any:
    """Return nested dicts, lists and strings; None stands where there is no value."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key.text: plain(value) for key, value in node.pairs}


def typed(node: Node) -> Any:
    """As ``plain``, but whole numbers, true and false that stand without quotes become what they look like."""
    if isinstance(node, Sequence):
        return [typed(item) for item in node.items]
    if isinstance(node, Mapping):
        return {key.text: typed(value) for key, value in node.pairs}
    if not node.plain or node.text is None:
        return node.text
    if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", node.text):
        return int(node.text)
    return {"true": True, "false": False}.get(node.text, node.text)


def free(node: Mapping, page: Page, name: str, convert: Callable[[Node], object]) -> dict[str, object]:
    """Return the free-form mapping under ``name`` as ``convert`` makes it, for ``given``; empty where there is none."""
    value = node.get(name)
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {name: convert(value)}
    page.problem(value, f"`{name}` must be a mapping of `key: value`")
    return {name: {}}


def nearest(word: str, known: Collection[str]) -> str:
    """``did you mean …?`` where something known looks like ``word``, else all that is known."""
    import difflib  # noqa: PLC0415 - only who made a mistake needs it

    if close := difflib.get_close_matches(word, known, 1):
        return f"did you mean `{close[0]}`?"
    return f"known here: {', '.join(sorted(known))}" if known else "there are none here"


def json_schema(model: type[Strict], title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``model``; a blank value is no more allowed there than here."""
    parts = {each.__name__: _object(each) for each in _below(model)}
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "$defs": dict(sorted(parts.items())), **_object(model), "title": title}


def _below(model: type[Strict]) -> set[type[Strict]]:
    """Return the mappings that those of ``model`` may hold, and those in them."""
    inner = {each for key in model.keys.values() for each in key.kind.models}
    return inner.union(*map(_below, inner))


def _object(model: type[Strict]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "additionalProperties": False,
        "description": model.__doc__,
        "properties": {name: _property(name, key) for name, key in model.keys.items()},
        "required": [name for name, key in model.keys.items() if key.required],
        "title": model.__name__,
        "type": "object",
    }
    return {name: value for name, value in sorted((shown | model.also).items()) if value != []}


def _property(name: str, key: Key) -> dict[str, Any]:
    shown = {**key.kind.schema, "description": key.about}
    if "$ref" not in shown:
        shown["title"] = name.replace("_", " ").title()
    if not key.required and key.shown is not None:
        shown["default"] = list(key.shown) if isinstance(key.shown, tuple) else key.shown
    return dict(sorted(shown.items()))
