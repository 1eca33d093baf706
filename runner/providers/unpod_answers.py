"""What Unpod's answers say, as far as anybody here wants to know it.

A bridge may have hundreds of thousands of numbers, and its detail shows all of them in one answer: each row stays as it
came until it is asked for, which takes a sixth of the memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from runner.errors import Refused, UnexpectedAnswer
from runner.paging import Page
from runner.providers import Holding, canonical, expect

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator

    from runner.transport import Reply

OK = 200
CREATED = 201
DELETED = 204
_BUSINESS_ERROR = 206
_FREE_STATES = frozenset({"UNASSIGNED", "NOT_ASSIGNED", "CLOSED"})


class Row(msgspec.Struct):
    """A number in a bridge's detail; ``number`` is as it is spelled there."""

    number: str
    id: Any = None
    number_id: Any = None
    state: Any = None
    status: Any = None
    provider_configuration: Any = msgspec.UNSET

    @property
    def attached(self) -> bool:
        """Whether the number is attached to the bridge."""
        return self.provider_configuration is not None and str(self.state or "").upper() not in _FREE_STATES


class _Bridge(msgspec.Struct):
    numbers: list[msgspec.Raw]
    slug: Any = msgspec.UNSET
    name: Any = None


class _Detail(msgspec.Struct):
    data: _Bridge


class Listed(msgspec.Struct):
    """A bridge in the list of all; that may show its numbers, and never their state."""

    slug: str
    numbers: msgspec.Raw = msgspec.Raw(b"null")

    def may_hold(self, lost: Collection[str]) -> bool:
        """Whether one of the ``lost`` numbers may be on it: also where it does not show all of its numbers."""
        try:
            rows = msgspec.json.decode(self.numbers, type=list[_Numbered])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return True
        named = {canonical(row.number) for row in rows}
        return None in named or not named.isdisjoint(lost)


class _Numbered(msgspec.Struct):
    number: str


class _Bridges(msgspec.Struct):
    data: list[Listed]
    count: Any = None


class _Numbers(msgspec.Struct):
    data: list[_Numbered]
    count: Any = None


_decode = msgspec.json.Decoder(Row).decode


def succeeded(reply: Reply, success: Collection[int] = (OK,)) -> None:
    """Raise Refused for a 206, and UnexpectedAnswer for whatever else is not the documented success."""
    if reply.status == _BUSINESS_ERROR:
        raise Refused(reply.message or "HTTP 206", status=reply.status)
    if reply.status not in success:
        raise UnexpectedAnswer(f"HTTP {reply.status} is no documented answer", status=reply.status)


def data_of(reply: Reply, success: Collection[int] = (OK,)) -> dict[str, Any]:
    """Return ``data`` of the documented success."""
    succeeded(reply, success)
    data: dict[str, Any] = expect(reply.body, dict, "data")
    return data


def rows_of(reply: Reply, slug: str | None) -> list[msgspec.Raw]:
    """Return the rows of a bridge's detail; each is one, as an answer that makes no sense is to be read again."""
    rows = _bridge(reply, slug).numbers
    for raw in rows:
        _number(read(raw).number)
    return rows


def read(raw: msgspec.Raw) -> Row:
    """Return a row; UnexpectedAnswer where it is none."""
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnexpectedAnswer(f"the answer has a row that is not as documented: {error}", code="bad_answer") from error


def numbered(rows: Iterable[msgspec.Raw]) -> Iterator[tuple[str, Row, msgspec.Raw]]:
    """Yield the number of each row that has one, and the row, read and as it came."""
    for raw in rows:
        row = read(raw)
        if number := canonical(row.number):
            yield number, row, raw


def left_on(reply: Reply, slug: str, ours: Container[str]) -> list[str]:
    """Return all that a bridge's detail shows, but for rows of ``ours`` that are attached no more."""
    named = ((canonical(row.number) or row.number, row) for row in map(read, _bridge(reply, slug).numbers))
    return [number for number, row in named if number not in ours or row.attached]


def holdings(reply: Reply, slug: str) -> list[Holding]:
    """Return all that a bridge's detail shows."""
    bridge = _bridge(reply, slug)
    title = str(bridge.name or "")
    return [
        Holding(
            _number(row.number) or row.number,
            slug,
            row.attached,
            title,
            tuple(str(word) for word in (row.state, row.status) if word),
        )
        for row in map(read, bridge.numbers)
    ]


def bridge_page(reply: Reply) -> Page:
    """Return a page of the list of bridges, by their slugs."""
    succeeded(reply)
    bridges = reply.read(_Bridges)
    return Page({each.slug: each for each in bridges.data}, _total(bridges.count))


def number_page(reply: Reply) -> Page:
    """Return a page of the organisation's numbers; documented without pages: one without a count is all there is."""
    succeeded(reply)
    numbers = reply.read(_Numbers)
    rows = {number: None for each in numbers.data if (number := _number(each.number))}
    return Page(dict(rows), _total(numbers.count) or len(rows))


def _bridge(reply: Reply, slug: str | None) -> _Bridge:
    succeeded(reply)
    bridge = reply.read(_Detail).data
    if bridge.slug not in (slug, msgspec.UNSET):
        raise UnexpectedAnswer(f"the answer is about another bridge than {slug}", code="bad_answer")
    return bridge


def _number(spelled: str) -> str | None:
    """Return the number of a row, None for a name that is no number; a blank one is no evidence of anything."""
    if not spelled.strip():
        raise UnexpectedAnswer("the answer has a row whose number is blank", code="bad_answer")
    return canonical(spelled)


def _total(count: object) -> int | None:
    return count if isinstance(count, int) else None
