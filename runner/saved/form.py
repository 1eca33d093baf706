"""What a saved check holds, as models, and how it stands in its file.

The first line is all but the items, then comes a line an item, then the SHA-256 of every byte above: each is canonical
JSON (keys sorted, no blanks), and together they are one document. ``head -n -1 FILE | sha256sum`` says the same hash.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

SCHEMA = "teardown.check/1"
BEGIN = f'{{"schema":"{SCHEMA}",'.encode()
END = re.compile(rb'\],"sha256":"([0-9a-f]{64})"\}\n')


def seconds_of(moment: str) -> float:
    """Return a time in RFC 3339 as seconds since the epoch; ValueError when it is none, or has no zone."""
    found = datetime.fromisoformat(moment)
    if found.tzinfo is None:
        raise ValueError("a time needs a zone")
    return found.timestamp()


def _moment(text: str) -> str:
    seconds_of(text)
    return text


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Number = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]


Moment = Annotated[str, AfterValidator(_moment), Field(json_schema_extra={"format": "date-time"})]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Home(_Form):
    """Where an account was asked: another address or organisation is another world."""

    base_url: str
    org_handle: str | None


class Checked(_Form):
    """The plan that was checked, as it stood."""

    name: str
    path: str = Field(description="Where it stood.")
    sha256: Sha256 = Field(description="Of the file, as a report has it.")
    description: str | None
    metadata: dict[str, Any]
    text: str = Field(description="The file itself.")


class Place(_Form):
    """One group of the plan; `attached` is how many numbers its target had in all, where that was counted."""

    account: str
    provider: str
    target: str | None
    all: bool = Field(description="Whether the plan said `numbers: all`.")
    if_missing: bool = Field(description="Whether the target may be gone already.")
    reattach: dict[str, Any] = Field(description="What a rollback needs and the provider does not show.")
    reassign: dict[str, Any] = Field(description="Where the numbers are moved to; empty where they are detached.")
    then: Literal["delete_target"] | None = Field(description="What the plan wants done once nothing is left on it.")
    attached: int | None


class WayBack(_Form):
    """How so many numbers can be put back, and what is missing for it, as in a row's `before.reversal`."""

    how: Literal["exact", "new_ids", "none"]
    missing: list[str]
    numbers: int


class Estimate(_Form):
    """What a run was expected to take at one account: requests in all, and seconds at `rate` a second."""

    account: str
    to_send: int = Field(description="How many numbers are to be detached or moved.")
    requests: int
    seconds: float
    rate: float
    rollback: list[WayBack] = Field(description="What a rollback could put back.")


class Head(_Form):
    """All but the items."""

    run: str = Field(description="The id of the check in the ledger that it was saved from.")
    checked_at: Moment = Field(description="When the look began.")
    version: str = Field(description="The release of teardown.")
    host: str = Field(description="The machine that it was made on.")
    user: str = Field(description="Who made it there.")
    sandbox: bool = Field(description="Whether it was a rehearsal, which no real run can be made of.")
    plan: Checked = Field(description="What was checked.")
    rules: dict[str, Any] = Field(description="Guards and window, as a run of it has to hold to.")
    accounts: dict[str, Home] = Field(description="Where each account was asked; empty for a rehearsal.")
    groups: list[Place] = Field(description="The groups of the plan, in its order.")
    estimate: list[Estimate] = Field(description="What a run was expected to take, by account.")
    totals: dict[str, int] = Field(description="How many items have each outcome, and how many there are.")


class SavedItem(_Form):
    """One item: a run detaches or moves it when it `would`, and must find it as it was otherwise."""

    group: int = Field(ge=0, description="Which of the groups it belongs to, from 0.")
    number: Number
    outcome: Literal["would_detach", "already_detached", "would_move", "already_moved", "skipped"]
    reason: str | None = Field(description="Why, as in a report.")
    before: dict[str, Any] | None = Field(description="What the look saw.")


class _File(Head):
    """A check of a plan, saved to be approved and run once."""

    model_config = ConfigDict(title="Saved check of teardown")

    format: Literal["teardown.check/1"] = Field(alias="schema")
    items: list[SavedItem] = Field(description="Every number of the plan, in its order, group by group.")
    sha256: Sha256 = Field(description="Of every byte above the file's last line.")


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of ``teardown.check/1``."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | _File.model_json_schema()


def first_line(head: Head) -> bytes:
    """Return the line that a file begins with."""
    return BEGIN + _canonical(head.model_dump())[1:-1] + b',"items":[\n'


def line(item: SavedItem, *, last: bool) -> bytes:
    """Return the line of an item."""
    return _canonical(item.model_dump()) + (b"\n" if last else b",\n")


def last_line(sha256: str) -> bytes:
    """Return the line that a file ends with."""
    return f'],"sha256":"{sha256}"}}\n'.encode()


def _canonical(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
