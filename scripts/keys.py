"""A JSON Schema as tables: a section for each mapping in it, a row for each key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]
_TITLES = {
    "AccountFile": "An account",
    "AuthFile": "`auth`",
    "BridgeFile": "`reassign` at Unpod",
    "GatewaysFile": "`reassign` at VideoSDK",
    "GroupFile": "A group",
    "GuardsFile": "`guards`",
    "InboundFile": "`inbound`",
    "LogFile": "`log`",
    "OutboundFile": "`outbound`",
    "RetryFile": "`retry`",
    "WindowFile": "`window`",
    "error": "`error`",
    "lane": "A lane",
    "number": "A number",
    "run": "`run`",
    "totals": "`totals`",
}
_PATTERNS = {
    r"^\d+(\.\d+)?\s*(ms|s|m|h|d)?$": "duration",
    r"^[0-9.]+\s*/\s*(s|sec|second|m|min|minute|h|hour)$": "rate",
    r"^\+[1-9][0-9]{6,14}$": "number in E.164",
    r"^\+[0-9]+$": "number in E.164",
    r"^[1-9][0-9]*%?$": "share like 20%",
}
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
    "array": "list",
    "null": "null",
}
_SMALLEST_NUMBER = 10**6
"""A whole number from here on is a phone number without its quotes."""


@dataclass(frozen=True, slots=True)
class Section:
    """One mapping: ``rows`` are its keys, each with what it holds, its default and its meaning."""

    title: str
    about: str
    rows: list[list[str]]


def sections(schema: Schema, top: str) -> list[Section]:
    """Return the mapping at the top, and then every other one that has keys of its own."""
    parts = {name: part for name, part in schema.get("$defs", {}).items() if "properties" in part}
    return [
        Section(top, "", _rows(schema)),
        *(Section(_title(name), part.get("description", ""), _rows(part)) for name, part in parts.items()),
    ]


def _title(name: str) -> str:
    return _TITLES.get(name, f"`{name.removesuffix('File').lower()}`")


def _rows(part: Schema) -> list[list[str]]:
    required = part.get("required", ())
    return [
        [f"`{key}`", value_of(value), _default(value, needed=key in required), value.get("description", "")]
        for key, value in part["properties"].items()
    ]


def _default(value: Schema, *, needed: bool) -> str:
    if needed:
        return "required"
    default = value.get("default")
    if default in (None, {}):
        return ""
    shown = _duration(default) if value_of(value) == "duration" else str(default)
    return f"`{shown.lower() if isinstance(default, bool) else shown}`"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:g}m" if minutes and not rest else f"{seconds:g}s"


def value_of(value: Schema) -> str:
    """Return in words what a key may hold."""
    if "$ref" in value:
        return _referred(value["$ref"].rpartition("/")[2])
    if "anyOf" in value:
        words = dict.fromkeys(value_of(each) for each in value["anyOf"])
        return "duration" if "duration" in words else " or ".join(words)
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{word}`" if word is not None else "null" for word in value["enum"])
    kinds = value.get("type", "object")
    return " or ".join(_plain(kind, value) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _plain(kind: str, value: Schema) -> str:
    if kind == "array" and "items" in value:
        return f"list of: {value_of(value['items'])}"
    if kind == "string":
        return _PATTERNS.get(value.get("pattern", ""), "time in RFC 3339" if value.get("format") else "text")
    if kind == "object":
        return _mapping(value)
    if value.get("minimum", 0) >= _SMALLEST_NUMBER:
        return "number in E.164"
    return _TYPES[kind] + (_limits(value) if kind in {"integer", "number"} else "")


def _mapping(value: Schema) -> str:
    named = value.get("additionalProperties")
    if isinstance(named, dict):
        return f"mapping, each: {value_of(named)}"
    keys = ", ".join(f"`{key}`" for key in value.get("properties", ()))
    return f"mapping of {keys}" if keys else "mapping"


def _limits(value: Schema) -> str:
    least, above, most = (value.get(name) for name in ("minimum", "exclusiveMinimum", "maximum"))
    parts = [f"from {least}"] if least else [f"above {above}"] if above is not None else []
    parts += [f"up to {most}"] if most is not None else []
    return f", {' '.join(parts)}" if parts else ""


def _referred(name: str) -> str:
    words = {"maybe_string": "text or null", "maybe_time": "time or null", "milliseconds": "milliseconds or null"}
    if name in words or name == "time":
        return words.get(name, "time in RFC 3339")
    title = _title(name)
    return f"[{title}](#{title.replace('`', '').lower().replace(' ', '-')})"
