"""The fold: outcomes, totals, verdict and the report's shape."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from reporting import BOOM, RUN, STARTED, Records, fold, item, text

from runner import report
from runner.errors import TeardownError
from runner.model import State
from runner.report.fold import OUTCOMES

SCHEMA = Draft202012Validator(report.json_schema())
ENDINGS = [None, "finished", "blocked", "stopped", "interrupted"]

RETURNS = {State.REATTACHED, State.ALREADY_ATTACHED}
CROSSINGS = {State.MOVED, State.ALREADY_MOVED, State.STRANDED}
goals = st.sampled_from(
    [
        ({}, set(State) - RETURNS - CROSSINGS),
        ({"rollback_of": "run-0"}, set(State) - CROSSINGS),
        ({"moves": True}, set(State) - RETURNS),
    ]
)
"""What a run is for, and the states that its items may have."""


def items(kind, states):
    """Some items in any of these states."""
    more = {"moved_to": st.just("support"), "gap_ms": st.none() | st.floats(0, 1e6)} if kind.get("moves") else {}
    built = st.builds(item, st.sampled_from(sorted(states)), seen_attached=st.booleans(), **more)
    return st.lists(built, max_size=12)


stories = goals.flatmap(lambda goal: st.tuples(items(*goal), st.just(goal[0])))
runs = st.fixed_dictionaries({"ending": st.sampled_from(ENDINGS), "dry_run": st.booleans()})


@given(stories, runs, st.sampled_from([None, 2, 15]))
def test_every_run_gives_a_valid_report_whose_counts_add_up(story, run, signal):
    """Whatever the ledger holds, the report fits its schema and every item is counted exactly once."""
    finished = None if run["ending"] is None else RUN.finished_at
    entries, kind = story
    made = fold(*entries, **run, **kind, signal=signal, finished_at=finished)
    written = json.loads(text(made, "json"))
    SCHEMA.validate(written)
    planned = written["totals"].pop("planned")
    assert planned == len(entries) == len(written["numbers"]) == sum(written["totals"].values())
    outcomes = [row["outcome"] for row in written["numbers"]]
    assert {name: outcomes.count(name) for name in written["totals"]} == written["totals"]


@given(stories, runs, st.sampled_from([2, 15]))
def test_exit_code_follows_from_what_the_report_shows(story, run, signal):
    """Exit 0 is given only where nothing failed, is unknown or, outside a dry run, pending."""
    entries, kind = story
    made = fold(*entries, **run, **kind, signal=signal)
    left = sum(made.totals.get(name, 0) for name in ("pending", "failed", "unknown", "stranded"))
    if run["ending"] not in {None, "blocked"} and not run["dry_run"]:
        assert (made.exit_code == 0) == (left == 0)
    assert (made.exit_code is None) == (run["ending"] is None)
    if made.exit_code in {130, 143}:
        assert made.status == "interrupted"
        assert made.exit_code == 128 + signal


@pytest.mark.parametrize(
    ("run", "states", "status", "exit_code"),
    [
        ({"ending": None}, [State.DETACHED], "interrupted", None),
        ({"ending": None, "dry_run": True}, [State.PLANNED], "interrupted", None),
        ({"ending": "blocked"}, [State.PLANNED], "blocked", 3),
        ({"ending": "blocked", "dry_run": True}, [State.PLANNED], "blocked", 3),
        ({"ending": "interrupted", "signal": 15}, [State.PLANNED, State.FAILED], "interrupted", 143),
        ({"ending": "interrupted", "signal": 2}, [State.IN_FLIGHT], "interrupted", 130),
        ({"ending": "interrupted", "signal": None}, [State.UNKNOWN], "interrupted", 130),
        ({"ending": "interrupted", "signal": 2}, [State.DETACHED], "succeeded", 0),
        ({"ending": "interrupted", "signal": 2}, [State.FAILED], "failed", 4),
        ({"ending": "finished", "dry_run": True}, [State.PLANNED], "dry_run", 0),
        ({"ending": "interrupted", "signal": 2, "dry_run": True}, [State.PLANNED], "dry_run", 0),
        ({"ending": "stopped"}, [State.PLANNED, State.FAILED], "aborted", 5),
        ({"ending": "stopped"}, [State.UNKNOWN], "failed", 4),
        ({"ending": "finished"}, [State.DETACHED, State.FAILED], "failed", 4),
        ({"ending": "finished"}, [State.DETACHED, State.ALREADY_DETACHED, State.SKIPPED], "succeeded", 0),
        ({"ending": "finished"}, [], "succeeded", 0),
    ],
)
def test_verdict(run, states, status, exit_code):
    """Status and exit code are read off the table, first line first."""
    made = fold(*map(item, states), **run)
    assert (made.status, made.exit_code) == (status, exit_code)


@pytest.mark.parametrize(("ending", "status"), [("interrupted", "interrupted"), ("stopped", "aborted")])
def test_a_dry_run_that_did_not_look_at_everything_is_not_ok(ending, status):
    """A dry run that ended before it had looked is no all-clear."""
    made = fold(item(State.PLANNED), item(State.PLANNED, seen_attached=False), dry_run=True, ending=ending, signal=2)
    assert made.status == status
    assert made.exit_code in {130, 5}


def test_a_dry_run_counts_what_it_would_detach():
    """In a dry run what was seen attached would be detached, and what nobody saw is pending."""
    made = fold(item(State.PLANNED), item(State.PLANNED, seen_attached=False), dry_run=True)
    assert [row["outcome"] for row in made.numbers()] == ["would_detach", "pending"]
    assert made.totals == {"planned": 2, **dict.fromkeys(OUTCOMES, 0), "pending": 1, "would_detach": 1}


@pytest.mark.parametrize("state", [State.ALREADY_DETACHED, State.SKIPPED])
def test_a_dry_run_keeps_what_the_pre_check_settled(state):
    """Only what is still to be done would be detached, whatever was seen."""
    assert [row["outcome"] for row in fold(item(state), dry_run=True).numbers()] == [state.value]


def test_a_run_for_real_never_says_would_detach():
    """Planned items of a run for real are pending, also when they were seen attached."""
    made = fold(item(State.PLANNED), ending="stopped")
    assert list(made.totals) == ["planned", *OUTCOMES]
    assert made.totals["pending"] == 1


def test_an_item_in_flight_is_unknown():
    """An attempt that nothing settled is unknown, and says why."""
    (row,) = fold(item(State.IN_FLIGHT, fault=BOOM, attempts=1), ending=None, finished_at=None).numbers()
    assert row["outcome"] == "unknown"
    assert row["error"]["code"] == "no_answer"
    assert "may have been sent" in row["error"]["message"]


def test_a_row_has_the_documented_keys():
    """A row carries everything the ledger knows of its item, under the contract's names."""
    entry = item(confirmed_by="verification", reason="target_gone", verified=True)
    assert list(fold(entry).numbers()) == [
        {
            "number": "+14155550101",
            "account": "unpod-main",
            "provider": "unpod",
            "target": "sales-bridge",
            "outcome": "detached",
            "confirmed_by": "verification",
            "verified": True,
            "reason": "target_gone",
            "attempts": 1,
            "finished_at": "2026-11-22T00:00:01.000Z",
            "before": {"id": 7},
            "error": None,
        }
    ]


def test_a_failed_row_shows_its_error():
    """The error of a row has code, message and status."""
    (row,) = fold(item(State.FAILED)).numbers()
    assert row["error"] == {"code": "unexpected_answer", "message": "the provider answered 500", "http_status": 500}


def test_the_run_has_the_documented_keys():
    """The run's part names the plan, the times, who and where, and why."""
    made = fold(item(), reason="CAB approved", notes=("guard tripped",), signal=2, sandbox=True)
    assert made.run == {
        "id": RUN.id,
        "status": "succeeded",
        "exit_code": 0,
        "dry_run": False,
        "plan": {
            "name": "sales-eu",
            "path": "plans/sales-eu.yaml",
            "sha256": "ab" * 32,
            "metadata": {"ticket": "CHG-20417"},
            "description": "Retire the EU sales bridges",
        },
        "rollback_of": None,
        "moves": False,
        "reason": "CAB approved",
        "sandbox": True,
        "signal": 2,
        "notes": ["guard tripped"],
        "started_at": "2026-11-22T00:00:00.000Z",
        "finished_at": "2026-11-22T00:00:02.500Z",
        "duration_s": 2.5,
        "version": "0.1.0",
        "host": "box",
        "user": "ops",
    }


def test_a_run_that_goes_on_has_no_end():
    """Without an end there is neither a time nor a duration."""
    made = fold(item(), ending=None, finished_at=None)
    assert (made.run["finished_at"], made.run["duration_s"]) == (None, None)


def test_lanes_show_rates_and_latencies():
    """A lane's achieved rate is its requests over the time it worked, a second at least; latencies are in ms."""
    (lane,) = fold(item()).lanes
    assert lane["achieved_rate"] == 5.0
    assert lane["latency_ms"]["max"] == 55.0
    assert lane["latency_ms"]["p50"] == pytest.approx(21, rel=0.05)
    assert {key: lane[key] for key in ("planned", "requests", "retries", "throttled")} == {
        "planned": 1,
        "requests": 5,
        "retries": 1,
        "throttled": 2,
    }


def test_a_lane_that_never_worked_has_no_rate():
    """What was not measured is null, not zero."""
    (lane,) = fold(planned=0).lanes
    assert lane["achieved_rate"] is None
    assert lane["latency_ms"] == {"p50": None, "p95": None, "max": None}


def test_counts_that_do_not_add_up_are_refused():
    """A ledger that lost an item of the plan gives no report."""
    with pytest.raises(TeardownError, match=r"holds 1 items of run .* its plan has 2"):
        fold(item(), planned=2)


def test_rows_that_belie_the_totals_are_refused():
    """An ended run whose rows changed after the totals were taken is not written as finished."""
    source = Records([item()])
    made = report.fold(source, RUN.id)
    source.items_ = [item(State.FAILED)]
    with pytest.raises(report.ReportError, match="not what its totals say"):
        list(made.numbers())


def test_a_run_that_goes_on_may_move_between_totals_and_rows():
    """A live run's rows may be newer than its totals, but none may be missing."""
    live = fold(item(State.PLANNED), ending=None, finished_at=None)
    live.source.items_ = [item()]
    assert [row["outcome"] for row in live.numbers()] == ["detached"]
    live.source.items_ = []
    with pytest.raises(report.ReportError):
        list(live.numbers())


def test_numbers_are_streamed():
    """Rows come one by one as the source gives them."""
    source = Records([item()] * 3)
    taken = []

    def watched(run_id):
        for entry in source.items_:
            taken.append(entry)
            yield entry

    source.items = watched
    rows = report.fold(source, RUN.id).numbers()
    next(rows)
    assert len(taken) == 1


def test_the_schema_is_strict():
    """The published schema is itself valid, and refuses a key that nobody declared."""
    Draft202012Validator.check_schema(report.json_schema())
    written = json.loads(text(fold(item()), "json"))
    written["run"]["surprise"] = 1
    assert [error.validator for error in SCHEMA.iter_errors(written)] == ["additionalProperties"]


def test_times_keep_milliseconds():
    """Times are RFC 3339 in UTC with milliseconds."""
    (row,) = fold(item(finished_at=STARTED + 0.0014)).numbers()
    assert row["finished_at"] == "2026-11-22T00:00:00.001Z"
