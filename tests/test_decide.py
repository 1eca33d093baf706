"""`decide` against a model of a provider that refuses, throttles, and loses answers before and after the work."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.decide import Case, Finish, Halt, Look, Looked, Send, Sent, decide, wind_up
from runner.errors import (
    AccessDenied,
    LaneStopped,
    LostAnswer,
    NotSent,
    Refused,
    RequestError,
    Throttled,
    UnexpectedAnswer,
)
from runner.goal import DETACH, REATTACH, Goal
from runner.model import (
    AlreadyAttached,
    AlreadyDetached,
    Attached,
    Detached,
    Elsewhere,
    Failed,
    Gone,
    Pending,
    Reattached,
    Unknown,
)
from runner.policy import RetryPolicy

POLICY = RetryPolicy(max_attempts=4, base_delay=0.5, max_delay=8.0, max_throttle_wait=60.0)
SEND_FAULTS = {
    "ok": None,
    "lost_before": LostAnswer("lost"),
    "lost_after": LostAnswer("lost"),
    "error_before": UnexpectedAnswer("HTTP 500", status=500),
    "error_after": UnexpectedAnswer("HTTP 500", status=500),
    "refused": Refused("HTTP 400", status=400),
    "refused_after": Refused("HTTP 400", status=400),
    "denied": AccessDenied("HTTP 401", status=401),
    "busy": Throttled("HTTP 503", status=503, wait=1.0, processed=True),
    "busy_after": Throttled("HTTP 503", status=503, wait=1.0, processed=True),
    "throttled": Throttled("HTTP 429", status=429, wait=5.0, processed=False),
    "throttled_silent": Throttled("HTTP 429", status=429, wait=None, processed=False),
    "unsent": NotSent("refused connection"),
    "stopped": LaneStopped("stopping"),
}
LOOK_FAULTS = {
    "ok": None,
    "lost": LostAnswer("lost"),
    "error": UnexpectedAnswer("HTTP 502", status=502),
    "denied": AccessDenied("HTTP 403", status=403),
    "throttled": Throttled("HTTP 429", status=429, wait=2.0, processed=False),
    "unsent": NotSent("refused connection"),
    "not_json": UnexpectedAnswer("not JSON", status=200),
}


@dataclass
class Provider:
    """One number at a provider: as the ``goal`` wants it or not, and who did that; ``others`` do at that request.

    With ``elsewhere`` what they do is to attach it to something else.
    """

    send_faults: list[str]
    look_faults: list[str]
    others: int | None = None
    goal: Goal = DETACH
    elsewhere: bool = False
    undone: bool = True
    taken: bool = False
    ours: bool = False
    told: bool = False
    requests: int = 0
    sent_while_known_done: int = 0
    known_done: bool = False
    log: list[str] = field(default_factory=list)

    def _arrive(self) -> None:
        self.requests += 1
        if self.requests == self.others:
            self.taken = self.undone and self.elsewhere and self.goal is REATTACH
            self.undone = self.taken

    def _work(self) -> None:
        self.ours = self.ours or (self.undone and not self.taken)
        self.undone = self.taken

    def send(self) -> RequestError | None:
        self._arrive()
        self.sent_while_known_done += self.known_done
        fault = self.send_faults.pop(0) if self.send_faults else "ok"
        self.log.append(f"send:{fault}")
        if fault.endswith("_after"):
            self._work()
        if fault != "ok":
            return SEND_FAULTS[fault]
        if not self.undone or self.taken:
            return Refused("HTTP 400: there is nothing to do", status=400)
        self._work()
        self.told = True
        return None

    def look(self) -> Attached | Gone | Elsewhere | RequestError:
        self._arrive()
        fault = self.look_faults.pop(0) if self.look_faults else "ok"
        self.log.append(f"look:{fault}")
        if fault != "ok":
            return LOOK_FAULTS[fault]
        self.known_done = not self.undone or self.taken
        if self.taken:
            return Elsewhere("another bridge")
        return Attached({}) if self.undone is (self.goal is DETACH) else Gone()


def drive(provider: Provider, rolls, *, stop_at: int | None = None) -> tuple[Case, Finish | Halt, list]:
    """Do what `decide` says until it says that it is over."""
    case, step, steps = Case(), Send(), []
    while not isinstance(step, Finish | Halt):
        assert len(steps) < 500, f"no end: {provider.log[-20:]}"
        steps.append(step)
        evidence = Sent(provider.send()) if isinstance(step, Send) else Looked(provider.look())
        case, step = decide(case, evidence, POLICY, roll=rolls[len(steps) % len(rolls)], goal=provider.goal)
        if stop_at is not None and len(steps) >= stop_at:
            step = wind_up(case, step)
    return case, step, steps


stories = st.builds(
    Provider,
    send_faults=st.lists(st.sampled_from(list(SEND_FAULTS)), max_size=14),
    look_faults=st.lists(st.sampled_from(list(LOOK_FAULTS)), max_size=14),
    others=st.none() | st.integers(1, 8),
    goal=st.sampled_from([DETACH, REATTACH]),
    elsewhere=st.booleans(),
)
rolls = st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=5)


@settings(max_examples=3000, deadline=None)
@given(stories, rolls, st.none() | st.integers(1, 10))
def test_the_outcome_is_always_true(provider, rolls, stop_at):
    """Whatever is lost, in both directions: it ends, the outcome is true, and nothing known to be done is sent."""
    _, step, _ = drive(provider, rolls, stop_at=stop_at)
    match step.outcome:
        case Detached("response") | Reattached("response"):
            assert provider.told
        case Detached() | AlreadyDetached() | Reattached() | AlreadyAttached():
            assert not provider.undone
        case Failed():
            assert provider.undone or provider.others
        case Pending():
            assert not provider.ours
        case Unknown():
            assert any(entry.startswith("send:") for entry in provider.log)
    assert provider.sent_while_known_done == 0
    if isinstance(step.outcome, Detached | AlreadyDetached | Reattached | AlreadyAttached):
        assert step.outcome.state in {provider.goal.done, provider.goal.already}


@settings(max_examples=1500, deadline=None)
@given(stories, rolls)
def test_no_attempt_follows_a_doubt_without_a_look(provider, rolls):
    """After anything that may have been processed, the next request is a look."""
    drive(provider, rolls)
    harmless = {"send:unsent", "send:throttled", "send:throttled_silent", "send:stopped"}
    for before, after in zip(provider.log, provider.log[1:], strict=False):
        if before.startswith("send:") and before not in harmless:
            assert after.startswith("look:")


@settings(max_examples=1000, deadline=None)
@given(stories, rolls)
def test_attempts_are_bounded(provider, rolls):
    """No number is sent more often than the policy allows; only what was not processed does not count."""
    case, _, _ = drive(provider, rolls)
    assert case.attempts <= POLICY.max_attempts
    assert case.refusals <= POLICY.max_refusals


@given(stories, rolls)
def test_waits_stay_within_the_policy(provider, rolls):
    """A wait of one item is at most the cap; one of the whole lane is what the provider said, or the cap."""
    _, _, steps = drive(provider, rolls)
    for step in steps:
        assert 0 <= step.after <= max(POLICY.max_delay, 5.0)


def first(error: RequestError | None, case: Case | None = None):
    """Decide after an attempt."""
    return decide(case or Case(), Sent(error), POLICY, roll=0.5)


def test_the_documented_success_is_success():
    """A success needs no look."""
    assert first(None)[1] == Finish(Detached("response"))


def test_a_refused_attempt_that_is_seen_gone_was_detached_before():
    """When the only attempt was refused and a look sees it gone, this run did not do it."""
    case, step = first(Refused("HTTP 400", status=400))
    assert step == Look()
    assert decide(case, Looked(Gone()), POLICY, roll=0)[1] == Finish(AlreadyDetached())


def test_a_lost_attempt_that_is_seen_gone_was_ours():
    """When an answer was lost and a look sees it gone, this run did it."""
    case, _ = first(LostAnswer("lost"))
    assert decide(case, Looked(Gone()), POLICY, roll=0)[1] == Finish(Detached("verification"))
    assert decide(case, Looked(Elsewhere("other")), POLICY, roll=0)[1] == Finish(Detached("verification"))


def test_a_refusal_after_a_lost_answer_was_ours():
    """A 400 after a lost answer means that the lost one had done it."""
    case, _ = first(LostAnswer("lost"))
    case, _ = decide(case, Looked(Attached({})), POLICY, roll=0)
    case, _ = first(Refused("HTTP 400", status=400), case)
    assert decide(case, Looked(Gone()), POLICY, roll=0)[1] == Finish(Detached("verification"))


def back(found, error):
    """Decide after an attempt to put back that came to ``error``, and a look."""
    case, step = decide(Case(), Sent(error), POLICY, roll=0.5, goal=REATTACH)
    assert step == Look()
    return decide(case, Looked(found), POLICY, roll=0, goal=REATTACH)[1]


def test_putting_back_is_detaching_in_a_mirror():
    """Seen where it was is done, by this run or by others; seen free, it is sent again."""
    lost, refused = LostAnswer("lost"), Refused("HTTP 400", status=400)
    assert decide(Case(), Sent(), POLICY, roll=0, goal=REATTACH)[1] == Finish(Reattached("response"))
    assert back(Attached({}), lost) == Finish(Reattached("verification"))
    assert back(Attached({}), refused) == Finish(AlreadyAttached())
    assert isinstance(back(Gone(), lost), Send)
    assert isinstance(back(Gone("unknown_to_account"), lost), Send)


@pytest.mark.parametrize(
    ("found", "code"), [(Elsewhere("other"), "attached_elsewhere"), (Gone("target_gone"), "target_gone")]
)
def test_what_another_attempt_cannot_mend_is_failed_at_once(found, code):
    """A number that hangs on something else by now is left there, and one whose bridge is gone cannot go back."""
    step = back(found, LostAnswer("lost"))
    assert isinstance(step.outcome, Failed)
    assert step.outcome.fault.code == code


def test_a_target_that_is_gone_is_named():
    """A bridge that disappeared settles its number with the reason."""
    case, _ = first(Refused("HTTP 404", status=404))
    assert decide(case, Looked(Gone("target_gone")), POLICY, roll=0)[1] == Finish(AlreadyDetached("target_gone"))


def test_two_refusals_with_the_number_still_attached_are_a_failure():
    """A 400 for a number that is attached is tried once more, then it is failed with what the provider said."""
    case, _ = first(Refused("HTTP 400", status=400))
    case, step = decide(case, Looked(Attached({})), POLICY, roll=0.5)
    assert isinstance(step, Send)
    case, _ = first(Refused("HTTP 400: trunk", status=400), case)
    _, step = decide(case, Looked(Attached({})), POLICY, roll=0.5)
    assert isinstance(step, Finish)
    assert isinstance(step.outcome, Failed)
    assert step.outcome.fault.http_status == 400


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_account_stops_the_lane(status):
    """401 and 403 were not processed: the number is pending, and its lane stops."""
    _, step = first(AccessDenied("no", status=status))
    assert isinstance(step, Halt)
    assert isinstance(step.outcome, Pending)


def test_a_look_that_is_denied_leaves_the_doubt():
    """When access ends between an attempt and its look, the number is unknown, not pending."""
    case, _ = first(LostAnswer("lost"))
    _, step = decide(case, Looked(AccessDenied("no", status=401)), POLICY, roll=0)
    assert isinstance(step, Halt)
    assert isinstance(step.outcome, Unknown)


def test_throttling_pauses_the_lane_and_spends_no_attempt():
    """429 is repeated after as long as the provider says, for the whole lane."""
    case, step = first(Throttled("slow", status=429, wait=7.0, processed=False))
    assert step == Send(7.0, whole_lane=True)
    assert case.attempts == 0


def test_503_is_looked_at_before_it_is_repeated():
    """A 503 may come from a proxy behind which the work was done."""
    _, step = first(Throttled("busy", status=503, wait=3.0, processed=True))
    assert step == Look(3.0, whole_lane=True)


def test_throttling_is_borne_only_so_long():
    """Beyond max_throttle_wait the lane stops, and the number is pending: 429 is never processed."""
    _, step = first(Throttled("slow", status=429, wait=61.0, processed=False))
    assert isinstance(step, Halt)
    assert isinstance(step.outcome, Pending)


def test_a_provider_that_throttles_without_a_wait_is_left_in_the_end():
    """Retry-After 0 for ever does not make a run that never ends."""
    case, step = Case(), Send()
    for _ in range(1000):
        case, step = first(Throttled("slow", status=429, wait=0.0, processed=False), case)
        if isinstance(step, Halt):
            break
    assert isinstance(step, Halt)


def test_what_was_not_sent_is_sent_again():
    """A refused connection leads to another attempt without a look, and does not count as one."""
    case, step = first(NotSent("refused connection"))
    assert isinstance(step, Send)
    assert step.after > 0
    assert case.attempts == 0


def test_a_connection_that_is_never_made_stops_the_lane():
    """When the provider refuses connections for longer than the patience, the number is pending."""
    case, step, waited = Case(), Send(), 0.0
    while isinstance(step, Send):
        waited += step.after
        case, step = first(NotSent("refused connection"), case)
    assert isinstance(step, Halt)
    assert isinstance(step.outcome, Pending)
    assert waited <= POLICY.patience


def test_a_look_that_never_succeeds_ends_unknown():
    """A failed read is unknown, never absent; the fault names the attempt and the look."""
    case, step = first(LostAnswer("the answer was lost"))
    looks = 0
    while isinstance(step, Look):
        looks += 1
        case, step = decide(case, Looked(UnexpectedAnswer("HTTP 500", status=500)), POLICY, roll=0.9)
    assert looks == POLICY.max_attempts
    assert isinstance(step, Finish)
    assert isinstance(step.outcome, Unknown)
    assert "the answer was lost" in step.outcome.fault.message
    assert "HTTP 500" in step.outcome.fault.message


def test_looks_do_not_count_while_the_provider_is_away():
    """While nothing on the lane is answered, a failed look says nothing about the number."""
    case, _ = first(LostAnswer("lost"))
    for _ in range(50):
        case, step = decide(case, Looked(LostAnswer("lost")), POLICY, roll=0.5, away=True)
        assert isinstance(step, Look)
    assert case.failed_looks == 0


def test_a_stopping_lane_sends_nothing_more():
    """While a lane stops, a wait to send becomes pending, and a doubt gets one look at once."""
    case, step = first(Throttled("slow", status=429, wait=7.0, processed=False))
    assert isinstance(wind_up(case, step), Finish)
    assert isinstance(wind_up(case, step).outcome, Pending)
    case, step = first(LostAnswer("lost"))
    assert wind_up(case, step) == Look()
    case, step = decide(case, Looked(LostAnswer("lost")), POLICY, roll=0.5)
    assert isinstance(wind_up(case, step).outcome, Unknown)


def test_a_stopped_lane_is_no_reason_for_pending():
    """Holding a request back because the lane stops is not an error of the number."""
    case, step = first(LaneStopped("stopping"))
    assert wind_up(case, step) == Finish(Pending())


def test_a_stopped_lane_hides_no_reason():
    """A number that was tried in vain before its lane stopped ends with why the attempt failed."""
    case, _ = decide(Case(), Sent(SEND_FAULTS["refused"]), POLICY, roll=0.5)
    case, _ = decide(case, Looked(Attached({})), POLICY, roll=0.5)
    case, step = decide(case, Sent(LaneStopped("stopping")), POLICY, roll=0.5)
    assert wind_up(case, step) == Finish(Failed(SEND_FAULTS["refused"].fault))


def test_when_patience_with_503_is_over_one_look_still_settles_it():
    """What the last 503 left in doubt is looked at: a number seen attached is failed, and the lane stops."""
    case, step = first(Throttled("busy", status=503, wait=61.0, processed=True))
    assert step == Look()
    _, after = decide(case, Looked(Attached({})), POLICY, roll=0)
    assert isinstance(after, Halt)
    assert isinstance(after.outcome, Failed)
    _, after = decide(case, Looked(Gone()), POLICY, roll=0)
    assert after == Finish(Detached("verification"))
    _, after = decide(case, Looked(Throttled("slow", status=429, wait=1.0, processed=False)), POLICY, roll=0)
    assert isinstance(after, Halt)
    assert isinstance(after.outcome, Unknown)
