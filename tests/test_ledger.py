"""The ledger: what it refuses, what it promises, and what it gives back."""

import itertools
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from ledgers import (
    ACCOUNT,
    FAULT,
    OUTCOMES,
    attempt,
    begin,
    claim,
    group,
    lead,
    numbers,
    raw,
    see,
    settle,
    states,
    step,
)
from msgspec.structs import replace
from reporting import RUN

from runner.errors import LedgerError, StepRefused
from runner.goal import DETACH
from runner.history import SHIFT
from runner.ledger import Ledger
from runner.ledgerfile import LedgerFile
from runner.model import (
    STEPS,
    AlreadyDetached,
    Detached,
    Failed,
    Fault,
    Gone,
    Moved,
    Pending,
    State,
    Stranded,
    Unknown,
)
from runner.precheck import settled_by
from runner.records import Lease, NewTarget, Removal, Settled
from runner.tally import Tally

REFUSED = Fault("refused", "HTTP 400: no provider is linked to this number", 400)
BRIDGE = Removal(ACCOUNT, "unpod", "bridge", "sales")
RETURNS = (State.REATTACHED, State.ALREADY_ATTACHED)
PAIRS = list(itertools.product(State, State))
FORBIDDEN = [(old, new) for old, new in PAIRS if old is not new and (old, new) not in STEPS]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def ledger(path):
    with closing(Ledger(path)) as opened:
        yield opened


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_file_itself_lets_through_the_steps_of_the_table_and_no_other(ledger, old, new):
    """Not even a program that writes to the file can make an item take a step that the table forbids."""
    (item,) = begin(ledger, group(1))
    lead(ledger, item, old)
    with raw(ledger) as db:
        db.execute("UPDATE item SET seen = 1")
        if old is new or (old, new) in STEPS:
            db.execute("UPDATE item SET state = ?", (new,))
        else:
            with pytest.raises(sqlite3.IntegrityError, match="step refused"):
                db.execute("UPDATE item SET state = ?", (new,))
    assert states(ledger) == [new if (old, new) in STEPS else old]


@pytest.mark.parametrize(("old", "new"), [pair for pair in FORBIDDEN if pair[1] is not State.IN_FLIGHT])
def test_a_forbidden_outcome_is_refused_and_nothing_of_its_batch_is_kept(ledger, old, new):
    """An outcome that the table forbids raises StepRefused, and undoes the whole batch that it came with."""
    item, other = begin(ledger, group(2))
    lead(ledger, item, old)
    lead(ledger, other, State.IN_FLIGHT)
    batch = [Settled(other, Detached("response"), 9.0), Settled(item, OUTCOMES[new], 9.0)]
    with pytest.raises(StepRefused, match="not in the table"):
        ledger.record([attempt(other)], batch)
    assert states(ledger) == [old, State.IN_FLIGHT]
    assert ledger.history.score("run-1")[1] == 0
    with raw(ledger) as db:
        assert db.execute("SELECT count(*) FROM attempt").fetchone() == (0,)


@pytest.mark.parametrize("old", [old for old, new in FORBIDDEN if new is State.IN_FLIGHT])
def test_what_is_settled_for_good_is_never_claimed(ledger, old):
    """An item that is done is not handed out again, even when a look claims to have seen it attached."""
    (item,) = begin(ledger, group(1))
    lead(ledger, item, old)
    see(ledger, item)
    assert claim(ledger) == []
    assert states(ledger) == [old]


@pytest.mark.parametrize("errors", [[], [REFUSED], [REFUSED, REFUSED], [FAULT]])
@pytest.mark.parametrize("state", [State.IN_FLIGHT, State.FAILED, State.UNKNOWN])
def test_what_a_look_sees_gone_may_always_be_settled(ledger, state, errors):
    """However an item stands after its attempts, the table lets it become what a look that sees it gone makes of it."""
    (item,) = begin(ledger, group(1))
    lead(ledger, item, state)
    ledger.record([attempt(item, error) for error in errors], ())
    (standing,) = ledger.history.items_of(1, {state})
    outcome = settled_by(DETACH, standing, Gone())
    settle(ledger, item, outcome)
    certain = state is not State.IN_FLIGHT  # what a process that died sent last may not have been recorded
    assert states(ledger) == [State.ALREADY_DETACHED if errors == [REFUSED] and certain else State.DETACHED]


@pytest.mark.parametrize("state", [state for state in State if state is not State.PLANNED])
def test_an_item_begins_as_planned(ledger, state):
    """No item can be born in any other state."""
    begin(ledger, group(1))
    with raw(ledger) as db, pytest.raises(sqlite3.IntegrityError, match="begins as planned"):
        db.execute("INSERT INTO item (id, number, state) VALUES (99, '+14155550199', ?)", (state,))


@pytest.mark.parametrize("state", [State.PLANNED, State.FAILED, State.UNKNOWN])
def test_nothing_is_sent_that_no_look_saw_attached(ledger, state):
    """Without a look the claim finds nothing, and the file refuses the mark."""
    (item,) = begin(ledger, group(1))
    lead(ledger, item, state)
    assert claim(ledger) == []
    with raw(ledger) as db, pytest.raises(sqlite3.IntegrityError, match="saw to need it"):
        db.execute("UPDATE item SET state = 'in_flight'")
    see(ledger, item)
    assert claim(ledger) == [item]


@pytest.mark.parametrize("statement", ["UPDATE attempt SET http_status = 200", "DELETE FROM attempt"])
def test_attempts_are_only_ever_added(ledger, statement):
    """An attempt that was recorded can be neither changed nor removed."""
    (item,) = begin(ledger, group(1))
    ledger.record([attempt(item, FAULT), attempt(item, at=2.0)], ())
    with raw(ledger) as db:
        with pytest.raises(sqlite3.IntegrityError, match="only ever added"):
            db.execute(statement)
        kept = db.execute("SELECT item, at, latency_ms, http_status, error_code FROM attempt").fetchall()
    assert kept == [(item, 1.0, 2.5, 500, "unexpected_answer"), (item, 2.0, 2.5, 200, None)]


KILLED_AFTER_ITS_CLAIM = """
import os, signal, sys
from pathlib import Path
from runner.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
claimed = ledger.claim("run-1", "unpod-main", after=0, upto=1 << 62, most=2)
os.write(1, repr([item for item, _ in claimed]).encode())
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_mark_outlives_the_process_that_made_it(path):
    """What was claimed is in flight for whoever opens the ledger after a kill, and only a new look frees it."""
    with closing(Ledger(path)) as ledger:
        items = begin(ledger, group(3))
        see(ledger, *items)
    killed = subprocess.run([sys.executable, "-c", KILLED_AFTER_ITS_CLAIM, path], stdout=subprocess.PIPE, check=False)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, repr(items[:2]).encode())
    with closing(Ledger(path)) as ledger:
        assert states(ledger) == [State.IN_FLIGHT, State.IN_FLIGHT, State.PLANNED]
        ledger.reopen("run-1")
        assert claim(ledger) == []
        see(ledger, *items)
        assert states(ledger) == [State.PLANNED] * 3
        assert claim(ledger) == items


def test_a_mark_is_on_the_disk_when_the_claim_returns(ledger):
    """Another connection sees the mark at once."""
    items = begin(ledger, group(3))
    see(ledger, *items)
    claim(ledger, most=2)
    with closing(Ledger(ledger.path)) as other:
        assert states(other) == [State.IN_FLIGHT, State.IN_FLIGHT, State.PLANNED]
        assert claim(other) == items[2:]


def test_claims_come_in_plan_order_bounded_and_once(ledger):
    """Blocks follow the plan, hold no more than asked for, stay within their range, and never overlap."""
    items = begin(ledger, group(4, "sales"), group(3, "support"))
    see(ledger, *reversed(items))
    assert claim(ledger, most=3) == items[:3]
    assert claim(ledger, after=items[3], upto=items[5]) == items[4:6]
    assert ledger.claim("run-1", ACCOUNT, after=0, upto=1 << 62, most=9) == [
        (items[3], numbers(4)[3]),
        (items[6], numbers(3)[2]),
    ]
    assert claim(ledger) == []


def test_a_claim_takes_this_run_and_this_account_alone(ledger):
    """A lane gets neither another account's items nor those of another run."""
    begin(ledger, group(2, account="other"), group(2), group(1, account="other"))
    twice = begin(ledger, group(1), run="run-2")
    first = [item.id for item in ledger.history.items("run-1")]
    see(ledger, *first, *twice)
    assert claim(ledger) == first[2:4]
    assert claim(ledger, run="run-2") == twice
    assert claim(ledger, account="other") == [*first[:2], first[4]]
    assert claim(ledger, account="unheard-of") == []


def test_what_is_given_back_is_not_claimed_again_without_a_look(ledger):
    """A claim uses up the look: an item that comes back unsent needs a new one."""
    (item,) = begin(ledger, group(1))
    see(ledger, item)
    claim(ledger)
    settle(ledger, item, Pending())
    assert (states(ledger), claim(ledger)) == ([State.PLANNED], [])
    see(ledger, item)
    assert claim(ledger) == [item]


def test_a_pre_check_keeps_what_it_saw_and_what_it_settled(ledger):
    """Items seen attached keep what was seen; the others are settled in the same transaction, or nothing is."""
    seen, gone, left = begin(ledger, group(3))
    with pytest.raises(StepRefused):
        ledger.saw([(seen, {"id": 7})], [Settled(gone, Failed(FAULT), 4.0)])
    assert [item.before for item in ledger.history.items("run-1")] == [None] * 3
    ledger.saw([(seen, {"id": 7})], [Settled(gone, AlreadyDetached("unknown_to_account"), 4.0, verified=True)])
    first, second, third = ledger.history.items("run-1")
    assert (first.before, first.seen_attached, first.state, first.id) == ({"id": 7}, True, State.PLANNED, seen)
    assert (second.state, second.reason, second.finished_at, second.verified) == (
        State.ALREADY_DETACHED,
        "unknown_to_account",
        4.0,
        True,
    )
    assert (third.id, third.state, third.seen_attached, third.before) == (left, State.PLANNED, False, None)


@pytest.mark.parametrize(
    ("outcome", "shown"),
    [
        (Detached("response"), ("response", None, None)),
        (Detached("verification", "target_gone"), ("verification", "target_gone", None)),
        (AlreadyDetached(), (None, None, None)),
        (AlreadyDetached("unknown_to_account"), (None, "unknown_to_account", None)),
        (Failed(FAULT), (None, None, FAULT)),
        (Unknown(Fault("lost_answer", "no answer")), (None, None, Fault("lost_answer", "no answer"))),
        (Pending(FAULT), (None, None, FAULT)),
        (Pending(), (None, None, None)),
    ],
)  # fmt: skip
def test_an_outcome_comes_back_as_it_was_recorded(ledger, outcome, shown):
    """State, confirmation, reason, error, time and attempts are those of the outcome; a pending item has no end."""
    (item,) = begin(ledger, group(1))
    step(ledger, item, State.IN_FLIGHT)
    settle(ledger, item, outcome, attempts=2)
    (kept,) = ledger.history.items("run-1")
    assert (kept.state, (kept.confirmed_by, kept.reason, kept.fault)) == (outcome.state, shown)
    assert (kept.attempts, kept.finished_at) == (2, None if isinstance(outcome, Pending) else 5.0)


def test_a_retry_adds_its_attempts_and_forgets_the_old_error(ledger):
    """A failed item that is taken up again keeps its count of attempts, and shows no error of the past."""
    (item,) = begin(ledger, group(1))
    step(ledger, item, State.IN_FLIGHT)
    settle(ledger, item, Failed(FAULT), attempts=3)
    step(ledger, item, State.IN_FLIGHT)
    (kept,) = ledger.history.items("run-1")
    assert (kept.fault, kept.finished_at, kept.attempts) == (None, None, 3)
    settle(ledger, item, Detached("response"), attempts=1)
    (kept,) = ledger.history.items("run-1")
    assert (kept.state, kept.fault, kept.attempts) == (State.DETACHED, None, 4)


def test_a_look_afterwards_is_noted(ledger):
    """A detached item that was seen gone is verified, and stays what it is."""
    seen, unseen = begin(ledger, group(2))
    for item in (seen, unseen):
        lead(ledger, item, State.DETACHED)
    ledger.record((), (), [seen])
    assert [item.verified for item in ledger.history.items("run-1")] == [True, False]
    assert states(ledger) == [State.DETACHED] * 2


def test_a_group_of_everything_gets_its_items_when_it_is_looked_at(ledger):
    """The numbers found stand at their group's place in the plan, also when later groups are there already."""
    begin(ledger, group(1, "first"), NewTarget(ACCOUNT, "unpod", "whole", None), group(1, "last", first=5))
    _, whole, _ = ledger.history.targets("run-1")
    assert whole.whole
    ledger.expand(whole.no, numbers(2, 2))
    assert [(item.target, item.number) for item in ledger.history.items("run-1")] == [
        ("first", "+14155550000"),
        ("whole", "+14155550002"),
        ("whole", "+14155550003"),
        ("last", "+14155550005"),
    ]
    assert [target.whole for target in ledger.history.targets("run-1")] == [False] * 3


def test_an_excluded_group_is_left_alone_from_the_first_moment(ledger):
    """There is no moment, and so no kill, at which an excluded item could be taken for one to detach."""
    begin(ledger, group(1, "mine"), group(2, "not-mine", excluded=True), started_at=3.0)
    kept = [(item.target, item.state, item.reason, item.finished_at) for item in ledger.history.items("run-1")]
    excluded = ("not-mine", State.SKIPPED, "excluded", 3.0)
    assert kept == [("mine", State.PLANNED, None, None), excluded, excluded]


def test_a_run_that_is_taken_up_again_trusts_no_old_look(ledger):
    """Its ending is forgotten with the notes, and what was seen before entitles to nothing."""
    items = begin(ledger, group(2))
    see(ledger, *items)
    ledger.finish("run-1", 9.0, "interrupted", 15, ["interrupted by signal 15"])
    begin(ledger, group(1), run="run-2")
    ledger.reopen("run-1")
    run = ledger.history.run("run-1")
    assert (run.ending, run.signal, run.finished_at, run.notes) == (None, None, None, ())
    assert [item.seen_attached for item in ledger.history.items("run-1")] == [False, False]
    assert claim(ledger) == []


def test_how_a_run_ended_is_kept_with_each_note_once(ledger):
    """Ending, signal and time come back, and a note that was given twice stands once."""
    begin(ledger, group(1))
    ledger.finish("run-1", 9.5, "stopped", None, ["b", "a", "b"])
    run = ledger.history.run("run-1")
    assert (run.ending, run.signal, run.finished_at, run.notes) == ("stopped", None, 9.5, ("b", "a"))


def test_a_plan_that_breaks_off_leaves_no_run_behind(ledger):
    """When the groups cannot be read to their end, nothing of the run is recorded."""

    def groups():
        yield group(2)
        raise RuntimeError("the number file ended early")

    with pytest.raises(RuntimeError, match="ended early"):
        begin(ledger, *groups())
    with pytest.raises(RuntimeError, match="ended early"):
        ledger.begin(replace(_run(ledger), id="run-2"), {}, groups())
    assert [run.id for run in ledger.history.runs()] == ["run-1"]


def _run(ledger):
    begin(ledger, group(1))
    return ledger.history.run("run-1")


def test_an_id_stands_for_one_run(ledger):
    """A second run of the same id is refused in a sentence that names the file."""
    begin(ledger, group(1))
    with pytest.raises(LedgerError, match=r"ledger\.db refused an entry"):
        begin(ledger, group(1))


LEASE = Lease("a", "run-1", "s1", "host", 11, "p", 30.0)


def test_leases_are_taken_all_or_none(ledger):
    """Where one lane is held by another session, none is taken, and the holder is named."""
    assert ledger.lease([LEASE], 0.0, lambda _: False) == []
    both = [replace(LEASE, account=name, run="run-2", session="s2") for name in ("b", "a")]
    assert ledger.lease(both, 1.0, lambda _: False) == [LEASE]
    assert ledger.lease([replace(both[0], session="s3")], 1.0, lambda _: False) == []
    assert ledger.lease([replace(LEASE, expires_at=40.0)], 1.0, lambda _: False) == []


def test_a_lease_ends_by_time_by_death_and_by_release(ledger):
    """What has run out, what a dead process holds and what was given back is free."""
    later = replace(LEASE, run="run-2", session="s2", expires_at=90.0)
    ledger.lease([LEASE], 0.0, lambda _: False)
    assert ledger.lease([later], 29.9, lambda _: False) == [LEASE]
    assert ledger.lease([later], 30.0, lambda _: False) == []
    assert (ledger.renew("s1", 99.0), ledger.renew("s2", 99.0)) == (0, 1)
    assert ledger.lease([LEASE], 95.0, lambda _: False) == [replace(later, expires_at=99.0)]
    assert ledger.lease([LEASE], 95.0, lambda holder: holder.pid == 11) == []
    assert (ledger.leases("run-1"), ledger.leases("run-2")) == ([LEASE], [])
    ledger.release("s1")
    assert ledger.leases("run-1") == []
    assert ledger.lease([later], 0.0, lambda _: False) == []


def test_a_command_waits_for_the_process_at_work(ledger):
    """What somebody wants of a run is kept with the reason until it is replaced, or the run is taken up again."""
    begin(ledger, group(1))
    begin(ledger, group(1), run="run-2")
    history = ledger.history
    assert history.command("run-1") == (None, None)
    ledger.command("run-1", "pause", None)
    ledger.command("run-1", "stop", "wrong bridge")
    assert (history.command("run-1"), history.command("run-2")) == (("stop", "wrong bridge"), (None, None))
    ledger.reopen("run-1")
    assert history.command("run-1")[0] is None


def test_the_state_folder_is_private(ledger):
    """The folder opens for its owner alone, and so do the files, those that SQLite puts beside them as well."""
    begin(ledger, group(1))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in ledger.path.parent.iterdir()}
    assert modes == {"ledger.db": 0o600, "ledger.db-wal": 0o600, "ledger.db-shm": 0o600}
    assert stat.S_IMODE(ledger.path.parent.stat().st_mode) == 0o700


def test_an_older_ledger_stays_readable_when_it_is_opened_again(path):
    """What one process wrote, the next one reads."""
    with closing(Ledger(path)) as ledger:
        begin(ledger, group(2))
    with closing(Ledger(path)) as ledger:
        assert states(ledger) == [State.PLANNED] * 2


def test_a_ledger_of_the_first_version_is_brought_up_to_date(path):
    """What was written before there were rollbacks and saved checks is read as ever, and takes in both."""
    with closing(Ledger(path)) as ledger, raw(ledger) as db:
        begin(ledger, group(2))
        db.execute("DELETE FROM step WHERE old IN (?, ?) OR new IN (?, ?)", (*RETURNS, *RETURNS))
        db.execute("DROP TABLE used_check")
        db.execute("PRAGMA user_version = 1")
    with closing(Ledger(path)) as ledger:
        assert states(ledger) == [State.PLANNED] * 2
        lead(ledger, 1 << SHIFT, State.REATTACHED)
        assert states(ledger) == [State.REATTACHED, State.PLANNED]
        assert ledger.use("ab" * 32, "a-run") is None


def test_an_older_ledger_learns_what_is_to_be_deleted(path):
    """What was written by the version before is read as ever, and can hold things to delete."""
    with closing(Ledger(path)) as ledger, raw(ledger) as db:
        begin(ledger, group(1))
        db.execute("DROP TABLE removal")
        db.execute("PRAGMA user_version = 1")
    with closing(Ledger(path)) as ledger:
        ledger.plan_removals("run-1", [BRIDGE])
        assert ledger.history.removals("run-1") == [BRIDGE]


def test_nothing_is_marked_for_deletion_while_a_number_is_open(ledger):
    """The storage itself refuses that, for any number of the run; those of other runs do not matter."""
    first, second = begin(ledger, group(2))
    begin(ledger, group(1), run="run-2")
    ledger.plan_removals("run-1", [BRIDGE])
    lead(ledger, first, State.DETACHED)
    with pytest.raises(StepRefused, match="while a number of the run is open"):
        ledger.mark_removal("run-1", BRIDGE)
    lead(ledger, second, State.IN_FLIGHT)
    with pytest.raises(StepRefused, match="while a number of the run is open"):
        ledger.mark_removal("run-1", BRIDGE)
    settle(ledger, second, Failed(FAULT))
    ledger.mark_removal("run-1", BRIDGE)
    assert ledger.history.removals("run-1") == [BRIDGE._replace(state="in_flight", attempts=1)]


def test_only_what_was_marked_can_be_deleted_and_that_is_final(ledger):
    """No deletion is recorded that was not on the disk before it was sent, and none is taken back."""
    (item,) = begin(ledger, group(1))
    lead(ledger, item, State.DETACHED)
    ledger.plan_removals("run-1", [BRIDGE])
    deleted = BRIDGE._replace(state="deleted", confirmed_by="response", attempts=1, finished_at=5.0)
    with pytest.raises(StepRefused, match="only what was marked"):
        ledger.settle_removal("run-1", deleted)
    ledger.mark_removal("run-1", BRIDGE)
    ledger.settle_removal("run-1", deleted)
    with pytest.raises(StepRefused, match="that is final"):
        ledger.mark_removal("run-1", BRIDGE)
    assert ledger.history.removals("run-1") == [deleted]
    with pytest.raises(StepRefused, match="begins as planned"):
        ledger.plan_removals("run-1", [deleted._replace(thing="another")])


def test_a_decision_is_not_made_twice(ledger):
    """What was kept may be confirmed later; what was confirmed is not planned again."""
    begin(ledger, group(1))
    ledger.plan_removals("run-1", [BRIDGE._replace(state="kept", reason="not_confirmed")])
    assert not ledger.history.removals("run-1")[0].open
    ledger.plan_removals("run-1", [BRIDGE])
    assert ledger.history.removals("run-1") == [BRIDGE]
    ledger.plan_removals("run-1", [BRIDGE._replace(state="kept", reason="not_confirmed")])
    assert ledger.history.removals("run-1") == [BRIDGE]


@pytest.mark.parametrize(
    ("became", "is_open", "with_troubled"),
    [
        ({"state": "planned"}, True, True),
        ({"state": "in_flight"}, True, True),
        ({"state": "unknown", "fault": FAULT}, False, True),
        ({"state": "kept", "fault": FAULT}, False, True),
        ({"state": "kept", "reason": "not_empty"}, False, False),
        ({"state": "deleted"}, False, False),
    ],
)
def test_what_is_to_be_deleted_keeps_a_run_open(ledger, became, is_open, with_troubled):
    """Until it is decided; what could not be done counts as a failed number does, and what a rule kept as nothing."""
    (item,) = begin(ledger, group(1))
    lead(ledger, item, State.DETACHED)
    ledger.plan_removals("run-1", [BRIDGE])
    ledger.mark_removal("run-1", BRIDGE)
    ledger.settle_removal("run-1", BRIDGE._replace(**became))
    ledger.finish("run-1", 2.0, "finished", None, [])
    assert ledger.history.is_open("run-1") is is_open
    assert ledger.history.is_open("run-1", troubled=True) is with_troubled


def test_marks_are_made_together_or_not_at_all(ledger):
    """Numbers that go in one request are marked in one transaction; one that no look saw to need it refuses all."""
    items = begin(ledger, group(3))
    see(ledger, *items[:2])
    with pytest.raises(StepRefused, match="saw to need it"):
        ledger.mark(items)
    assert states(ledger) == [State.PLANNED] * 3
    ledger.mark(items[:2])
    assert states(ledger) == [State.IN_FLIGHT, State.IN_FLIGHT, State.PLANNED]


def test_a_newer_ledger_is_left_alone(path):
    """A file of a later version is refused with the mend, and not touched."""
    with closing(Ledger(path)) as ledger, raw(ledger) as db:
        db.execute("PRAGMA user_version = 3")
    with pytest.raises(LedgerError, match=r"newer teardown \(version 3\).*--state-dir"):
        Ledger(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (3,)


def test_a_saved_check_is_used_by_one_run(path):
    """The first of two ledgers on the same file has it, for good; asking again changes nothing."""
    with closing(Ledger(path)) as first, closing(Ledger(path)) as second:
        assert first.history.user_of("ab" * 32) is None
        assert [first.use("ab" * 32, "one"), second.use("ab" * 32, "two"), first.use("ab" * 32, "one")] == [
            None,
            "one",
            None,
        ]
    with closing(Ledger(path)) as later:
        assert later.history.user_of("ab" * 32) == "one"


def test_a_file_that_is_no_ledger_is_refused(path):
    """Text in the ledger's place is a clear sentence, and stays as it is."""
    path.parent.mkdir()
    path.write_text("not a database, whatever its name says\n" * 100)
    with pytest.raises(LedgerError, match=r"cannot be used: file is not a database; check the disk"):
        Ledger(path)
    assert path.read_text().startswith("not a database")


def test_another_programs_database_is_refused(path):
    """A database that has the tables of something else is not written into."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE run (colour TEXT)")
    with pytest.raises(LedgerError, match="table run already exists"):
        Ledger(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)


def test_a_damaged_ledger_is_a_sentence_on_opening_and_on_reading(path):
    """Damage is told as such, wherever it shows: at the file's beginning, or where the items are."""
    with closing(Ledger(path)) as ledger:
        begin(ledger, group(2000))
    whole = path.read_bytes()
    page = 4096
    middle = len(whole) // page // 2 * page
    path.write_bytes(whole[:middle] + b"\xa5" * (len(whole) - middle))
    with closing(Ledger(path)) as ledger, pytest.raises(LedgerError, match=r"ledger\.db cannot be used: .*malformed"):
        list(ledger.history.items("run-1"))
    path.write_bytes(b"\xa5" * page + whole[page:])
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(path)


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    """A file where the state folder should be, and a folder where the ledger should be, are both named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"file/ledger\.db cannot be written: .*; give another --state-dir"):
        Ledger(tmp_path / "file" / "ledger.db")
    with pytest.raises(LedgerError, match="cannot be used: unable to open database file"):
        Ledger(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not list a process's files")
def test_a_refused_ledger_is_not_kept_open(tmp_path):
    """Whatever opening raises, no handle of the file stays behind."""
    path = tmp_path / "ledger.db"
    path.write_text("not a database at all\n" * 100)
    with pytest.raises(LedgerError):
        Ledger(path)
    held = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    assert path not in held


def test_a_full_disk_is_a_sentence_and_the_ledger_stays_whole(ledger):
    """A transaction that the disk refuses leaves nothing behind, and says where to look."""
    begin(ledger, group(1))
    with raw(ledger) as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON target BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
    with pytest.raises(LedgerError, match="disk is full"):
        begin(ledger, group(1), run="run-2")
    assert [run.id for run in ledger.history.runs()] == ["run-1"]


def test_a_ledger_file_is_opened_for_each_read(ledger):
    """A report reads run, items, lanes and counts from the file alone, after its writer has gone."""
    items = begin(ledger, group(3))
    see(ledger, items[0])
    ledger.count("run-1", "s1", ACCOUNT, rate=10.0, tally=Tally(requests=4))
    ledger.close()
    file = LedgerFile(ledger.path)
    assert file.run("run-1").plan_name == "sales-eu"
    assert [item.id for item in file.items("run-1")] == items
    assert [(lane.account, lane.planned, lane.tally.requests) for lane in file.lanes("run-1")] == [(ACCOUNT, 3, 4)]
    assert file.counts("run-1") == {(State.PLANNED, True): 1, (State.PLANNED, False): 2}


class Histories(RuleBasedStateMachine):
    """Whatever legal things happen to a run, in whatever order."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ledger = Ledger(Path(self.folder.name) / "ledger.db")
        self.items = begin(self.ledger, group(3), NewTarget(ACCOUNT, "unpod", "whole", None), group(2, "last"))
        self.model = dict.fromkeys(self.items, State.PLANNED)
        self.seen = set()
        self.attempts = Counter()

    def teardown(self):
        self.ledger.close()
        self.folder.cleanup()

    def pick(self, data, wanted):
        return data.draw(st.sampled_from(sorted(item for item, state in self.model.items() if state in wanted)))

    @precondition(lambda self: any(target.whole for target in self.ledger.history.targets("run-1")))
    @rule(count=st.integers(0, 3))
    def look_at_everything(self, count):
        target = next(each for each in self.ledger.history.targets("run-1") if each.whole)
        self.ledger.expand(target.no, numbers(count, 100))
        found = {item.id for item in self.ledger.history.items_of(target.no, set(State))}
        self.model |= dict.fromkeys(found, State.PLANNED)

    @precondition(lambda self: set(self.model.values()) - {State.DETACHED, State.ALREADY_DETACHED, State.SKIPPED})
    @rule(data=st.data())
    def see_attached(self, data):
        item = self.pick(data, {State.PLANNED, State.IN_FLIGHT, State.FAILED, State.UNKNOWN})
        see(self.ledger, item)
        self.seen.add(item)
        if self.model[item] is State.IN_FLIGHT:
            self.model[item] = State.PLANNED

    @rule(most=st.integers(1, 4))
    def take(self, most):
        may_be_sent = {State.PLANNED, State.FAILED, State.UNKNOWN}
        expected = sorted(item for item in self.seen if self.model[item] in may_be_sent)[:most]
        assert claim(self.ledger, most=most) == expected
        self.seen.difference_update(expected)
        self.model |= dict.fromkeys(expected, State.IN_FLIGHT)

    @rule(data=st.data(), attempts=st.integers(0, 2))
    def settle_one(self, data, attempts):
        item = self.pick(data, set(State))
        new = data.draw(st.sampled_from(sorted(OUTCOMES)))
        old = self.model[item]
        sent = [attempt(item, FAULT)] * attempts
        entry = Settled(item, OUTCOMES[new], 2.0, attempts)
        if old is not new and (old, new) not in STEPS:
            with pytest.raises(StepRefused):
                self.ledger.record(sent, [entry])
            return
        self.ledger.record(sent, [entry])
        self.model[item] = new
        self.attempts[item] += attempts

    @rule(killed=st.booleans())
    def come_back(self, killed):
        self.ledger.finish("run-1", 3.0, "interrupted", 2, ["again"])
        if killed:
            self.ledger.close()
            self.ledger = Ledger(self.ledger.path)
        self.ledger.reopen("run-1")
        self.seen.clear()

    @invariant()
    def everything_adds_up(self):
        history = self.ledger.history
        assert {item.id: item.state for item in history.items("run-1")} == self.model
        assert {item.id: item.attempts for item in history.items("run-1")} == {i: self.attempts[i] for i in self.model}
        assert sum(history.counts("run-1").values()) == history.lanes("run-1")[0].planned == len(self.model)
        failures, finished = history.score("run-1")
        assert failures <= finished <= len(self.model)


Histories.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestHistories = Histories.TestCase


def test_since_when_a_number_may_be_without_a_place(ledger):
    """The first claim counts until a look sees the number where it was; how long it lasted is kept until it is not."""
    (item,) = begin(ledger, group(1), moves=True)
    departures = []
    for departs, stayed in ((10.0, False), (20.0, True), (30.0, False)):
        if stayed:
            ledger.stayed([item])
        see(ledger, item)
        ledger.claim("run-1", ACCOUNT, after=0, upto=1 << 62, most=1, departs=departs)
        departures.append(ledger.history.left_at(item))
        settle(ledger, item, Failed(FAULT))
    assert departures == [10.0, 20.0, 20.0]
    assert ledger.history.left_at(item + 1) is None


def test_a_gap_is_kept_until_there_is_none(ledger):
    """An arrival has its gap in the report; a number that turns out to be attached to nothing has none yet."""
    fresh = replace(RUN, id="run-1", finished_at=None, ending=None, moves=True)
    rules = {"limit": None, "reassign": {"0": {"bridge": "support"}}}
    ledger.begin(fresh, rules, [group(1)])
    (item,) = [each.id for each in ledger.history.items("run-1")]
    see(ledger, item)
    ledger.claim("run-1", ACCOUNT, after=0, upto=1 << 62, most=1, departs=1.0)
    settle(ledger, item, Moved("response"), gap_ms=12.5)
    (row,) = ledger.history.items("run-1")
    assert (row.moved_to, row.gap_ms) == ("support", 12.5)
    settle(ledger, item, Stranded(FAULT))
    (row,) = ledger.history.items("run-1")
    assert row.gap_ms is None
