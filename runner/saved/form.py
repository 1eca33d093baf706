"""What a saved check holds, and how it stands in its file.

The first line is all but the items, then comes a line an item, then the SHA-256 of every byte above: each is canonical
JSON (keys sorted, no blanks), and together they are one document. ``head -n -1 FILE | sha256sum`` says the same hash.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from msgspec import Meta, Struct, convert, field, to_builtins
from msgspec.json import schema_components

SCHEMA = "teardown.check/1"
BEGIN = f'{{"schema":"{SCHEMA}",'.encode()
END = re.compile(rb'\],"sha256":"([0-9a-f]{64})"\}\n')


def seconds_of(moment: str) -> float:
    """Return a time in RFC 3339 as seconds since the epoch; ValueError when it is none, or has no zone."""
    found = datetime.fromisoformat(moment)
    if found.tzinfo is None:
        raise ValueError("a time needs a zone")
    return found.timestamp()


Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Number = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{6,14}$")]
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class Form(Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping of a saved check."""


class Home(Form, frozen=True):
    """Where an account was asked: another address or organisation is another world."""

    base_url: str
    org_handle: str | None


class Checked(Form, frozen=True):
    """The plan that was checked, as it stood."""

    name: str
    path: Annotated[str, Meta(description="Where it stood.")]
    sha256: Annotated[Sha256, Meta(description="Of the file, as a report has it.")]
    description: str | None
    metadata: dict[str, Any]
    text: Annotated[str, Meta(description="The file itself.")]


class Place(Form, frozen=True):
    """One group of the plan; `attached` is how many numbers its target had in all, where that was counted."""

    account: str
    provider: str
    target: str | None
    all: Annotated[bool, Meta(description="Whether the plan said `numbers: all`.")]
    if_missing: Annotated[bool, Meta(description="Whether the target may be gone already.")]
    reattach: Annotated[dict[str, Any], Meta(description="What a rollback needs and the provider does not show.")]
    reassign: Annotated[
        dict[str, Any], Meta(description="Where the numbers are moved to; empty where they are detached.")
    ]
    then: Annotated[
        Literal["delete_target"] | None, Meta(description="What the plan wants done once nothing is left on it.")
    ]
    attached: int | None


class WayBack(Form, frozen=True):
    """How so many numbers can be put back, and what is missing for it, as in a row's `before.reversal`."""

    how: Literal["exact", "new_ids", "none"]
    missing: list[str]
    numbers: int


class Estimate(Form, frozen=True):
    """What a run was expected to take at one account: requests in all, and seconds at `rate` a second."""

    account: str
    to_send: Annotated[int, Meta(description="How many numbers are to be detached or moved.")]
    requests: int
    seconds: float
    rate: float
    rollback: Annotated[list[WayBack], Meta(description="What a rollback could put back.")]


class Head(Form, frozen=True):
    """All but the items."""

    run: Annotated[str, Meta(description="The id of the check in the ledger that it was saved from.")]
    checked_at: Annotated[Moment, Meta(description="When the look began.")]
    version: Annotated[str, Meta(description="The release of teardown.")]
    host: Annotated[str, Meta(description="The machine that it was made on.")]
    user: Annotated[str, Meta(description="Who made it there.")]
    sandbox: Annotated[bool, Meta(description="Whether it was a rehearsal, which no real run can be made of.")]
    plan: Annotated[Checked, Meta(description="What was checked.")]
    rules: Annotated[dict[str, Any], Meta(description="Guards and window, as a run of it has to hold to.")]
    accounts: Annotated[dict[str, Home], Meta(description="Where each account was asked; empty for a rehearsal.")]
    groups: Annotated[list[Place], Meta(description="The groups of the plan, in its order.")]
    estimate: Annotated[list[Estimate], Meta(description="What a run was expected to take, by account.")]
    totals: Annotated[dict[str, int], Meta(description="How many items have each outcome, and how many there are.")]

    def __post_init__(self) -> None:
        """Refuse a moment that is none; ValueError."""
        seconds_of(self.checked_at)


class SavedItem(Form, frozen=True):
    """One item: a run detaches or moves it when it `would`, and must find it as it was otherwise."""

    group: Annotated[int, Meta(ge=0, description="Which of the groups it belongs to, from 0.")]
    number: Number
    outcome: Literal["would_detach", "already_detached", "would_move", "already_moved", "skipped"]
    reason: Annotated[str | None, Meta(description="Why, as in a report.")]
    before: Annotated[dict[str, Any] | None, Meta(description="What the look saw.")]


class _File(Head, frozen=True):
    """A check of a plan, saved to be approved and run once."""

    format: Literal["teardown.check/1"] = field(name="schema")
    items: Annotated[list[SavedItem], Meta(description="Every number of the plan, in its order, group by group.")]
    sha256: Annotated[Sha256, Meta(description="Of every byte above the file's last line.")]


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of ``teardown.check/1``."""
    _, parts = schema_components([_File])
    whole: dict[str, Any] = parts.pop(_File.__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": dict(sorted(parts.items())),
        **whole,
        "title": "Saved check of teardown",
    }


def first_line(head: Head) -> bytes:
    """Return the line that a file begins with."""
    return BEGIN + _canonical(head)[1:-1] + b',"items":[\n'


def line(item: SavedItem, *, last: bool) -> bytes:
    """Return the line of an item."""
    return _canonical(item) + (b"\n" if last else b",\n")


def last_line(sha256: str) -> bytes:
    """Return the line that a file ends with."""
    return f'],"sha256":"{sha256}"}}\n'.encode()


def _canonical(form: Form) -> bytes:
    """Return ``form`` as bytes; ValidationError rather than what could not be read again."""
    value = to_builtins(form)
    convert(value, type(form))
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
