"""The report page as a file: what it holds for browsers with and without scripts, and that nothing breaks out of it."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reporting import HOSTILE, RUN, fold, hostile, item, mixed, served, text

from runner.model import Fault, State
from runner.records import Pulse


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
    order = ["Aborted part-way", f"teardown resume {RUN.id}", "Failed and unknown", "Lanes", "SHA-256", "max_numbers"]
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
    shown = Page(made).text
    assert all(f"+1415555{index:04d}" in shown for index in range(1000))


def test_nothing_from_a_plan_breaks_out():
    """Whatever a plan or a provider says is text: the only tags and scripts are the page's own."""
    page = Page(hostile())
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in Page(mixed()).tags}
    assert [attrs.get("id") for tag, attrs in page.tags if tag == "script"] == ["rows", "words", None]
    assert "<script>alert(1)</script>" in page.text
    assert not {"\x1b", "\u202e"} & set(page.text + page.inside["words"])


@settings(deadline=None)  # the first page of all imports what escapes it
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


def test_what_befell_most_numbers_stands_first_and_folds_up():
    """Of what went wrong the most frequent leads; a few numbers are named in its line, many behind a click."""
    rare = Fault("refused", "it said no", 400)
    page = Page(fold(*[item(State.FAILED, fault=rare)] * 20, *[item(State.FAILED)] * 21))
    assert page.text.index("All 21") < page.text.index("it said no")
    assert "All 20" not in page.text


def test_a_thousand_messages_make_a_small_page():
    """Where every number failed with a message of its own, all numbers are listed, and the first reasons."""
    faults = [Fault("refused", f"HTTP 500: Internal Server Error (request {index:032x})", 500) for index in range(1000)]
    made = fold(*[item(State.FAILED, number=f"+1415{index:07}", fault=fault) for index, fault in enumerate(faults)])
    assert len(text(made, "html")) < 300_000
    page = Page(made)
    assert page.text.count("HTTP 500") == 100
    assert "other reasons" in page.text
    assert all(f"+1415{index:07}" in page.text for index in range(1000))


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


UNCLEAR = "refused, or without a clear answer"
PULSES = [
    Pulse("unpod-main", 0, 10, 10, 0, 100.0, 20.0),
    Pulse("unpod-main", 2, 8, 4, 3, 400.0, 90.0),
    Pulse("unpod-main", 2, 2, 0, 0, 0.0, 0.0),
]


def drawn(page):
    """What each chart tells those who cannot see it, and its bars by their class."""
    told = [attrs["aria-label"] for tag, attrs in page.tags if tag == "svg"]
    return told, {attrs["class"]: attrs["d"] for tag, attrs in page.tags if tag == "path"}


def test_charts_show_what_was_sent_and_how_fast_it_was_answered():
    """A bar a slot, stacked by answer, as high as the busiest slot allows; mean and slowest answer likewise."""
    told, bars = drawn(Page(served(item(), pulses=PULSES)))
    assert told == [
        f"unpod-main: detach requests a second: 14 detached, 3 throttled, 3 {UNCLEAR}, limit: 10/s",
        "unpod-main: latency of detach requests: mean: 25 ms over all, slowest: 90 ms",
    ]
    assert bars == {
        "done": "M0 100.0v-100.0h1V100.0M2 100.0v-40.0h1V100.0",
        "throttled": "M2 60.0v-30.0h1V60.0",
        "unclear": "M2 30.0v-30.0h1V30.0",
        "limit": "M0 0.0H3",
        "mean": "M0 100.0v-11.1h1V100.0M2 100.0v-44.4h1V100.0",
        "slowest": "M0 88.9v-11.1h1V88.9M2 55.6v-55.6h1V55.6",
    }


def test_several_lanes_are_charted_together_as_well():
    """The first chart is of all lanes; a limit far above what was sent is not drawn."""
    pulses = [Pulse("a", 0, 1, 1, 0, 5.0, 5.0), Pulse("b", 1, 1, 1, 0, 5.0, 5.0)]
    told, bars = drawn(Page(served(item(account="a"), item(account="b"), pulses=pulses)))
    assert [each.split(":")[0] for each in told] == ["All accounts", "a", "a", "b", "b"]
    assert "2 detached" in told[0]
    assert "limit" not in bars


def test_a_run_that_sent_nothing_has_no_charts():
    """There is no empty picture where nothing happened."""
    assert drawn(Page(served(item(State.PLANNED), dry_run=True))) == ([], {})


def test_the_plan_is_shown_as_it_ran():
    """Its text stands in the page while it is short; of a long one its beginning, and the page says so."""
    short = Page(served(item(), plan="name: <sales>\nversion: 1\n")).text
    assert "as it ran: all of it" in short
    assert "name: <sales>\nversion: 1" in short
    long = Page(served(item(), plan="x" * 100_000))
    assert "its beginning, as it is long" in long.text
    assert long.text.count("x" * 32_768) == 1
    assert len(long.text) < 40_000
    assert "as it ran" not in Page(served(item())).text


def test_guards_are_shown_as_a_plan_writes_them():
    """What is set is shown, and what is not is left out."""
    made = served(item())
    made.source.rules = lambda _: {
        "guards": {
            "max_numbers": 500,
            "stop_after_failures": None,
            "protect": [f"+44{index}*" for index in range(25)],
            "batches": [{"size": 1, "percent": False}, {"size": 20, "percent": True}],
        },
        "window": {"not_before": "2026-11-22T01:00:00+01:00"},
        "limit": 7,
    }
    page = Page(made).text
    assert "max_numbers500" in page
    assert "+4419*, and 5 more" in page
    assert "batches1, 20%" in page
    assert "not_before2026-11-22T01:00:00+01:00" in page
    assert "limit7" in page
    assert "stop_after_failures" not in page


@pytest.mark.parametrize(
    ("run", "state", "command"),
    [
        ({}, State.FAILED, f"teardown resume {RUN.id} --retry-failed"),
        ({"ending": "stopped"}, State.PLANNED, f"teardown resume {RUN.id}"),
        ({"ending": "blocked", "plan_path": "my plan.yaml"}, State.PLANNED, "teardown check 'my plan.yaml'"),
        ({"dry_run": True}, State.PLANNED, "teardown run plans/sales-eu.yaml"),
        ({}, State.DETACHED, f"teardown report {RUN.id} -o report.csv"),
    ],
)
def test_the_page_says_what_to_do_next(run, state, command):
    """Whatever the verdict, there is a command line to go on with."""
    assert command in Page(fold(item(state), **run)).text


def test_one_sentence_says_what_became_of_all():
    """Who reads nothing else knows how many numbers are off, and what of the others."""
    made = fold(*mixed().source.items_, item(State.ALREADY_DETACHED), ending="stopped")
    sentence = (
        "2 of 6 numbers are off their targets, 1 of them already detached; 1 left alone on purpose, 1 still attached,"
        " 1 that nobody knows of, 1 not touched."
    )
    assert sentence in Page(made).text


def test_errors_that_are_all_different_do_not_fill_the_memory():
    """Beyond ten thousand different messages the page keeps their codes, and points to report.json."""
    faults = [Fault("refused", f"request {index} refused", 400) for index in range(10_003)]
    rows = Page(fold(*[item(State.FAILED, fault=fault) for fault in faults])).rows()
    assert rows[9_999][5] == "request 9999 refused"
    assert {row[5] for row in rows[10_000:]} == {"refused: report.json has the message"}


def test_answers_that_took_no_time_are_drawn():
    """A clock too coarse for a near provider gives latencies of nothing; the page stands all the same."""
    told, _ = drawn(Page(served(item(), pulses=[Pulse("unpod-main", 0, 1, 1, 0, 0.0, 0.0)])))
    assert told[1].startswith("unpod-main: latency of detach requests")
