"""The grammar of a plan, as pydantic models: all but the numbers themselves, and the JSON Schema for editors."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from runner.config.grammar import GuardsFile  # noqa: TC001 - pydantic reads the annotation
from runner.document import quoted
from runner.document.schema import Line, Strict, choice, parsed
from runner.plan.reassign import Destination  # noqa: TC001 - pydantic reads the annotation
from runner.plan.slugs import Slug  # noqa: TC001 - pydantic reads the annotation

if TYPE_CHECKING:
    from pydantic.config import JsonDict

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_NUMBER = {
    "anyOf": [{"type": "string", "pattern": r"^\+[1-9][0-9]{6,14}$"}, {"type": "integer", "minimum": 1_000_000}],
    "description": "E.164: `+` and 7 to 15 digits; quotes are not needed.",
}
_NOTED = {
    "type": "object",
    "properties": {"number": _NUMBER, "note": {"type": "string", "minLength": 1}},
    "required": ["number"],
    "additionalProperties": False,
}
_NUMBERS = {
    "anyOf": [{"const": "all"}, {"type": "array", "minItems": 1, "items": {"anyOf": [*_NUMBER["anyOf"], _NOTED]}}],
    "description": "The numbers to detach, or `all`: whatever is attached when the pre-check looks.",
}
_ONE_OF_EACH: JsonDict = {
    "anyOf": [{"required": ["account"]}, {"required": ["provider"]}],
    "oneOf": [{"required": ["numbers"]}, {"required": ["numbers_from"]}],
    "not": {"required": ["bridge", "gateway"]},
}
"""What an editor can tell of a group that no key tells by itself; who reads the plan says it in a sentence."""


def _instant(text: str) -> datetime:
    match = _INSTANT.fullmatch(text)
    if not match:
        raise ValueError(f"{quoted(text)} is not a time; write it like 2026-11-22T01:00:00+01:00")
    if not match[2]:
        raise ValueError(f"{quoted(text)} has no time zone; put Z or an offset like +01:00 at its end")
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        raise ValueError(f"{quoted(text)} is not in the calendar or on the clock; correct it") from None


def _first_version(value: object) -> int:
    if value != "1":
        raise ValueError(f"this release reads version 1, not {quoted(value)}; write `version: 1`")
    return 1


Instant = Annotated[datetime, parsed(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]


class WindowFile(Strict):
    """When the run may start and go on; RFC 3339 times with a zone."""

    not_before: Instant | None = Field(default=None, description="It does not start earlier.")
    not_after: Instant | None = Field(default=None, description="Nothing new starts later.")


class GroupFile(Strict):
    """Numbers at one target of one account."""

    model_config = ConfigDict(json_schema_extra=_ONE_OF_EACH)

    account: Line | None = Field(default=None, description="An account of the config.")
    provider: Line | None = Field(default=None, description="Instead of the account, where the config has one of it.")
    bridge: Slug | None = Field(default=None, description="The slug of an Unpod bridge.")
    gateway: Slug | None = Field(
        default=None, description="The id of a VideoSDK gateway: detach only while attached to it."
    )
    numbers: Annotated[Any, WithJsonSchema(_NUMBERS)] = Field(default=None)
    numbers_from: Line | None = Field(
        default=None, description="A .csv with a `number` column, or a .txt with a number a line; relative to the plan."
    )
    note: Line | None = Field(default=None, description="A remark on all numbers of the group.")
    if_missing: Annotated[Literal["ok", "block"], choice("ok", "block")] = Field(
        default="block", description="Whether the target may be gone already."
    )
    reattach: dict[str, Any] = Field(default={}, description="What a rollback needs and the provider does not show.")
    reassign: Destination | None = Field(
        default=None,
        description="Where the numbers are moved to, instead of being detached; then every group of the plan has it.",
    )


class NumberFile(Strict):
    """One number with its note."""

    number: str
    note: Line | None = None


class PlanHead(Strict):
    """A plan but for its groups, which are checked one by one."""

    version: Annotated[Literal[1], BeforeValidator(_first_version)] = Field(description="The version of this grammar.")
    name: Line = Field(description="What the run is called in log and report.")
    description: str | None = Field(default=None, description="What it is for.")
    metadata: dict[str, Any] = Field(default={}, description="Copied to log and report, such as a ticket.")
    window: WindowFile | None = Field(default=None, description="When the run may start and go on.")
    guards: GuardsFile | None = Field(default=None, description="What stops it; the defaults are the config's.")
    teardown: Any


class PlanFile(PlanHead):
    """A plan of teardown: which numbers to detach from which targets."""

    teardown: list[GroupFile] = Field(min_length=1, description="The numbers, by account and target.")
