"""A ledger with a run in it, and short ways to lead its items from state to state."""

import sqlite3
from collections import deque
from contextlib import closing, contextmanager

from msgspec.structs import replace
from reporting import RUN

from runner.model import (
    STEPS,
    AlreadyAttached,
    AlreadyDetached,
    AlreadyMoved,
    Detached,
    Failed,
    Fault,
    Moved,
    Pending,
    Reattached,
    Skipped,
    State,
    Stranded,
    Unknown,
)
from runner.records import Attempt, NewTarget, Settled

ACCOUNT = "unpod-main"
FAULT = Fault("unexpected_answer", "HTTP 500: no explanation", 500)
OUTCOMES = {
    State.PLANNED: Pending(),
    State.DETACHED: Detached("response"),
    State.ALREADY_DETACHED: AlreadyDetached(),
    State.REATTACHED: Reattached("response"),
    State.ALREADY_ATTACHED: AlreadyAttached(),
    State.MOVED: Moved("response"),
    State.ALREADY_MOVED: AlreadyMoved(),
    State.STRANDED: Stranded(FAULT),
    State.SKIPPED: Skipped("protected"),
    State.FAILED: Failed(FAULT),
    State.UNKNOWN: Unknown(FAULT),
}


def numbers(count, first=0):
    """Fictional numbers in ascending order."""
    return [f"+1415555{first + index:04d}" for index in range(count)]


def group(count, target="sales", account=ACCOUNT, first=0, **fields):
    """A group of a plan with so many numbers."""
    return NewTarget(account, "unpod", target, numbers(count, first), **fields)


def begin(ledger, *groups, run="run-1", **fields):
    """Record a run that has just started, and return the ids of its items."""
    fresh = replace(RUN, id=run, finished_at=None, ending=None)
    ledger.begin(replace(fresh, **fields), {"limit": None}, groups)
    return [item.id for item in ledger.history.items(run)]


def attempt(item, fault=None, at=1.0):
    """An attempt that ended as the provider documents it, or with a fault."""
    return Attempt(item, at, 2.5, *((fault.http_status, fault.code) if fault else (200, None)))


def see(ledger, *items):
    """Let a pre-check see these items attached."""
    ledger.saw([(item, {"id": item}) for item in items], ())


def claim(ledger, *, run="run-1", account=ACCOUNT, after=0, upto=1 << 62, most=1000):
    """Claim items, all of the lane unless told otherwise, and return their ids."""
    return [item for item, _ in ledger.claim(run, account, after=after, upto=upto, most=most)]


def settle(ledger, item, outcome, **fields):
    """Record one outcome."""
    ledger.record((), [Settled(item, outcome, 5.0, **fields)])


def step(ledger, item, state, run="run-1"):
    """Let an item take one step, as the runner would."""
    if state is State.IN_FLIGHT:
        see(ledger, item)
        claim(ledger, run=run, after=item - 1, upto=item)
    else:
        settle(ledger, item, OUTCOMES[state])


def lead(ledger, item, state, run="run-1"):
    """Lead a planned item to ``state`` by the shortest way that the table allows."""
    ways = deque([(State.PLANNED,)])
    while (way := ways.popleft())[-1] is not state:
        ways.extend((*way, new) for old, new in STEPS if old is way[-1])
    for each in way[1:]:
        step(ledger, item, each, run)


def states(ledger, run="run-1"):
    """The state of every item, in plan order."""
    return [item.state for item in ledger.history.items(run)]


@contextmanager
def raw(ledger):
    """The file itself, opened by SQLite alone, as any other program could."""
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as db:
        yield db
