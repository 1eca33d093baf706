"""Deleting one thing: never without a look that has just shown it empty, and never told wrongly."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_lanes import LONGEST_ROLL, POLICY, lane_of
from virtual_time import now, run

from runner.decide import Case
from runner.deleting import Deletion, Kept
from runner.errors import AccessDenied, LostAnswer, NotSent, Refused, Throttled, UnexpectedAnswer
from runner.lanes import Stop
from runner.model import AlreadyDetached, Detached, Failed, Pending, Unknown
from runner.providers.removing import Thing

THING = Thing("bridge", "old")
ERRORS = {
    "lost": lambda: LostAnswer("reset"),
    "unclear": lambda: UnexpectedAnswer("HTTP 500", status=500),
    "refused": lambda: Refused("HTTP 206", status=206),
    "throttled": lambda: Throttled("HTTP 429", status=429, wait=1.0, processed=False),
    "unavailable": lambda: Throttled("HTTP 503", status=503, wait=None, processed=True),
    "unsent": lambda: NotSent("refused connection"),
    "denied": lambda: AccessDenied("HTTP 401", status=401),
}
UNDONE = ("refused", "throttled", "unsent", "denied")
"""Answers after which a provider has certainly done nothing."""


def error(answer):
    """Make the error that stands for an answer."""
    return ERRORS[answer]()


class Provider:
    """One thing and what is on it; answers as told, and anybody may attach or detach something at any moment."""

    def __init__(self, moments, looks, deletes):
        self.moments, self.looks, self.deletes = iter(moments), iter(looks), iter(deletes)
        self.exists, self.on_it, self.shown = True, [], None
        self.marked = self.lied = False

    def _others_act(self):
        match next(self.moments, None):
            case "attach":
                self.on_it.append("+14155550190")
            case "detach":
                self.on_it.clear()

    async def left(self, thing, ours):
        self._others_act()
        answer = next(self.looks, "ok")
        self.shown = None
        if answer != "ok":
            raise error(answer)
        self.shown = list(self.on_it) if self.exists else None
        return self.shown

    async def mark(self):
        self.marked = True

    async def remove(self, thing):
        assert self.shown == [], "a delete without a look that has just shown nothing"
        assert self.marked, "a delete without a mark"
        self.shown = None
        answer, worked = next(self.deletes, ("ok", True))
        if self.exists and worked and answer not in UNDONE:
            self.exists = False
        elif answer == "ok" and self.exists:
            self.lied = True
        elif answer == "ok" and not self.exists:
            answer = "refused"
        if answer != "ok":
            raise error(answer)


def delete(provider, case=None, forbidden=None, stop_after=None):
    """Let one deletion work against the provider, and return what it came to."""

    async def scenario():
        lane = lane_of()
        if stop_after is not None:
            if stop_after == 0:
                lane.stop(Stop("operator", "enough"))
            else:
                asyncio.get_running_loop().call_later(stop_after, lane.stop, Stop("operator", "enough"))
        deletion = Deletion(lane, provider, THING, (), forbidden, provider.mark)
        return await deletion.run(case or Case()), deletion.sent, now()

    return run(scenario())


ANSWERS = st.tuples(st.sampled_from(["ok", *ERRORS]), st.booleans())
MOMENTS = st.lists(st.sampled_from(["", "", "", "attach", "detach"]), max_size=12)
LOOKS = st.lists(st.sampled_from(["ok", "ok", "ok", *ERRORS]), max_size=12)


@given(MOMENTS, LOOKS, st.lists(ANSWERS, max_size=8), st.none() | st.floats(0, 60))
def test_nothing_is_deleted_while_anything_is_on_it(moments, looks, deletes, stop_after):
    """Whatever the provider answers and others do: each delete follows a look that showed nothing, and the end is true.

    What is told to be deleted is gone, and what is told to be kept is there; else it is told that nobody knows. Only a
    success that was none, after which no look ever came back, is believed.
    """
    provider = Provider(moments, looks, deletes)
    outcome, *_ = delete(provider, stop_after=stop_after)
    match outcome:
        case Detached() | AlreadyDetached():
            assert not provider.exists or (provider.lied and provider.shown is None)
        case Kept() | Failed():
            assert provider.exists
        case Pending():
            assert provider.exists
        case _:
            assert isinstance(outcome, Unknown)


@given(MOMENTS, LOOKS, st.lists(ANSWERS, max_size=8))
def test_what_is_forbidden_is_only_looked_at(moments, looks, deletes):
    """Where the numbers of the run forbid it, a doubt from an earlier process is settled by looks alone."""
    provider = Provider(moments, looks, deletes)
    outcome, sent, _ = delete(provider, Case(doubt=True, lost=True), "not_all_gone")
    assert (sent, provider.exists) == (0, True)
    assert outcome == Kept("not_all_gone", getattr(outcome, "left", [])) or isinstance(outcome, Unknown)


def test_a_mark_of_an_earlier_process_is_settled_by_a_look():
    """What is gone by now was deleted by that process, and nothing is sent."""
    provider = Provider([], [], [])
    provider.exists = False
    assert delete(provider, Case(doubt=True, lost=True))[:2] == (Detached("verification"), 0)


def test_a_lane_that_has_stopped_deletes_nothing():
    """A look may still come back; the request does not leave."""
    outcome, sent, _ = delete(Provider([], [], []), stop_after=0)
    assert (outcome, sent) == (Pending(), 0)


def test_credentials_that_are_refused_stop_the_account():
    """Nothing was processed, so it is pending, and the lane stops for the reason that every other request has."""
    outcome, sent, _ = delete(Provider([], [], [("denied", False)]))
    assert (type(outcome), sent) == (Pending, 1)


@pytest.mark.parametrize("answer", ["lost", "unclear"])
def test_patience_has_an_end(answer):
    """Attempts that never work end after as many as a number gets, with waits between, and it is known to be there."""
    outcome, sent, took = delete(Provider([], [], [(answer, False)] * 20))
    assert (type(outcome), sent) == (Failed, 3)
    assert took == pytest.approx(POLICY.backoff(1, LONGEST_ROLL) + POLICY.backoff(2, LONGEST_ROLL), abs=0.1)
