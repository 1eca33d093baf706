"""The legs of a move against a model of a provider that refuses, throttles, loses answers, and is stopped half-way."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_decide import LOOK_FAULTS, POLICY, SEND_FAULTS

from runner.decide import Case, Finish, Halt, Look, Looked, Send, Sent, decide, wind_up
from runner.errors import Refused, RequestError
from runner.model import (
    AlreadyDetached,
    Attached,
    Detached,
    Elsewhere,
    Failed,
    Fault,
    Gone,
    Moved,
    Pending,
    Reattached,
    Still,
    Stranded,
    Unknown,
)
from runner.moves import Leg, Way, follow

REFUSED = Fault("refused", "HTTP 400: no", 400)
BACK = Way("sales", "support", back=True)
NO_WAY_BACK = Way("sales", "support", back=False)
WANTED = {Leg.AWAY: "nowhere", Leg.THERE: "there", Leg.BACK: "here"}


@dataclass
class Provider:
    """One number and where it is; ``others`` attach it to something else at that request, when it is free."""

    send_faults: list[str]
    look_faults: list[str]
    others: int | None = None
    place: str = "here"
    requests: int = 0
    told: bool = False
    log: list[str] = field(default_factory=list)

    def _arrive(self) -> None:
        self.requests += 1
        if self.requests == self.others and self.place == "nowhere":
            self.place = "elsewhere"

    def send(self, leg: Leg) -> RequestError | None:
        self._arrive()
        fault = self.send_faults.pop(0) if self.send_faults else "ok"
        self.log.append(f"{leg}:{fault}")
        possible = self.place == ("here" if leg is Leg.AWAY else "nowhere")
        if possible and (fault == "ok" or fault.endswith("_after")):
            self.place = WANTED[leg]
        self.told = fault == "ok" and possible
        return SEND_FAULTS[fault] or (None if possible else Refused("HTTP 400: cannot be done", status=400))

    def look(self, leg: Leg) -> object:
        self._arrive()
        fault = self.look_faults.pop(0) if self.look_faults else "ok"
        self.log.append(f"look:{fault}")
        if fault != "ok":
            return LOOK_FAULTS[fault]
        at_hand = "here" if leg is Leg.AWAY else WANTED[leg]
        seen = {at_hand: Attached({}), "nowhere": Gone(), "elsewhere": Elsewhere("other"), "here": Still("sales")}
        return {**seen, at_hand: Attached({})}.get(self.place, Elsewhere("there"))


def travel(provider: Provider, rolls, way: Way, stop_at: int | None):
    """Do what `decide` and `follow` say until they say that it is over."""
    ahead, refusal, requests = Leg.AWAY, None, 0
    legs = []
    while isinstance(ahead, Leg):
        leg = ahead
        legs.append(leg)
        case, step = Case(), Send()
        while not isinstance(step, Finish | Halt):
            assert requests < 900, f"no end: {provider.log[-20:]}"
            evidence = Sent(provider.send(leg)) if isinstance(step, Send) else Looked(provider.look(leg))
            requests += 1
            case, step = decide(case, evidence, POLICY, roll=rolls[requests % len(rolls)], goal=leg.goal)
            if stop_at is not None and requests >= stop_at:
                step = wind_up(case, step, once=leg is not Leg.AWAY)
        ahead = follow(leg, step.outcome, way, refusal)
        refusal = step.outcome.fault if isinstance(step.outcome, Failed) else refusal
    return ahead, legs


stories = st.builds(
    Provider,
    send_faults=st.lists(st.sampled_from([*SEND_FAULTS, "ok", "ok", "ok"]), max_size=14),
    look_faults=st.lists(st.sampled_from([*LOOK_FAULTS, "ok", "ok", "ok"]), max_size=14),
    others=st.none() | st.integers(1, 10),
)
rolls = st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=5)
ways = st.sampled_from([BACK, NO_WAY_BACK])


@settings(max_examples=4000, deadline=None)
@given(stories, rolls, ways, st.none() | st.integers(1, 12))
def test_the_outcome_is_always_true(provider, rolls, way, stop_at):
    """Whatever is lost, refused or stopped: it ends, and the outcome says where the number is."""
    outcome, _ = travel(provider, rolls, way, stop_at)
    match outcome:
        case Moved("response"):
            assert provider.told
            assert provider.place == "there"
        case Moved():
            assert provider.place == "there"
        case Failed(fault=fault) if fault.code == "attached_elsewhere":
            assert provider.place == "elsewhere"
        case Failed() | Pending():
            assert provider.place == "here"
        case Stranded():
            assert provider.place == "nowhere" or provider.others
        case Unknown():
            assert provider.log
        case other:
            raise AssertionError(other)


@settings(max_examples=1500, deadline=None)
@given(stories, rolls, ways, st.none() | st.integers(1, 12))
def test_legs_come_in_their_order(provider, rolls, way, stop_at):
    """Away, there, and back at most once; back only where there is a way, and never when it is there."""
    outcome, legs = travel(provider, rolls, way, stop_at)
    assert legs in ([Leg.AWAY], [Leg.AWAY, Leg.THERE], list(Leg))
    assert way.back or Leg.BACK not in legs
    assert not (isinstance(outcome, Moved) and Leg.BACK in legs)


@settings(max_examples=1000, deadline=None)
@given(stories, rolls)
def test_a_stop_keeps_no_number_from_its_place(provider, rolls):
    """A number that is away when the lane stops has its attach sent, though nothing is sent for it that is here."""
    provider.send_faults, provider.others = [], None
    outcome, _ = travel(provider, rolls, BACK, stop_at=1)
    assert outcome == Moved("response")


def test_away_is_a_detach_like_any_other():
    """Its failures are those of a detach; once it is off, by whomever, it goes there."""
    assert follow(Leg.AWAY, Detached("response"), BACK) is Leg.THERE
    assert follow(Leg.AWAY, AlreadyDetached(), BACK) is Leg.THERE
    for ended in (Failed(REFUSED), Unknown(REFUSED), Pending()):
        assert follow(Leg.AWAY, ended, BACK) is ended


def test_a_refusal_leads_back():
    """And the outcome says who refused, why, and where the number is."""
    assert follow(Leg.THERE, Failed(REFUSED), BACK) is Leg.BACK
    failed = follow(Leg.BACK, Reattached("response"), BACK, REFUSED)
    assert failed == Failed(Fault("put_back", "support did not take it: HTTP 400: no; it is attached to sales", 400))


@pytest.mark.parametrize(
    ("leg", "ended", "way", "sentence"),
    [
        (Leg.THERE, Failed(REFUSED), NO_WAY_BACK, "could not be attached to support (HTTP 400: no)"),
        (Leg.THERE, Pending(), BACK, "could not be attached to support (the run was stopped)"),
        (Leg.BACK, Failed(REFUSED), BACK, "could not be attached to support nor back to sales (HTTP 400: no)"),
        (Leg.BACK, Pending(), BACK, "nor back to sales (HTTP 400: no)"),
    ],
)
def test_what_has_no_place_is_said_to_have_none(leg, ended, way, sentence):
    """Stranded, with what was tried and why that did not work."""
    outcome = follow(leg, ended, way, REFUSED if leg is Leg.BACK else None)
    assert isinstance(outcome, Stranded)
    assert "taken off sales, and attached to nothing" in outcome.fault.message
    assert sentence in outcome.fault.message


@pytest.mark.parametrize(
    ("leg", "code", "way"),
    [
        (Leg.THERE, "attached_elsewhere", BACK),
        (Leg.BACK, "attached_elsewhere", BACK),
        (Leg.BACK, "still_attached", BACK),
        (Leg.THERE, "still_attached", NO_WAY_BACK),
    ],
)
def test_a_number_that_has_a_place_is_left_there(leg, code, way):
    """One that hangs on something else, or shows where it was and cannot be put back, is not attached anywhere."""
    ended = Failed(Fault(code, "it hangs on other"))
    assert follow(leg, ended, way) is ended


def test_a_number_that_still_shows_where_it_was_is_put_back():
    """A look may lag behind the detach that the provider confirmed; where it does not, putting back changes nothing."""
    assert follow(Leg.THERE, Failed(Fault("still_attached", "it shows at sales")), BACK) is Leg.BACK


def test_a_doubt_on_the_way_stays_one():
    """What no look could settle is unknown, on the way back with the words for that."""
    doubt = Unknown(Fault("lost_answer", "lost"))
    assert follow(Leg.THERE, doubt, BACK) is doubt
    assert "on its way back to sales: lost" in follow(Leg.BACK, doubt, BACK, REFUSED).fault.message


def test_only_what_was_not_tried_leaves_while_the_lane_stops():
    """A first attach does; a repeated one, or one that was throttled, does not, and a doubt gets its look."""
    assert wind_up(Case(), Send(3.0), once=True) == Send()
    assert wind_up(Case(attempts=1, error=Refused("no", status=400)), Send(), once=True) != Send()
    assert isinstance(wind_up(Case(throttles=1), Send(), once=True), Finish)
    assert wind_up(Case(attempts=1, doubt=True), Look(2.0), once=True) == Look()
