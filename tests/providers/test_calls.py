"""Who is in a call: read to the end or not known, and known however the row writes the number."""

import asyncio
import itertools

import orjson
import pytest

from runner.errors import RequestError, UnexpectedAnswer
from runner.providers.calls import Busy
from runner.providers.videosdk_calls import read_calls
from runner.transport import Reply

ONE, TWO, THREE = "+14155550101", "+14155550102", "+14155550103"
NOW = 1_795_305_600.0


class Listing:
    """Answers a page of calls; each request may change what is listed."""

    def __init__(self, rows, total=..., change=lambda rows: rows):
        self.rows, self.total, self.change, self.queries = rows, total, change, []

    async def get(self, path, parse, query=None):
        assert path == "/call"
        self.queries.append(query)
        begin = (query["page"] - 1) * query["perPage"]
        page = self.rows[begin : begin + query["perPage"]]
        info = {"pageInfo": {"total": len(self.rows) if self.total is ... else self.total}} if self.total else {}
        body = {**info, "data": page}
        self.rows = self.change(self.rows)
        return parse(Reply(200, orjson.dumps(body)))


def row(number, ident=None, **more):
    """Give the row of a call that goes on."""
    return {"id": ident or f"c-{number}", "to": number, "from": "anonymous", "status": "answered", "end": None} | more


def read(listing):
    """Read who is in a call."""
    return asyncio.run(read_calls(listing, NOW))


def test_calls_of_the_last_day_are_read():
    """In milliseconds, as that list counts."""
    listing = Listing([row(ONE)])
    busy = read(listing)
    assert (ONE in busy, TWO in busy) == (True, False)
    assert listing.queries[0]["startDate"] == (NOW - 86_400) * 1000


@pytest.mark.parametrize(
    ("more", "goes_on"),
    [
        ({}, True),
        ({"status": "ringing"}, True),
        ({"status": "transfer-failed"}, True),
        ({"status": "something-new"}, True),
        ({"status": None}, True),
        ({"status": "ended"}, False),
        ({"status": "Missed"}, False),
        ({"end": "2026-11-22T00:00:00Z"}, False),
        ({"to": "anonymous", "from": ONE}, True),
    ],
)
def test_a_call_goes_on_until_it_has_ended(more, goes_on):
    """What is not known to be over goes on, whoever has called whom."""
    assert (ONE in read(Listing([row(ONE, **more)]))) is goes_on


def test_all_pages_are_read():
    """A number on the last page is found, and nobody is asked for more pages than there are."""
    rows = [row(f"+1212555{index:04d}") for index in range(250)]
    listing = Listing(rows)
    busy = read(listing)
    assert all(each["to"] in busy for each in rows)
    assert len(listing.queries) == 3


def test_calls_that_begin_meanwhile_hide_none():
    """Newer calls push older ones to later pages; those that were there at the beginning are all found."""
    rows = [row(f"+1212555{index:04d}") for index in range(250)]
    fresh = itertools.count()
    listing = Listing(rows, change=lambda known: [row(ONE, f"new-{next(fresh)}") for _ in range(7)] + known)
    busy = read(listing)
    assert all(each["to"] in busy for each in rows)


def test_a_list_without_a_total_is_read_to_its_end():
    """The first page that brings nothing new is behind the last."""
    rows = [row(f"+1212555{index:04d}") for index in range(200)]
    listing = Listing(rows, total=None)
    busy = read(listing)
    assert all(each["to"] in busy for each in rows)
    assert len(listing.queries) == 3


@pytest.mark.parametrize(
    "listing",
    [
        Listing([row(ONE)], total=2),
        Listing([{"to": ONE, "end": None}]),
        Listing([row(ONE, to=None, **{"from": ""})]),
        Listing(["a call"]),
    ],
)
def test_an_incomplete_list_is_unknown(listing):
    """Fewer rows than it says, or rows that cannot be read, never mean that nobody talks."""
    with pytest.raises(UnexpectedAnswer):
        read(listing)


def test_an_undocumented_status_is_unknown():
    """A success without the documented content says nothing."""

    class Empty:
        async def get(self, _path, parse, _query=None):
            return parse(Reply(204, b""))

    with pytest.raises(RequestError):
        read(Empty())


@pytest.mark.parametrize(
    "party",
    [
        "+14155550101",
        "14155550101",
        "0014155550101",
        "+1 (415) 555-0101",
        "sip:+14155550101@sip.example.com:5060",
        "SIPS:14155550101@10.0.0.1;user=phone",
        "tel:+1-415-555-0101",
        "4155550101",
        "01114155550101",
    ],
)
def test_a_number_is_known_in_every_spelling(party):
    """As an address, with a prefix, or without its country; and another number is not taken for it."""
    busy = Busy([party])
    assert ONE in busy
    assert TWO not in busy


@pytest.mark.parametrize("party", ["anonymous", "", "101", "sip:reception@example.com"])
def test_what_is_no_number_is_nobody(party):
    """An extension or a name keeps no number of a plan back."""
    assert ONE not in Busy([party])
