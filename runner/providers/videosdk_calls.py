"""Which numbers of a VideoSDK account are in a call now.

The list of calls has no filter by status (docs.videosdk.live, fetch-all-calls): all calls of the last day are read, and
those that have neither ended nor come to a last status go on. A number is known by who calls and who is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.errors import UnexpectedAnswer
from runner.paging import Page
from runner.providers import expect
from runner.providers.calls import Busy

if TYPE_CHECKING:
    from runner.providers import Reads
    from runner.transport import Reply

_LONGEST = 24 * 3600
"""Seconds that a call may last; one that began earlier is not found."""
_PAGE_SIZE = 100
_OVER = frozenset({"missed", "not-answered", "failed", "rejected", "abandoned", "ended", "transferred"})
_OK = 200

Row = dict[str, Any]


async def read_calls(reads: Reads, now: float) -> Busy:
    """Return who is in a call; raises RequestError also when the list was not read to its end.

    Calls that begin meanwhile move older ones to later pages, so none is missed that was there at the beginning.
    """
    query: dict[str, str | int] = {"startDate": int((now - _LONGEST) * 1000), "perPage": _PAGE_SIZE}
    first = await reads.get("/call", _page, query | {"page": 1})
    met, parties, number, size = set(first.rows), _parties(first), 1, 0
    while len(met) > size and (first.total is None or len(met) < first.total):
        number, size = number + 1, len(met)
        page = await reads.get("/call", _page, query | {"page": number})
        met |= set(page.rows)
        parties |= _parties(page)
    if first.total is not None and len(met) < first.total:
        raise UnexpectedAnswer(f"only {len(met)} of {first.total} calls could be read", code="unstable_listing")
    return Busy(parties)


def _parties(page: Page) -> set[str]:
    return {party for row in page.rows.values() if _goes_on(row) for party in _named(row)}


def _goes_on(row: Row) -> bool:
    return row.get("end") is None and str(row.get("status") or "").lower() not in _OVER


def _named(row: Row) -> list[str]:
    named = [party for side in ("to", "from") if isinstance(party := row.get(side), str) and party.strip()]
    if not named:
        raise UnexpectedAnswer("a call that goes on names nobody who talks", code="bad_answer")
    return named


def _page(reply: Reply) -> Page:
    if reply.status != _OK:
        raise UnexpectedAnswer(f"HTTP {reply.status} is no documented answer", status=reply.status)
    body = reply.body
    rows = body if isinstance(body, list) else expect(body, list, "data")
    info = body.get("pageInfo") or body.get("pagination") if isinstance(body, dict) else None
    total = info.get("total") if isinstance(info, dict) else None
    return Page({_id(row): row for row in rows}, total if isinstance(total, int) else None)


def _id(row: Any) -> str:
    known = row.get("id") or row.get("callId") if isinstance(row, dict) else None
    if not isinstance(known, str):
        raise UnexpectedAnswer("the answer has a call without an id", code="bad_answer")
    return known
