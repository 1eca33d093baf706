"""The report page as a file: what it holds for browsers with and without scripts, and that nothing breaks out of it."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reporting import HOSTILE, RUN, fold, hostile, item, mixed, text

from runner.model import Fault, State


class Page(HTMLParser):
    """What a browser would make of a page: its tags, its text, and what stands in its scripts and styles."""

    def __init__(self, made):
        super().__init__()
        self.tags, self.words, self.inside, self._open = [], [], {}, None
        self.feed(text(made, "html"))
        self.text = "".join(self.words)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in {"script", "style"}:
            self._open = dict(attrs).get("id", tag)
            self.inside[self._open] = ""

    def handle_endtag(self, tag):
        if tag in {"script", "style"}:
            self._open = None

    def handle_data(self, data):
        if self._open:
            self.inside[self._open] += data
        else:
            self.words.append(data)

    def rows(self):
        """The rows as the page's script shows them: number, account, target, outcome, known by, why, attempts."""
        words = json.loads(self.inside["words"])
        return [
            (number, *words["places"][place], *words["fates"][fate], attempts)
            for number, place, fate, attempts, _ in json.loads(self.inside["rows"])
        ]


def test_verdict_then_trouble_then_numbers():
    """The page has the verdict and the command to go on with on top, then what failed, then everything."""
    page = Page(mixed())
    order = ["Aborted part-way", f"teardown resume {RUN.id}", "Failed and unknown", "Lanes", "Numbers", "SHA-256"]
    assert sorted(order, key=page.text.index) == order
    assert text(mixed(), "html").startswith("<!doctype html>")


def test_every_number_is_in_the_data():
    """Each row has its place and its fate, in the plan's order."""
    made = fold(item(verified=True), *mixed().source.items_, ending="stopped")
    assert Page(made).rows() == [
        ("+14155550101", "unpod-main", "sales-bridge", "detached", "response, seen gone", "", 1),
        ("+14155550000", "unpod-main", "sales-bridge", "detached", "response", "", 1),
        ("+14155550000", "unpod-main", "sales-bridge", "skipped", "", "it is protected", 0),
        ("+14155550000", "unpod-main", "sales-bridge", "failed", "", "the provider answered 500", 3),
        ("+14155550000", "unpod-main", "sales-bridge", "unknown", "", "the provider answered 500", 3),
        ("+14155550000", "unpod-main", "sales-bridge", "pending", "", "", 0),
    ]


def test_rows_of_more_than_a_batch_are_one_list():
    """Rows that are written in several batches make one document, and a thousand of them a small one."""
    made = mixed(1000)
    assert len(Page(made).rows()) == 5000
    assert len(text(fold(*mixed(1000).source.items_[:1000]), "html")) < 150_000


def test_a_thousand_failures_are_named_in_a_small_page():
    """Numbers with the same fate share its words, so that all of them can stand in the page itself."""
    made = fold(*[item(State.FAILED, number=f"+1415555{index:04d}") for index in range(1000)])
    assert len(text(made, "html")) < 150_000
    assert all(f"+1415555{index:04d}" in Page(made).text for index in range(1000))


def test_nothing_from_a_plan_breaks_out():
    """Whatever a plan or a provider says is text: the only tags and scripts are the page's own."""
    page = Page(hostile())
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in Page(mixed()).tags}
    assert [attrs.get("id") for tag, attrs in page.tags if tag == "script"] == ["rows", "words", None]
    assert "<script>alert(1)</script>" in page.text
    assert not {"\x1b", "\u202e"} & set(page.text + page.inside["words"])


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["", "</script>", "<!--<script>", "\u2028"]))
def test_any_text_stays_where_it_belongs(value, tail):
    """Scripts and styles of the page are the same whatever a plan says, and the data can always be read."""
    evil = value + tail
    made = fold(item(State.FAILED, target=evil, fault=Fault("refused", evil)), plan_name=evil, notes=(evil,))
    page = Page(made)
    assert [attrs.get("id") for tag, attrs in page.tags if tag == "script"] == ["rows", "words", None]
    assert page.inside["script"] == Page(fold()).inside["script"]
    assert len(page.rows()) == 1


def test_only_the_pages_own_script_and_style_may_run():
    """The policy names the hash of the one script and the one style, and allows nothing else."""
    page = Page(hostile())
    (policy,) = [attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs]
    hashes = [b64encode(sha256(page.inside[name].encode()).digest()).decode() for name in ("style", "script")]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}';"
        " base-uri 'none'; form-action 'none'"
    )
    assert not any("style" in attrs or any(name.startswith("on") for name in attrs) for _, attrs in page.tags)


def test_the_page_asks_nobody_for_anything():
    """There is no address in it, and no element that would load one."""
    page = Page(mixed())
    assert not re.search("https?://", text(mixed(), "html"))
    assert not {"img", "link", "iframe", "object"} & {tag for tag, _ in page.tags}


def test_beyond_what_a_browser_shows_the_rest_is_counted():
    """Of more than 200,000 numbers only those that need nothing are left out, and the page says how many."""
    clean, last = item(), item(State.FAILED, number="+14155559999")
    page = Page(fold(*[clean] * 200_700, last))
    assert len(page.rows()) == 200_001
    assert page.rows()[-1][0] == "+14155559999"
    assert "700 more, for which nothing is left to be done" in page.text


def test_beyond_ten_thousand_failures_the_rest_is_counted():
    """The list of what failed ends somewhere, and says so."""
    page = Page(fold(*[item(State.FAILED)] * 10_001))
    assert "1 more are in the table" in page.text


def test_a_page_says_what_was_put_back_and_that_it_was_a_rehearsal():
    """A page says that no real number was touched, and what it puts back."""
    page = Page(fold(item(), sandbox=True, rollback_of="20261121T000000Z-0", reason="mistake"))
    assert "no real number was touched" in page.text
    assert "20261121T000000Z-0" in page.text


@pytest.mark.parametrize("where", ["plan_name", "description", "reason"])
def test_hostile_text_is_shown_as_it_is(where):
    """A reader sees what the plan says, markup and all."""
    assert HOSTILE[:25] in Page(fold(item(), **{where: HOSTILE})).text
