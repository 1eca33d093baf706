"""Reading the ledger: runs, items, and how they are counted."""

import inspect
from contextlib import closing

import pytest
from ledgers import ACCOUNT, FAULT, attempt, begin, claim, group, lead, numbers, raw, see, settle
from reporting import RUN, STARTED

from runner.errors import LedgerError, Refused, Throttled
from runner.history import SHIFT, History, Tab
from runner.ledger import Ledger
from runner.model import OPEN, AlreadyDetached, Detached, Failed, Pending, Skipped, State, Unknown
from runner.records import LaneRecord, NewTarget, Pulse
from runner.tally import Tally

REFUSED = Refused("HTTP 400", status=400).fault
THROTTLED = Throttled("HTTP 429", status=429, wait=None, processed=False).fault


@pytest.fixture
def ledger(tmp_path):
    with closing(Ledger(tmp_path / "ledger.db")) as opened:
        yield opened


@pytest.fixture
def history(ledger):
    return ledger.history


def test_a_run_comes_back_as_it_was_begun(ledger, history):
    """Every field of the record survives, metadata and rules as JSON values."""
    rules = {"guards": {"protect": ["+4420*"]}, "window": {}, "limit": 3}
    ledger.begin(RUN, rules, [group(1)])
    ledger.finish(RUN.id, RUN.finished_at, RUN.ending, None, RUN.notes)
    assert history.run(RUN.id) == RUN
    assert history.rules(RUN.id) == rules
    begin(ledger, group(1), run="dry", dry_run=True, sandbox=True, rollback_of=RUN.id, reason="CHG-1")
    dry = history.run("dry")
    assert (dry.dry_run, dry.sandbox, dry.rollback_of, dry.reason) == (True, True, RUN.id, "CHG-1")


def test_a_run_that_is_not_there_is_a_key_error(history):
    """Run and rules of an unknown id are no empty values."""
    for read in (history.run, history.rules):
        with pytest.raises(KeyError, match="unheard-of"):
            read("unheard-of")
    assert (list(history.items("unheard-of")), history.targets("unheard-of"), history.lanes("unheard-of")) == (
        [],
        [],
        [],
    )
    assert (history.counts("unheard-of"), history.score("unheard-of")) == ({}, (0, 0))


def test_runs_stand_newest_first(ledger, history):
    """Ids sort by time, whatever the order in which the runs were recorded."""
    for run in ("20261122T000000000Z-aa", "20261122T000001000Z-00", "20261121T235959999Z-ff"):
        begin(ledger, group(1), run=run)
    assert [run.id[6:15] for run in history.runs()] == ["22T000001", "22T000000", "21T235959"]


def test_items_stand_in_plan_order_however_they_came(ledger, history):
    """Targets follow the plan, numbers their group, and what ``all`` found stands where its group stands."""
    begin(
        ledger, NewTarget("b", "unpod", "t1", None), NewTarget("a", "unpod", None, numbers(2)), group(1, "t3", "b", 9)
    )
    begin(ledger, group(4, "of-another-run"), run="run-2")
    first, *_ = history.targets("run-1")
    ledger.expand(first.no, numbers(2, 5))
    assert [(item.account, item.target, item.number[-1]) for item in history.items("run-1")] == [
        ("b", "t1", "5"),
        ("b", "t1", "6"),
        ("a", None, "0"),
        ("a", None, "1"),
        ("b", "t3", "9"),
    ]
    ids = [item.id for item in history.items("run-1")]
    assert ids == sorted(ids)
    assert [item >> SHIFT for item in ids] == [1, 1, 2, 2, 3]


def test_a_target_tells_what_its_plan_said(ledger, history):
    """Account, provider, target, whether it may be missing, and whether everything is still to be looked up."""
    begin(ledger, NewTarget("v", "videosdk", None, numbers(1)), NewTarget("u", "unpod", "t", None, if_missing=True))
    one, two = history.targets("run-1")
    assert (one.account, one.provider, one.target, one.whole, one.if_missing) == ("v", "videosdk", None, False, False)
    assert (two.account, two.provider, two.target, two.whole, two.if_missing) == ("u", "unpod", "t", True, True)


def test_the_items_of_one_target_by_state(ledger, history):
    """Only that target's items, only those states; known means that a look once saw it attached."""
    first, second, third, _ = begin(ledger, group(3), group(1, "other"))
    see(ledger, first)
    lead(ledger, third, State.DETACHED)
    ledger.record((), (), [third])
    assert [standing.id for standing in history.items_of(1, OPEN)] == [first, second]
    standings = {standing.id: standing for standing in history.items_of(1, set(State))}
    assert [standings[item].known for item in (first, second, third)] == [True, False, True]
    assert [standings[item].verified for item in (first, second, third)] == [False, False, True]
    assert (standings[third].state, standings[third].number) == (State.DETACHED, numbers(3)[2])
    assert history.items_of(1, set()) == []
    assert [standing.id for standing in history.items_of(1, set(State), after=first, most=1)] == [second]


@pytest.mark.parametrize(
    ("errors", "only_refused"),
    [([], False), ([REFUSED], True), ([FAULT], False), ([None], False), ([REFUSED, REFUSED], False)],
)
def test_one_refused_attempt_is_told_from_everything_else(ledger, history, errors, only_refused):
    """Only a single attempt that was refused means that this run cannot have detached the number."""
    (item,) = begin(ledger, group(1))
    lead(ledger, item, State.UNKNOWN)
    ledger.record([attempt(item, error) for error in errors], ())
    (standing,) = history.items_of(1, {State.UNKNOWN})
    assert standing.only_refused is only_refused
    assert history.tried([item]) == ({item} if errors else set())


def test_what_a_dead_process_may_have_sent_is_remembered(ledger, history):
    """A mark of a process that died counts as something sent, though no attempt was recorded."""
    first, second = begin(ledger, group(2))
    lead(ledger, first, State.IN_FLIGHT)
    assert history.has_sent("run-1")
    see(ledger, first, second)
    assert history.tried([first, second]) == {first}
    assert history.has_sent("run-1")


@pytest.mark.parametrize(
    ("state", "is_open", "with_troubled"),
    [
        (State.PLANNED, True, True),
        (State.IN_FLIGHT, True, True),
        (State.FAILED, False, True),
        (State.UNKNOWN, False, True),
        (State.DETACHED, False, False),
        (State.ALREADY_DETACHED, False, False),
        (State.SKIPPED, False, False),
    ],
)
def test_a_run_is_open_while_something_is_left(ledger, history, state, is_open, with_troubled):
    """Planned and in flight leave a run open; what failed does so for a retry alone."""
    (item,) = begin(ledger, group(1))
    begin(ledger, group(1), run="run-2")
    lead(ledger, item, state)
    ledger.finish("run-1", 2.0, "stopped", None, [])
    assert history.is_open("run-1") is is_open
    assert history.is_open("run-1", troubled=True) is with_troubled


def test_a_run_that_was_killed_is_open(ledger, history):
    """What a killed run did is not verified, and its report not written, though every item may be settled."""
    (item,) = begin(ledger, group(1))
    lead(ledger, item, State.DETACHED)
    assert history.is_open("run-1")
    ledger.finish("run-1", 2.0, "finished", None, [])
    assert not history.is_open("run-1")


def test_a_run_is_open_until_everything_has_been_looked_up(ledger, history):
    """A group of everything leaves its run open though it has no items yet, and not once nothing was found."""
    begin(ledger, NewTarget(ACCOUNT, "unpod", "sales", None))
    ledger.finish("run-1", 2.0, "stopped", None, [])
    assert history.is_open("run-1")
    ledger.expand(1, [])
    assert not history.is_open("run-1")


def test_unfinished_runs_are_real_ones_newest_first(ledger, history):
    """Dry runs and rehearsals have nothing to resume; a run whose trouble is left counts for a retry."""
    for run in ("run-1", "run-2", "run-3"):
        begin(ledger, group(1), run=run)
    begin(ledger, group(1), run="run-8", dry_run=True)
    begin(ledger, group(1), run="run-9", sandbox=True)
    (item,) = [item.id for item in history.items("run-2")]
    lead(ledger, item, State.UNKNOWN, "run-2")
    ledger.finish("run-2", 2.0, "finished", None, [])
    assert [run.id for run in history.unfinished()] == ["run-3", "run-1"]
    assert [run.id for run in history.unfinished(troubled=True)] == ["run-3", "run-2", "run-1"]


def test_items_are_counted_by_how_they_stand(ledger, history):
    """Tabs tell targets, states, looks and reasons apart; counts leave out target and reason; all is counted once."""
    items = begin(ledger, group(4), group(2, "support"))
    begin(ledger, group(5), run="run-2")
    see(ledger, items[0], items[4])
    settle(ledger, items[1], AlreadyDetached("unknown_to_account"))
    settle(ledger, items[2], AlreadyDetached())
    settle(ledger, items[5], Skipped("protected"))
    assert set(history.tabs("run-1")) == {
        Tab(1, State.PLANNED, seen=True, reason=None, count=1),
        Tab(1, State.PLANNED, seen=False, reason=None, count=1),
        Tab(1, State.ALREADY_DETACHED, seen=False, reason=None, count=1),
        Tab(1, State.ALREADY_DETACHED, seen=False, reason="unknown_to_account", count=1),
        Tab(2, State.PLANNED, seen=True, reason=None, count=1),
        Tab(2, State.SKIPPED, seen=False, reason="protected", count=1),
    }
    assert history.counts("run-1") == {
        (State.PLANNED, True): 2,
        (State.PLANNED, False): 1,
        (State.ALREADY_DETACHED, False): 2,
        (State.SKIPPED, False): 1,
    }


def test_tabs_are_kept_when_a_process_leaves_its_run(ledger, history):
    """What was counted at the end is what is read from then on, until the run is taken up again."""
    items = begin(ledger, group(2), group(1, "support"))
    see(ledger, items[0])
    before = history.tabs("run-1")
    ledger.finish("run-1", 2.0, "stopped", None, [])
    assert history.tabs("run-1") == history.recount("run-1") == before
    with raw(ledger) as db:
        db.execute("DROP TABLE item")
    assert history.tabs("run-1") == before


def test_tabs_are_counted_anew_once_a_run_goes_on(ledger, history):
    """A run that was taken up again is counted as it stands."""
    items = begin(ledger, group(2))
    ledger.finish("run-1", 2.0, "stopped", None, [])
    ledger.reopen("run-1")
    settle(ledger, items[0], Skipped("protected"))
    assert history.counts("run-1") == {(State.PLANNED, False): 1, (State.SKIPPED, False): 1}


GIVEN = {
    "run_id": "run-1",
    "target": 1,
    "targets": [1],
    "item": 1 << SHIFT,
    "items": [1 << SHIFT],
    "states": list(State),
    "nth": 1,
    "seen": True,
    "troubled": True,
    "slots": 10,
    "most": 10,
    "check": "ab" * 32,
    "after": 0,
    "upto": 1 << 62,
}
"""An argument of every name that a read takes."""


@pytest.mark.parametrize("seen", [True, False])
def test_no_read_goes_through_the_items_of_other_runs(ledger, seen):
    """Every query finds items and attempts by their ids: what it costs is up to one run, not to all that there were."""
    begin(ledger, group(2))
    reads = [name for name, _ in inspect.getmembers(History, inspect.isfunction) if not name.startswith("_")]
    asked, plans = [], []
    with raw(ledger) as db:
        history = History(db, ledger.path)
        for name in reads:
            db.set_trace_callback(asked.append)
            read = getattr(history, name)
            found = read(**{each: (GIVEN | {"seen": seen})[each] for each in inspect.signature(read).parameters})
            list(found) if inspect.isgenerator(found) else None
            db.set_trace_callback(None)
        for query in asked:
            plans += [(row[3], query) for row in db.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert {query for step, query in plans if step.startswith(("SCAN item", "SCAN attempt"))} == set()
    assert {step.split()[1] for step, _ in plans if step.startswith("SEARCH")} >= {"item", "attempt", "run", "target"}


def test_the_score_is_of_what_was_sent(ledger, history):
    """Failed and unknown items count as failures; what needed no attempt, or is still to be sent, does not count."""
    items = begin(ledger, group(8))
    outcomes = [Detached("response"), Failed(FAULT), Unknown(FAULT), AlreadyDetached(), Pending(FAULT), Failed(FAULT)]
    see(ledger, *items[:7])
    claim(ledger)
    for item, outcome in zip(items, outcomes, strict=False):
        settle(ledger, item, outcome, attempts=1)
    settle(ledger, items[7], Skipped("protected"))
    assert history.score("run-1") == (3, 5)
    see(ledger, items[5])
    assert history.score("run-1") == (2, 4)


def test_the_nth_item_is_counted_over_the_whole_run(ledger, history):
    """The nth of those that may be sent, or of those not excluded; beyond the last it is the end of the run."""
    items = begin(ledger, group(2, "out", excluded=True), group(3), group(2, "support"))
    see(ledger, items[3], items[5], items[6])
    assert [history.position("run-1", nth, seen=True) for nth in (1, 2, 3)] == [items[3], items[5], items[6]]
    assert [history.position("run-1", nth, seen=False) for nth in (1, 3, 4)] == [items[2], items[4], items[5]]
    for seen in (True, False):
        assert history.position("run-1", 99, seen=seen) >= items[-1]


def test_lanes_add_up_over_processes(ledger, history):
    """One record an account in plan order: items planned, the newest rate, and what all processes counted."""
    begin(ledger, group(2, "a", "u"), NewTarget("v", "videosdk", None, numbers(1)), group(3, "b", "u"))
    ledger.count("run-1", "s1", "u", rate=5.0, tally=Tally(requests=1), waiting="paused")
    first, second = Tally(requests=3, retries=1, throttled=1, active_s=1.5), Tally(requests=4, active_s=0.5)
    for tally, latency in ((first, 20.0), (first, 40.0), (second, 90.0)):
        tally.timed(latency)
    ledger.count("run-1", "s1", "u", rate=10.0, tally=first)
    ledger.count("run-1", "s2", "u", rate=20.0, tally=second, waiting="throttled by the provider")
    u, v = history.lanes("run-1")
    assert (u.account, u.provider, u.rate, u.planned) == ("u", "unpod", 20.0, 5)
    assert (u.waiting, v.waiting) == ("throttled by the provider", None)
    assert (u.tally.requests, u.tally.retries, u.tally.throttled, u.tally.active_s) == (7, 1, 1, 2.0)
    assert (u.tally.buckets.total(), u.tally.longest_ms) == (3, 90.0)
    assert v == LaneRecord("v", "videosdk", 0.0, 1)


def test_what_cannot_be_read_is_a_sentence(ledger, history):
    """A ledger that somebody took the tables out of is told of, wherever it is read."""
    begin(ledger, group(1))
    with raw(ledger) as db:
        db.execute("ALTER TABLE item RENAME TO gone")
        db.execute("ALTER TABLE run RENAME TO gone_too")
    for read in (history.runs, lambda: history.run("run-1"), lambda: history.tabs("run-1"), history.unfinished):
        with pytest.raises(LedgerError, match=r"cannot be used: no such table: \w+; check the disk, or give another"):
            read()


def test_the_timeline_adds_up_what_was_sent_when(ledger, history):
    """Attempts are counted by account and slot, by how they were answered, with their latencies."""
    one, other, third = begin(ledger, group(2), group(1, account="unpod-two", first=2))
    faults = [(one, THROTTLED, 0.5), (one, None, 1.9), (other, FAULT, 1.0), (third, None, 99), (third, None, -5)]
    ledger.record([attempt(item, fault, STARTED + after) for item, fault, after in faults], ())
    ledger.finish("run-1", STARTED + 9.5, "finished", None, ())
    timeline = history.timeline("run-1", slots=5)
    assert (timeline.start, timeline.width, timeline.slots) == (STARTED, 2, 5)
    assert timeline.pulses == [
        Pulse(ACCOUNT, 0, 3, 1, 1, 7.5, 2.5),
        Pulse("unpod-two", 0, 1, 1, 0, 2.5, 2.5),
        Pulse("unpod-two", 4, 1, 1, 0, 2.5, 2.5),
    ]


def test_the_timeline_of_a_run_that_goes_on_ends_with_its_newest_attempt(ledger, history):
    """Without an end there is no other; and a run that sent nothing has a timeline without anything on it."""
    (item,) = begin(ledger, group(1))
    assert (history.timeline("run-1", slots=5).slots, history.timeline("run-1", slots=5).pulses) == (1, [])
    ledger.record([attempt(item, at=STARTED + 3.5)], ())
    timeline = history.timeline("run-1", slots=5)
    assert (timeline.width, timeline.slots, timeline.pulses[0].slot) == (1, 4, 3)


def test_the_text_of_a_plan_lies_beside_the_ledger(ledger, history):
    """What a run keeps of its plan can be read as far as is wanted; where it is gone, there is none."""
    assert history.plan_text("run-1", most=10) is None
    folder = ledger.path.parent / "runs" / "run-1"
    folder.mkdir(parents=True)
    (folder / "plan.yaml").write_text("version: 1\nname: sales\n")
    assert history.plan_text("run-1", most=10) == "version: 1"
    (folder / "plan.yaml").write_bytes(b"\xff")
    assert history.plan_text("run-1", most=10) is None
