"""The grammar of a plan: all but the numbers themselves, and what editors are told of it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from runner.config.grammar import LINE, GuardsFile
from runner.document import quoted
from runner.document.grammar import Strict, key
from runner.document.kinds import Given, Inner, Kind, choice, parsed, text
from runner.plan.reassign import BridgeFile, GatewaysFile
from runner.plan.slugs import SLUG

if TYPE_CHECKING:
    from typing import ClassVar

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_NUMBER = {
    "anyOf": [{"pattern": r"^\+[1-9][0-9]{6,14}$", "type": "string"}, {"minimum": 1_000_000, "type": "integer"}],
    "description": "E.164: `+` and 7 to 15 digits; quotes are not needed.",
}
_NOTED = {
    "additionalProperties": False,
    "properties": {"number": _NUMBER, "note": {"minLength": 1, "type": "string"}},
    "required": ["number"],
    "type": "object",
}
_NUMBERS = {
    "anyOf": [{"const": "all"}, {"items": {"anyOf": [*_NUMBER["anyOf"], _NOTED]}, "minItems": 1, "type": "array"}],
}
_ONE_OF_EACH = {
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


def _first_version(value: object) -> Literal[1]:
    if value != "1":
        raise ValueError(f"this release reads version 1, not {quoted(value)}; write `version: 1`")
    return 1


INSTANT = parsed(_instant, {"type": "string", "format": "date-time"})
_ANYTHING = Given({"type": "object", "additionalProperties": True})
_DESTINATION = Given({"anyOf": [Inner(BridgeFile).schema, Inner(GatewaysFile).schema]}, BridgeFile, GatewaysFile)


class WindowFile(Strict):
    """When the run may start and go on; RFC 3339 times with a zone."""

    not_before: datetime | None = key(INSTANT, "It does not start earlier.", default=None)
    not_after: datetime | None = key(INSTANT, "Nothing new starts later.", default=None)


class GroupFile(Strict):
    """Numbers at one target of one account."""

    also: ClassVar[dict[str, Any]] = _ONE_OF_EACH

    account: str | None = key(LINE, "An account of the config.", default=None)
    provider: str | None = key(LINE, "Instead of the account, where the config has one of it.", default=None)
    bridge: str | None = key(SLUG, "The slug of an Unpod bridge.", default=None)
    gateway: str | None = key(SLUG, "The id of a VideoSDK gateway: detach only while attached to it.", default=None)
    numbers: object = key(
        Given(_NUMBERS),
        "The numbers to detach, or `all`: whatever is attached when the pre-check looks.",
        default=None,
    )
    numbers_from: str | None = key(
        LINE, "A .csv with a `number` column, or a .txt with a number a line; relative to the plan.", default=None
    )
    note: str | None = key(LINE, "A remark on all numbers of the group.", default=None)
    if_missing: Literal["ok", "block"] = key(
        choice("ok", "block"), "Whether the target may be gone already.", default="block"
    )
    then: Literal["delete_target"] | None = key(
        choice("delete_target"),
        "delete_target: once nothing is left on it, delete the bridge, or the gateways.",
        default=None,
    )
    reattach: dict[str, Any] = key(_ANYTHING, "What a rollback needs and the provider does not show.", default={})
    reassign: object = key(
        _DESTINATION,
        "Where the numbers are moved to, instead of being detached; then every group of the plan has it.",
        default=None,
    )


_GROUPS = Given({"type": "array", "items": Inner(GroupFile).schema, "minItems": 1}, GroupFile)


class NumberFile(Strict):
    """One number with its note."""

    number: str = key(text(), "In E.164.")
    note: str | None = key(LINE, "A remark.", default=None)


class PlanFile(Strict):
    """A plan of teardown: which numbers to detach from which targets."""

    version: Literal[1] = key(Kind(_first_version, {"type": "integer", "const": 1}), "The version of this grammar.")
    name: str = key(LINE, "What the run is called in log and report.")
    description: str | None = key(text(), "What it is for.", default=None)
    metadata: dict[str, Any] = key(_ANYTHING, "Copied to log and report, such as a ticket.", default={})
    window: WindowFile | None = key(Inner(WindowFile), "When the run may start and go on.", default=None)
    guards: GuardsFile | None = key(Inner(GuardsFile), "What stops it; the defaults are the config's.", default=None)
    teardown: object = key(_GROUPS, "The numbers, by account and target.")
