"""The journal: one writer, marks awaited, outcomes gathered, nothing lost in silence."""

import asyncio
import threading
from contextlib import closing

import pytest
from ledgers import ACCOUNT, FAULT, attempt, begin, group, lead, numbers, raw, see, states

from runner.errors import LedgerError, StepRefused
from runner.journal import Journal
from runner.ledger import Ledger
from runner.ledgerfile import LedgerFile
from runner.model import Detached, Failed, Skipped, State
from runner.records import NewTarget, Settled
from runner.tally import Tally


@pytest.fixture
def ledger(tmp_path):
    with closing(Ledger(tmp_path / "ledger.db")) as opened:
        yield opened


@pytest.fixture
def items(ledger):
    """Three items that a pre-check saw attached."""
    found = begin(ledger, group(3))
    see(ledger, *found)
    return found


@pytest.fixture
def journal(ledger, items):
    with closing(Journal(ledger, "run-1", "s1")) as opened:
        yield opened


async def take(journal, most=1, after=0):
    return [item for item, _ in await journal.claim(ACCOUNT, after=after, upto=1 << 62, most=most)]


def detached(item):
    return Settled(item, Detached("response"), 5.0, attempts=1)


async def test_a_claim_returns_marked_items_in_plan_order(journal, ledger, items):
    """What a claim returns is in flight on the disk, with its numbers."""
    found = await journal.claim(ACCOUNT, after=items[0], upto=items[2], most=5)
    assert found == list(zip(items[1:], numbers(3)[1:], strict=True))
    assert states(ledger) == [State.PLANNED, State.IN_FLIGHT, State.IN_FLIGHT]


async def test_the_items_of_a_target_come_in_blocks(journal, ledger):
    """More than are read at once come as well, each once and in order."""
    listed = [f"+1212{index:07d}" for index in range(25_000)]
    begin(ledger, NewTarget(ACCOUNT, "unpod", "huge", listed), run="run-2")
    (target,) = ledger.history.targets("run-2")
    assert [each.number async for each in journal.items_of(target.no, {State.PLANNED})] == listed
    assert [each async for each in journal.items_of(target.no, {State.DETACHED})] == []


async def test_outcomes_are_written_before_a_later_claim_returns(journal, ledger, items):
    """Gathered attempts and outcomes stand in the ledger when the next mark does, in one writing."""
    (item,) = await take(journal)
    journal.attempted(attempt(item))
    journal.settled(detached(item))
    journal.verified(item)
    assert states(ledger)[0] is State.IN_FLIGHT
    assert await take(journal, after=item) == [items[1]]
    with closing(Ledger(ledger.path)) as other:
        assert states(other) == [State.DETACHED, State.IN_FLIGHT, State.PLANNED]
        (first, *_) = other.history.items("run-1")
        assert (first.attempts, first.verified, first.finished_at) == (1, True, 5.0)
    with raw(ledger) as db:
        assert db.execute("SELECT item FROM attempt").fetchall() == [(item,)]


async def test_a_flush_writes_each_outcome_once(journal, ledger):
    """What was flushed is not written again."""
    (item,) = await take(journal)
    journal.attempted(attempt(item, FAULT))
    journal.settled(Settled(item, Failed(FAULT), 5.0, attempts=1))
    for _ in range(3):
        await journal.flush()
    (first, *_) = ledger.history.items("run-1")
    assert (first.state, first.attempts) == (State.FAILED, 1)
    with raw(ledger) as db:
        assert db.execute("SELECT count(*) FROM attempt").fetchone() == (1,)


async def test_a_lanes_counts_are_kept_for_its_process(journal, ledger):
    """Counts are recorded under the journal's session: a later count replaces an earlier one, and adds to others."""
    with closing(Journal(ledger, "run-1", "s2")) as second:
        await second.count(ACCOUNT, rate=10.0, tally=Tally(requests=4), waiting=None)
    await journal.count(ACCOUNT, rate=10.0, tally=Tally(requests=1), waiting=None)
    await journal.count(ACCOUNT, rate=10.0, tally=Tally(requests=3), waiting=None)
    (lane,) = ledger.history.lanes("run-1")
    assert lane.tally.requests == 7


async def test_keeping_writes_by_itself(journal, ledger):
    """While the journal is kept, an outcome reaches the disk though nobody asks for anything."""
    (item,) = await take(journal)
    journal.settled(detached(item))
    keeper = asyncio.create_task(journal.keep())
    assert await asyncio.to_thread(_is_written, LedgerFile(ledger.path))
    keeper.cancel()


def _is_written(file):
    return any((State.DETACHED, False) in file.counts("run-1") for _ in range(20_000))


async def test_one_writer_writes_in_the_order_asked_for(journal):
    """Calls run one at a time, in one thread that is not the caller's, in the order in which they were made."""
    ran = []

    def note(name):
        ran.append((name, threading.current_thread()))

    await asyncio.gather(*(journal.call(note, name) for name in range(20)))
    assert [name for name, _ in ran] == list(range(20))
    (writer,) = {thread for _, thread in ran}
    assert writer is not threading.main_thread()


async def test_a_caller_that_is_cancelled_loses_nothing(journal, ledger):
    """An outcome whose writing had to queue, and whose caller then went away, is written by the next call."""
    (item,) = await take(journal)
    busy, go_on = threading.Event(), threading.Event()

    def occupy():
        busy.set()
        go_on.wait()

    holding = asyncio.create_task(journal.call(occupy))
    await asyncio.to_thread(busy.wait)
    journal.settled(detached(item))
    waiting = asyncio.create_task(journal.flush())
    await asyncio.sleep(0)
    waiting.cancel()
    go_on.set()
    await holding
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await journal.flush()
    assert states(ledger)[0] is State.DETACHED


async def test_an_error_of_the_writer_reaches_every_caller(journal, ledger, items):
    """An outcome that the ledger refuses is an error wherever the journal is used next: it is never dropped."""
    lead(ledger, items[0], State.DETACHED)
    journal.settled(Settled(items[0], Skipped("protected"), 5.0))
    for use in (journal.flush, lambda: take(journal), lambda: journal.call(list), journal.keep):
        with pytest.raises(StepRefused):
            await use()
    assert states(ledger) == [State.DETACHED, State.PLANNED, State.PLANNED]


async def test_what_a_full_disk_refused_is_written_once_there_is_room(journal, ledger):
    """Outcomes that could not be written wait, and are written together with later ones."""
    one, two = await take(journal, most=2)
    with raw(ledger) as db:
        db.execute("CREATE TRIGGER full BEFORE INSERT ON attempt BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        journal.attempted(attempt(one))
        journal.settled(detached(one))
        with pytest.raises(LedgerError, match="disk is full"):
            await journal.flush()
        assert states(ledger)[0] is State.IN_FLIGHT
        db.execute("DROP TRIGGER full")
    journal.settled(detached(two))
    await journal.flush()
    assert states(ledger)[:2] == [State.DETACHED, State.DETACHED]


async def test_an_error_of_the_call_itself_comes_after_the_outcomes(journal, ledger):
    """What was gathered is written even when the function that was called fails."""

    def fail():
        raise LedgerError("no such thing")

    (item,) = await take(journal)
    journal.settled(detached(item))
    with pytest.raises(LedgerError, match="no such thing"):
        await journal.call(fail)
    assert states(ledger)[0] is State.DETACHED


async def test_closing_waits_for_what_was_given(journal, ledger):
    """A writing that is under way when the journal closes is finished."""
    (item,) = await take(journal)
    journal.settled(detached(item))
    writing = asyncio.create_task(journal.flush())
    await asyncio.sleep(0)
    journal.close()
    assert states(ledger)[0] is State.DETACHED
    await writing
