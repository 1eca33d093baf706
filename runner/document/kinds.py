"""What a key of a plan or a config may hold: how it is read, and how an editor sees it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from runner.document.grammar import Strict
from runner.document.nodes import Node, Page, Scalar, Sequence, quoted
from runner.document.schema import plain, validate
from runner.policy import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    Schema = dict[str, Any]

T = TypeVar("T")
N = TypeVar("N", int, float)
M = TypeVar("M", bound=Strict)

_WHOLE = re.compile(r"[0-9]{1,12}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_VALUE = 40
_LONGEST_S = 366 * 86400.0
_DURATION = {
    "anyOf": [
        {"minimum": 0, "type": "number"},
        {"pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h|d)?$", "type": "string"},
    ]
}


class Unfit(ValueError):
    """A value that cannot be used; the sentence goes on from the key: ``must be above 0``."""


class Kind(Generic[T]):
    """One kind of value: ``read`` makes it of text, lists and dicts, ``schema`` is how an editor sees it.

    ``read`` raises ValueError with a sentence of its own, or Unfit.
    """

    models: tuple[type[Strict], ...] = ()
    """The mappings that ``schema`` refers to."""

    def __init__(self, read: Callable[[Any], T], schema: Schema) -> None:
        self._read, self.schema = read, schema

    def take(self, node: Node, page: Page, subject: str) -> T | None:
        """Return what ``node`` says; None after noting on ``page`` what is wrong with ``subject``."""
        try:
            if isinstance(node, Scalar) and node.text is None:
                raise Unfit("is blank; give it a value, or take the key out")
            return self._taken(node, page, subject)
        except Unfit as error:
            page.problem(node, f"{subject} {error}")
        except ValueError as error:
            page.problem(node, f"{subject}: {error}")
        return None

    def _taken(self, node: Node, _page: Page, _subject: str) -> T | None:
        return self._read(plain(node))


class Some(Kind[tuple[T, ...]]):
    """A list of at least one."""

    def __init__(self, each: Kind[T]) -> None:
        self._each, self.models = each, each.models
        self.schema = {"items": each.schema, "minItems": 1, "type": "array"}

    def _taken(self, node: Node, page: Page, subject: str) -> tuple[T, ...] | None:
        if not isinstance(node, Sequence):
            raise Unfit("must be a list, like [a, b]")
        if not node.items:
            raise Unfit("is an empty list; list at least one, or take the key out")
        found = [self._each.take(item, page, f"an item of {subject}") for item in node.items]
        sound = tuple(each for each in found if each is not None)
        return sound if len(sound) == len(found) else None


class Inner(Kind[M]):
    """A mapping with a grammar of its own."""

    def __init__(self, model: type[M]) -> None:
        self._model, self.models = model, (model,)
        self.schema = {"$ref": f"#/$defs/{model.__name__}"}

    def _taken(self, node: Node, page: Page, subject: str) -> M | None:
        return validate(self._model, node, page, subject)


class Given(Kind[Any]):
    """What code of its own reads, and hands to ``validate`` as given; here is only how an editor sees it."""

    def __init__(self, schema: Schema, *models: type[Strict]) -> None:
        self.schema, self.models = schema, models


def text(check: Callable[[str], str] = str, schema: Schema | None = None) -> Kind[str]:
    """Return the kind of text that ``check`` takes, or makes into another; it raises ValueError with the mend."""
    return Kind(lambda value: check(_text(value)), schema or {"type": "string"})


def line(check: Callable[[str], str] = str, pattern: str | None = None) -> Kind[str]:
    """As ``text``, not empty and without control characters: it goes into reports, headers and terminals."""
    schema = {"minLength": 1, "type": "string"} | ({"pattern": pattern} if pattern else {})
    return text(lambda value: check(_line(value)), schema)


def choice(*words: str) -> Kind[Any]:
    """Return the kind of these ``words``; goes with a ``Literal`` of the same."""

    def pick(value: object) -> object:
        if value not in words:
            raise ValueError(f"{quoted(value)} is not one of {', '.join(words)}; write one of them")
        return value

    return Kind(pick, {"enum": [*words], "type": "string"} if words[1:] else {"const": words[0], "type": "string"})


def parsed(parse: Callable[[str], T], schema: Schema) -> Kind[T]:
    """Return the kind of what ``parse`` makes of one short text; it raises ValueError with the mend."""

    def read(value: object) -> T:
        if not isinstance(value, str) or len(value) > _LONGEST_VALUE:
            raise ValueError(f"{quoted(value)} is not one short text; write it as the example config and plans do")
        return parse(value)

    return Kind(read, schema)


def whole(*, least: int, most: int | None = None) -> Kind[int]:
    """Return the kind of whole numbers, written in digits."""
    limits = {"minimum": least} | ({} if most is None else {"maximum": most})
    return Kind(_bounded(_whole, least=least, most=most), {"type": "integer", **limits})


def decimal(*, above: float, most: float) -> Kind[float]:
    """Return the kind of numbers with or without a point."""
    schema = {"type": "number", "exclusiveMinimum": above, "maximum": most}
    return Kind(_bounded(_decimal, above=above, most=most), schema)


def seconds(*, above: float | None = None, least: float | None = None) -> Kind[float]:
    """Return the kind of seconds, from durations such as ``500ms``, ``30s`` or ``15m``."""
    return Kind(_bounded(_seconds, above=above, least=least), _DURATION)


def _bounded(
    read: Callable[[object], N], *, above: N | None = None, least: N | None = None, most: N | None = None
) -> Callable[[object], N]:
    def within(value: object) -> N:
        found = read(value)
        if above is not None and found <= above:
            raise Unfit(f"must be above {above:g}")
        if least is not None and found < least:
            raise Unfit(f"must be at least {least:g}")
        if most is not None and found > most:
            raise Unfit(f"must be at most {most:g}")
        return found

    return within


def _whole(value: object) -> int:
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not a whole number; write it like 500")
    return int(value)


def _decimal(value: object) -> float:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not a number; write it like 0.1 or 50")
    return float(value)


def _seconds(value: object) -> float:
    found = parse_duration(value) if isinstance(value, str) else math.inf
    if found > _LONGEST_S:
        raise ValueError(f"{quoted(value)} is not a duration of at most a year; write it like 30s or 15m")
    return found


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Unfit("must be text, not a list or a mapping")
    return value


def _line(value: str) -> str:
    if not value.strip() or _CONTROL.search(value):
        # Without the value, which may be a secret.
        raise ValueError("is empty or holds control characters; write one line of text")
    return value
