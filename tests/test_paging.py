"""A listing is read whole, every row once, however it moves while it is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import run

from runner.errors import LostAnswer, UnexpectedAnswer
from runner.paging import PASSES, Page, read_all


class Listing:
    """A provider's list; ``changes`` happen to it, one after each request."""

    def __init__(self, keys, size=3, *, total=True, changes=()):
        self.keys = list(keys)
        self.size = size
        self.total = total
        self.changes = iter(changes)
        self.asked = []

    async def fetch(self, number):
        self.asked.append(number)
        rows = self.keys[(number - 1) * self.size : number * self.size]
        page = Page({key: f"row {key}" for key in rows}, len(self.keys) if self.total else None)
        next(self.changes, lambda _: None)(self.keys)
        return page

    async def read(self):
        found = []
        async for rows in read_all(self.fetch, what="things"):
            assert all(row == f"row {key}" for key, row in rows.items())
            found += rows
        return found


@given(st.integers(0, 40), st.integers(1, 10), st.booleans())
def test_a_still_listing_is_read_once(count, size, total):
    """Every row comes once and in order, in as few requests as the total allows: without one, one more to be sure."""
    listing = Listing(range(count), size, total=total)
    assert run(listing.read()) == list(range(count))
    pages = -(-count // size)
    assert listing.asked == list(range(1, max(pages, 1) + 1 if total else pages + 2))


def test_a_server_that_ignores_pages_is_understood():
    """One that always answers with everything ends with the first page that brings nothing new."""

    class Whole(Listing):
        async def fetch(self, number):
            return await super().fetch(1)

    assert run(Whole(range(5), 5, total=False).read()) == list(range(5))
    assert run(Whole(range(5), 5).read()) == list(range(5))


def test_a_row_that_slips_to_an_earlier_page_is_found():
    """When a row in front is removed while the list is read, what moved up is not missed."""
    listing = Listing(range(9), changes=[lambda keys: keys.pop(0)])
    assert sorted(run(listing.read())) == list(range(9))
    assert len(listing.asked) > 3


def test_a_row_that_slips_to_a_later_page_comes_once():
    """When a row is put in front, what moved down is not told twice, and the new one is found."""
    listing = Listing(range(9), changes=[lambda keys: keys.insert(0, "new")])
    found = run(listing.read())
    assert sorted(found, key=str) == sorted([*range(9), "new"], key=str)


def test_a_total_that_is_too_high_is_believed_only_by_two_readings():
    """A list that holds fewer rows than it says is read again; when that shows the same, it is all there is."""

    class Boasting(Listing):
        async def fetch(self, number):
            page = await super().fetch(number)
            return Page(page.rows, page.total + 1)

    listing = Boasting(range(4))
    run(listing.read())
    assert listing.asked.count(1) == 2


def test_a_list_that_never_holds_still_is_given_up():
    """After four passes through a list that changes with every request, no reading of it counts."""
    listing = Listing(range(9), changes=[lambda keys: keys.append(len(keys))] * 1000)
    listing.changes = iter([lambda keys: keys.insert(0, f"n{len(keys)}"), lambda keys: keys.pop()] * 500)
    with pytest.raises(UnexpectedAnswer, match="list of things kept changing") as caught:
        run(listing.read())
    assert caught.value.code == "unstable_listing"
    assert listing.asked.count(1) == PASSES


def test_a_page_that_fails_ends_the_reading():
    """An error is passed on, and is never taken for the end of the list."""

    class Broken(Listing):
        async def fetch(self, number):
            if number == 2:
                raise LostAnswer("gone")
            return await super().fetch(number)

    with pytest.raises(LostAnswer, match="gone"):
        run(Broken(range(9)).read())


@given(
    st.integers(0, 20),
    st.lists(st.sampled_from(["remove first", "remove last", "insert", "append", "nothing"]), max_size=8),
)
def test_no_row_that_was_there_all_the_time_is_missed(count, names):
    """Whatever else comes and goes, a reading that ends found every row that stood still."""
    acts = {
        "remove first": lambda keys: keys and keys.pop(0),
        "remove last": lambda keys: keys and keys.pop(),
        "insert": lambda keys: keys.insert(0, f"new {len(keys)}"),
        "append": lambda keys: keys.append(f"end {len(keys)}"),
        "nothing": lambda _: None,
    }
    listing = Listing(range(count), changes=[acts[name] for name in names])
    try:
        found = run(listing.read())
    except UnexpectedAnswer:
        return
    assert set(listing.keys) & set(range(count)) <= set(found)
    assert len(found) == len(set(found))
