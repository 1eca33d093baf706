"""What a report says of bridges and gateways that were to be deleted."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec.structs import replace
from reporting import BOOM, HOSTILE, RUN, STARTED, Records, item, text

from runner import report
from runner.model import State
from runner.records import Removal
from runner.report import summary

SCHEMA = Draft202012Validator(report.json_schema())
BRIDGE = Removal("unpod-main", "unpod", "bridge", "old", finished_at=STARTED + 2)
DELETED = BRIDGE._replace(state="deleted", confirmed_by="response", attempts=1)
REASONS = ["dry_run", "not_confirmed", "not_verified", "not_all_gone", "not_empty", "run_not_finished"]
FATES = [
    BRIDGE,
    BRIDGE._replace(state="in_flight", attempts=1, finished_at=None),
    DELETED,
    BRIDGE._replace(state="already_deleted"),
    *(BRIDGE._replace(state="kept", reason=reason) for reason in REASONS),
    BRIDGE._replace(state="kept", fault=BOOM, attempts=2),
    BRIDGE._replace(state="unknown", fault=BOOM, attempts=1),
]


def fold(*removals, states=(State.DETACHED,), **run):
    """Fold a run with these things to delete."""
    records = Records([item(state) for state in states], replace(RUN, **run), removals_=list(removals))
    return report.fold(records, RUN.id)


def told(made):
    """Return what the terminal shows."""
    stream = io.StringIO()
    summary(made, stream)
    return stream.getvalue()


@given(st.lists(st.sampled_from(FATES), max_size=4), st.sampled_from([None, "finished", "stopped", "interrupted"]))
def test_every_fate_gives_a_valid_report(removals, ending):
    """Whatever the ledger holds of them, it fits the schema, and there is a row for each."""
    written = json.loads(text(fold(*removals, ending=ending), "json"))
    SCHEMA.validate(written)
    assert [row["target"] for row in written["targets"]] == ["old"] * len(removals)


@pytest.mark.parametrize(
    ("removal", "ending", "status", "code"),
    [
        (DELETED, "finished", "succeeded", 0),
        (BRIDGE._replace(state="already_deleted"), "finished", "succeeded", 0),
        (BRIDGE._replace(state="kept", reason="not_empty"), "finished", "succeeded", 0),
        (BRIDGE._replace(state="kept", reason="not_confirmed"), "finished", "succeeded", 0),
        (BRIDGE._replace(state="kept", fault=BOOM), "finished", "failed", 4),
        (BRIDGE._replace(state="unknown", fault=BOOM), "finished", "failed", 4),
        (BRIDGE, "stopped", "aborted", 5),
        (BRIDGE._replace(state="in_flight"), "stopped", "aborted", 5),
        (BRIDGE, "interrupted", "interrupted", 130),
        (DELETED, "interrupted", "succeeded", 0),
        (BRIDGE, None, "interrupted", None),
    ],
)
def test_the_exit_code_counts_what_could_not_be_deleted(removal, ending, status, code):
    """What a rule keeps is no failure; what is not decided is left to do, and what went wrong has failed."""
    made = fold(removal, ending=ending, signal=2)
    assert (made.status, made.exit_code) == (status, code)


@pytest.mark.parametrize(
    ("removal", "outcome", "line"),
    [
        (DELETED, "deleted", "deleted bridge old of unpod-main\n"),
        (BRIDGE._replace(state="already_deleted"), "already_deleted", "already deleted bridge old of unpod-main\n"),
        (BRIDGE, "kept", "kept bridge old of unpod-main: the run did not come so far"),
        (FATES[1], "unknown", "unknown bridge old of unpod-main: an attempt may have been sent"),
        (
            BRIDGE._replace(state="kept", reason="not_empty", note="1 left on it: +1"),
            "kept",
            "kept bridge old of unpod-main: 1 left on it: +1\n",
        ),
        (BRIDGE._replace(state="kept", fault=BOOM), "kept", f"kept bridge old of unpod-main: {BOOM.message}\n"),
    ],
)
def test_the_summary_says_what_became_of_each(removal, outcome, line):
    """One line, with the reason where there is one."""
    made = fold(removal, ending="stopped")
    assert made.targets[0]["outcome"] == outcome
    assert line in told(made)


def test_many_targets_fit_on_a_screen():
    """The first few are named, the rest are counted; the ticket and the page name more, and count the rest."""
    made = fold(*(DELETED._replace(thing=f"b{index}") for index in range(300)))
    assert "and 297 more targets" in told(made)
    assert "## Targets (the first 20 of 300)" in text(made, "md")
    page = text(made, "html")
    assert "<td>b199<td>" in page
    assert "<td>b200<td>" not in page
    assert "100 more are only in report.json" in page


def test_a_report_without_them_says_nothing_of_them():
    """No section without content, and an empty list for machines."""
    made = fold()
    assert made.targets == []
    assert "Targets" not in text(made, "md")
    assert 'id="targets"' not in text(made, "html")


def test_what_others_have_named_cannot_break_out():
    """An id or a note that holds markup is shown as it is."""
    hostile = BRIDGE._replace(thing=HOSTILE, state="kept", reason="not_empty", note=HOSTILE)
    made = fold(hostile)
    assert "<script>alert(1)" not in text(made, "html")
    assert "\x1b" not in told(made)
    assert "<script>" not in text(made, "md")
    assert text(made, "md").count(r"\<script\>") == 2
