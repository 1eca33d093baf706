"""From a plan to a run: what is selected, what is left alone, and the rules that a resume keeps."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import see
from msgspec.structs import replace
from reporting import RUN

from runner import plan
from runner.begin import Options, Rules, begin, leave_alone, new_run_id
from runner.errors import InputError
from runner.ledger import Ledger
from runner.model import State
from runner.policy import Batch, Guards, Window
from runner.records import NewTarget

PLAN = """\
version: 1
name: sales-eu
description: Retire the EU sales bridges
metadata: {ticket: CHG-20417}
window: {not_after: 2026-11-22T05:00:00+01:00}
guards: {max_numbers: 50, protect: ["+1415555010*"], batches: [1, 20%]}
teardown:
  - {account: unpod-main, bridge: sales, numbers: ["+14155550101", "+14155550112", "+14155550113"]}
  - {account: unpod-main, bridge: support, if_missing: ok, numbers: ["+14155550112", "+14155550114"]}
  - {account: unpod-main, bridge: whole, numbers: all}
  - {account: sip, provider: videosdk, numbers: ["+14155550115"]}
"""
NOW = datetime(2026, 11, 22, 1, 2, 3, 456_789, tzinfo=UTC).timestamp()


@pytest.fixture
def ledger(tmp_path):
    with closing(Ledger(tmp_path / "ledger.db")) as opened:
        yield opened


@pytest.fixture
def read(tmp_path):
    """A function that reads a plan as the command line does."""

    def load(text=PLAN):
        path = tmp_path / "plan.yaml"
        path.write_text(text)
        return plan.load(path, {"unpod-main": "unpod", "sip": "videosdk"})

    return load


def begun(ledger, plan_, **options):
    """Begin a run, let its ``all`` be empty, leave alone what is to be left alone, and return its id."""
    run_id = new_run_id(NOW)
    begin(ledger, run_id, plan_, Options(**options), NOW)
    for target in ledger.history.targets(run_id):
        if target.whole:
            ledger.expand(target.no, ["+14155550116", "+14155550117"])
    leave_alone(ledger, run_id, Rules.load(ledger.history.rules(run_id)), NOW + 1)
    return run_id


def standing(ledger, run_id):
    """The place, the number's end and the reason of every item, in plan order."""
    return [(item.target or item.account, item.number[-2:], item.reason) for item in ledger.history.items(run_id)]


def test_an_id_sorts_by_time_and_is_never_given_twice():
    """Ids made later sort later, to the millisecond, and two of one moment differ."""
    assert new_run_id(NOW).startswith("20261122T010203456Z-")
    assert new_run_id(NOW) < new_run_id(NOW + 0.001) < new_run_id(NOW + 86_400)
    assert len({new_run_id(NOW) for _ in range(50)}) > 1


def test_a_run_records_its_plan_and_who_began_it(ledger, read):
    """Name, path, hash, description and metadata are the plan's; options and surroundings are kept as well."""
    loaded = read()
    begin(ledger, "run-1", loaded, Options(dry_run=True, sandbox=True, reason="CHG-20417"), NOW)
    run = ledger.history.run("run-1")
    assert (run.plan_name, run.plan_path, run.plan_sha256) == ("sales-eu", loaded.path, loaded.sha256)
    assert (run.description, run.metadata) == ("Retire the EU sales bridges", {"ticket": "CHG-20417"})
    assert (run.dry_run, run.sandbox, run.reason, run.rollback_of) == (True, True, "CHG-20417", None)
    assert (run.started_at, run.finished_at, run.ending, run.notes) == (NOW, None, None, ())
    assert all((run.version, run.host, run.user))


def test_items_are_planned_in_plan_order(ledger, read):
    """Every number of the plan is an item; what is attached to a whole target is found out later."""
    begin(ledger, "run-1", read(), Options(), NOW)
    assert [item.number[-2:] for item in ledger.history.items("run-1")] == ["01", "12", "13", "12", "14", "15"]
    assert {item.state for item in ledger.history.items("run-1")} == {State.PLANNED}
    targets = ledger.history.targets("run-1")
    assert [(each.target, each.whole, each.if_missing) for each in targets] == [
        ("sales", False, False),
        ("support", False, True),
        ("whole", True, False),
        (None, False, False),
    ]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"only": ("sip",)}, {"15"}),
        ({"only": ("unpod-main/support", "sip")}, {"12", "14", "15"}),
        ({"only": ("unpod-main",), "exclude": ("unpod-main/sales",)}, {"12", "14", "16", "17"}),
        ({"exclude": ("unpod-main",)}, {"15"}),
        ({"exclude": ("unpod-main/whole", "unpod-main/sales")}, {"12", "14", "15"}),
    ],
)
def test_only_what_is_selected_stays_planned(ledger, read, options, left):
    """The other items end skipped as excluded at once, and an excluded ``all`` is never looked up."""
    run_id = begun(ledger, read(), **options)
    items = list(ledger.history.items(run_id))
    assert {item.number[-2:] for item in items if item.state is State.PLANNED} == left
    others = {(item.state, item.reason, item.finished_at) for item in items if item.state is not State.PLANNED}
    assert others == {(State.SKIPPED, "excluded", NOW)}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"only": ("",)}, "--only: an empty value names no account"),
        ({"only": ("sip", "unheard-of")}, "--only: 'unheard-of' names no account or ACCOUNT/TARGET of the plan"),
        ({"exclude": ("unpod-main/sale",)}, "--exclude: 'unpod-main/sale' names no account"),
        ({"exclude": ("unpod-main", "sip")}, "an empty selection is never run"),
        ({"only": ("sip",), "exclude": ("sip",)}, "an empty selection is never run"),
    ],
)
def test_a_selection_that_means_nothing_is_refused(ledger, read, options, said):
    """An empty or unknown name is an error, never everything and never nothing; no run is recorded."""
    with pytest.raises(InputError, match=said):
        begin(ledger, "run-1", read(), Options(**options), NOW)
    assert ledger.history.runs() == []


def test_protected_numbers_are_left_alone_wherever_they_stand(ledger, read):
    """A pattern of the plan's guards settles its numbers, those that ``all`` found too, and no others."""
    text = PLAN.replace("+1415555010*", "+1415555011*").replace('"+14155550101", ', '"+14155550121", ')
    run_id = begun(ledger, read(text))
    assert [reason for _, end, reason in standing(ledger, run_id) if end == "21"] == [None]
    assert {reason for _, end, reason in standing(ledger, run_id) if end != "21"} == {"protected"}


def test_a_number_is_protected_as_a_whole_and_a_pattern_by_its_beginning(ledger):
    """Nothing but the very number, or what begins as a pattern does, is protected; by default nothing is."""
    numbers = ["+14155550100", "+14155550101", "+141555501000", "+442071234567", "+4420000", "+4421000"]
    new = [NewTarget("u", "unpod", name, numbers) for name in "ab"]
    ledger.begin(replace(RUN, ending=None, finished_at=None), {}, new)
    leave_alone(ledger, RUN.id, Rules(), NOW)
    assert ledger.history.counts(RUN.id) == {(State.PLANNED, False): 12}
    leave_alone(ledger, RUN.id, Rules(Guards(protect=("+14155550100", "+4420*"))), NOW)
    protected = [item.number for item in ledger.history.items(RUN.id) if item.state is State.SKIPPED]
    assert protected == [numbers[0], *numbers[3:5]] * 2


def test_a_limit_counts_from_the_first_item(ledger, read):
    """At most so many items are left to do: the first of the plan, whatever group they stand in."""
    run_id = begun(ledger, read(), limit=4)
    assert [reason for *_, reason in standing(ledger, run_id)] == ["protected", None, None, None, *["excluded"] * 4]


def test_a_limit_counts_what_is_selected(ledger, read):
    """Items that --only and --exclude leave out use up nothing of the limit."""
    run_id = begun(ledger, read(), limit=1, exclude=("unpod-main/sales",))
    assert [place for *place, reason in standing(ledger, run_id) if reason is None] == [["support", "12"]]
    run_id = begun(ledger, read(), limit=3, only=("unpod-main/whole", "sip"))
    assert [end for _, end, reason in standing(ledger, run_id) if reason is None] == ["16", "17", "15"]


def test_a_resume_leaves_the_same_items_alone(ledger, read):
    """Doing it again, with the rules as the ledger keeps them, changes nothing."""
    run_id = begun(ledger, read(), limit=3, exclude=("unpod-main/sales",))
    before = list(ledger.history.items(run_id))
    leave_alone(ledger, run_id, Rules.load(ledger.history.rules(run_id)), NOW + 99)
    assert list(ledger.history.items(run_id)) == before


def test_what_is_under_way_is_not_left_alone(ledger, read):
    """An item that something was sent for is looked at, even when a guard would protect it now."""
    begin(ledger, "run-1", read(), Options(), NOW)
    first = next(ledger.history.items("run-1"))
    see(ledger, first.id)
    ledger.claim("run-1", "unpod-main", after=0, upto=first.id, most=1)
    leave_alone(ledger, "run-1", Rules(Guards(protect=("+1*",))), NOW)
    states = [item.state for item in ledger.history.items("run-1")]
    assert states == [State.IN_FLIGHT, *[State.SKIPPED] * 5]


moments = st.none() | st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    timezones=st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
guards = st.builds(
    Guards,
    max_numbers=st.integers(1, 10**6),
    max_percent=st.floats(0, 100),
    min_remaining=st.integers(0, 10**6),
    protect=st.lists(st.from_regex(r"\+[1-9][0-9]{6,14}\*?", fullmatch=True)).map(tuple),
    batches=st.lists(st.builds(Batch, st.integers(1, 100), st.booleans())).map(tuple),
    stop_after_failures=st.none() | st.integers(1, 100),
    stop_after_failure_ratio=st.none() | st.floats(0, 1),
    on_drift=st.sampled_from(["block", "skip"]),
)


@given(st.builds(Rules, guards, st.builds(Window, moments, moments), st.none() | st.integers(1, 10**6)))
def test_rules_survive_the_ledger(rules):
    """Whatever rules a run began with, a resume holds to the same."""
    assert Rules.load(json.loads(json.dumps(rules.dump()))) == rules


def test_the_rules_of_a_run_are_its_plans(ledger, read):
    """Guards and window of the plan and the limit of the command line come back from the ledger."""
    loaded = read()
    begin(ledger, "run-1", loaded, Options(limit=7), NOW)
    assert Rules.load(ledger.history.rules("run-1")) == Rules(loaded.guards, loaded.window, 7)
    assert loaded.guards.batches == (Batch(1), Batch(20, percent=True))
