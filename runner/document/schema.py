"""Pydantic behind located nodes: one mapping in, a model out, every problem in plain words at its place."""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, WithJsonSchema

from runner.document.nodes import Mapping, Node, Page, Scalar, Sequence, quoted
from runner.policy import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pydantic_core import ErrorDetails, core_schema

_WHOLE = re.compile(r"[0-9]{1,12}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST_VALUE = 40
_LONGEST_S = 366 * 86400.0


class Blank:
    """Stands for a value that is not there: ``key:`` with nothing behind it is refused, never taken for a default."""


BLANK = Blank()


class Strict(BaseModel):
    """A mapping of the plan or the config: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


_NONE: dict[str, object] = {}
M = TypeVar("M", bound=Strict)


def validate(model: type[M], node: Node, page: Page, what: str, given: dict[str, object] = _NONE) -> M | None:
    """Check the mapping ``node`` against ``model``; None after noting every problem on ``page``.

    ``what`` names the mapping in sentences; ``given`` holds, by key, what the caller has converted already.
    """
    if not isinstance(node, Mapping):
        page.problem(node, f"{what} must be a mapping of `key: value`")
        return None
    values = {key.text or "": plain(value, BLANK) for key, value in node.pairs if key.text not in given}
    values |= {name: value for name, value in given.items() if node.get(name)}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if detail["type"] == "too_short" and detail["input"]:
                continue  # the list has items; they are faulty, and shown as such
            page.problem(_spot(node, detail), _sentence(model, what, detail))
        return None


def plain(node: Node, blank: object = None) -> Any:
    """Return nested dicts, lists and strings; ``blank`` stands where there is no value."""
    if isinstance(node, Scalar):
        return blank if node.text is None else node.text
    if isinstance(node, Sequence):
        return [plain(item, blank) for item in node.items]
    return {key.text: plain(value, blank) for key, value in node.pairs}


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
    if close := difflib.get_close_matches(word, known, 1):
        return f"did you mean `{close[0]}`?"
    return f"known here: {', '.join(sorted(known))}" if known else "there are none here"


def json_schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``model``; a blank value is no more allowed there than here."""
    schema = model.model_json_schema(schema_generator=_Schema)
    return {"$schema": _Schema.schema_dialect, **schema, "title": title}


class _Schema(GenerateJsonSchema):
    """Without null, which stands for "not set" in the models and nowhere in the files."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        shown = super().default_schema(schema)
        return {key: value for key, value in shown.items() if (key, value) != ("default", None)}


def _spot(node: Mapping, detail: ErrorDetails) -> Node:
    """Return where the problem stands: the value, an unknown key itself, the whole mapping for a missing key."""
    name, *rest = detail["loc"]
    key, value = node.key(str(name)), node.get(str(name))
    if key is None or value is None:
        return node.pairs[0][0] if node.pairs else node
    if rest and isinstance(rest[0], int) and isinstance(value, Sequence):
        return value.items[rest[0]]
    return key if detail["type"] == "extra_forbidden" else value


def _sentence(model: type[Strict], what: str, detail: ErrorDetails) -> str:
    name, *rest = detail["loc"]
    subject = f"an item of `{name}`" if rest else f"`{name}`"
    match detail["type"]:
        case "missing":
            return f"{what} lacks `{name}`; add it"
        case "extra_forbidden":
            return f"{what} has no key {quoted(name)}; {nearest(str(name), model.model_fields)}"
        case _ if detail["input"] is BLANK:
            return f"{subject} is blank; give it a value, or take the key out"
        case "value_error":
            return f"{subject}: {detail['ctx']['error']}"
        case kind:
            return f"{subject} {_MUST.get(kind, 'cannot be used here').format_map(detail.get('ctx', {}))}"


_MUST = {
    "string_type": "must be text, not a list or a mapping",
    "tuple_type": "must be a list, like [a, b]",
    "too_short": "is an empty list; list at least one, or take the key out",
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
}


def _whole(value: object) -> int:
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not a whole number; write it like 500")
    return int(value)


def _decimal(value: object) -> float:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise ValueError(f"{quoted(value)} is not a number; write it like 0.1 or 50")
    return float(value)


def _seconds(value: object) -> float:
    seconds = parse_duration(value) if isinstance(value, str) else math.inf
    if seconds > _LONGEST_S:
        raise ValueError(f"{quoted(value)} is not a duration of at most a year; write it like 30s or 15m")
    return seconds


def _line(value: str) -> str:
    if not value.strip() or _CONTROL.search(value):
        # Without the value, which may be a secret.
        raise ValueError("is empty or holds control characters; write one line of text")
    return value


def choice(*words: str) -> BeforeValidator:
    """Accept one of ``words``; goes with a ``Literal`` of the same."""

    def pick(value: object) -> object:
        if value not in words:
            raise ValueError(f"{quoted(value)} is not one of {', '.join(words)}; write one of them")
        return value

    return BeforeValidator(pick)


def parsed(parse: Callable[[str], object]) -> BeforeValidator:
    """Accept what ``parse`` makes of text; it raises ValueError with the mend."""

    def convert(value: object) -> object:
        if not isinstance(value, str) or len(value) > _LONGEST_VALUE:
            raise ValueError(f"{quoted(value)} is not one short text; write it as the example config and plans do")
        return parse(value)

    return BeforeValidator(convert)


WHOLE = BeforeValidator(_whole)
"""For an ``int`` written in digits; limits go before it, so that they reach the JSON Schema."""
DECIMAL = BeforeValidator(_decimal)
"""As ``WHOLE``, for a ``float``."""
Line = Annotated[str, AfterValidator(_line), Field(json_schema_extra={"minLength": 1})]
"""Text that is not empty and has no control characters: it goes into reports, headers and terminals."""
_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h|d)?$"},
    ]
}
SECONDS = BeforeValidator(_seconds)
"""For a ``float`` of seconds, from a duration such as ``500ms``, ``30s`` or ``15m``."""
DURATION = WithJsonSchema(_DURATION_SCHEMA)
"""How an editor sees such a duration."""
