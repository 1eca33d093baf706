"""The heart: from what is known of one number to the next step. No I/O, no clock, no chance (the roll is given).

An attempt is a request that detaches or, in a rollback, attaches; a look is a read. What of all that a look can see is
wanted, the goal says. The rules, in the order of the code:

* the documented success with an agreeing body is success;
* 401 and 403 stop the lane: nothing was processed;
* 429 and 503 pause the whole lane and spend no attempt, up to ``max_throttle_wait``; after a 503 comes a look;
* what never left is tried again, up to the policy's ``patience``;
* everything else leads to a look, because it may have been done, and only a look allows another attempt;
* a look that fails is repeated; when it never succeeds, the number ends ``unknown``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from runner.errors import AccessDenied, LaneStopped, NotSent, Refused, RequestError, Throttled
from runner.goal import DETACH
from runner.model import Failed, Fault, Outcome, Pending, Seen, Unknown

if TYPE_CHECKING:
    from runner.goal import Goal
    from runner.policy import RetryPolicy


class Case(Struct, frozen=True):
    """All that is known of one number in this run; counts of tries, ``waited`` and ``throttled`` in seconds."""

    attempts: int = 0
    refusals: int = 0
    failed_looks: int = 0
    unsent: int = 0
    throttles: int = 0
    waited: float = 0.0
    throttled: float = 0.0
    doubt: bool = False
    """An attempt was made that no look has settled yet."""
    lost: bool = False
    """Some attempt may have been processed although nothing said so."""
    error: RequestError | None = None
    """Why the newest attempt did not work."""

    @property
    def ours(self) -> bool:
        """Whether it was this run that brought a number where it is wanted: not when its only attempt was refused."""
        return self.lost or self.refusals > 1


class Sent(Struct, frozen=True):
    """What an attempt came to; ``error`` is null after the documented success."""

    error: RequestError | None = None


class Looked(Struct, frozen=True):
    """What a look came to."""

    found: Seen | RequestError

    @property
    def error(self) -> RequestError | None:
        """Why the look failed; null when it saw something."""
        return self.found if isinstance(self.found, RequestError) else None


Evidence = Sent | Looked


class Send(Struct, frozen=True):
    """Send a request ``after`` seconds; ``whole_lane`` when every request of the lane has to wait so long."""

    after: float = 0.0
    whole_lane: bool = False


class Look(Struct, frozen=True):
    """Look at the number ``after`` seconds."""

    after: float = 0.0
    whole_lane: bool = False


class Finish(Struct, frozen=True):
    """The number has its outcome."""

    outcome: Outcome


class Halt(Struct, frozen=True):
    """The number has its outcome, and its lane must stop because of ``error``."""

    outcome: Outcome
    error: RequestError


Step = Send | Look | Finish | Halt


def decide(
    case: Case, evidence: Evidence, policy: RetryPolicy, *, roll: float, away: bool = False, goal: Goal = DETACH
) -> tuple[Case, Step]:
    """Return what is known now and the next step.

    ``roll`` in [0, 1) is the jitter. ``away`` says that nothing on the lane gets an answer at the moment: then a look
    that fails says nothing about this number and is not counted; the lane itself bounds how long that may last.
    """
    if isinstance(evidence, Looked):
        if isinstance(evidence.found, RequestError):
            return _after_failed_look(case, evidence.found, policy, roll, away=away)
        return _after_look(case, evidence.found, policy, roll, goal)
    if evidence.error:
        return _after_attempt(case, evidence.error, policy, roll)
    return case, Finish(goal.confirmed)


def wind_up(case: Case, step: Step, *, once: bool = False) -> Step:
    """Return what to do instead of ``step`` while the lane stops: nothing is sent, a doubt gets one look at once.

    With ``once`` a request that has not been tried at all leaves all the same.
    """
    match step:
        case Finish() | Halt():
            return step
        case Send() if once and not (case.attempts or case.unsent or case.throttles):
            return Send()
        case Look() if case.failed_looks == 0:
            return Look()
        case _:
            return Finish(_unfinished(case, case.error))


def _after_attempt(case: Case, error: RequestError, policy: RetryPolicy, roll: float) -> tuple[Case, Step]:
    match error:
        case AccessDenied():
            return case, Halt(_unfinished(case, error), error)
        case Throttled(processed=processed):
            case = replace(case, error=error, doubt=processed, lost=case.lost or processed)
            known, step = _after_throttle(case, error, policy, roll, Look if processed else Send)
            # Patience is over, but what a 503 left in doubt one look can still settle.
            return known, Look() if processed and isinstance(step, Halt) else step
        case LaneStopped() if case.error:  # which says more than that nothing may be sent any more
            return case, Finish(_unfinished(case, case.error))
        case NotSent():
            return _after_not_sent(replace(case, error=error, unsent=case.unsent + 1), error, policy, roll)
        case Refused():
            known = replace(case, attempts=case.attempts + 1, refusals=case.refusals + 1, doubt=True, error=error)
            return known, Look()
        case _:
            return replace(case, attempts=case.attempts + 1, doubt=True, lost=True, error=error), Look()


def _after_throttle(
    case: Case, error: Throttled, policy: RetryPolicy, roll: float, again: type[Send | Look]
) -> tuple[Case, Step]:
    # A wait that we choose ourselves is never zero, so that a provider that throttles for ever is left in the end.
    own = policy.backoff(case.throttles + 1, (1 + roll) / 2)
    wait = own if error.wait is None else max(error.wait, policy.base_delay / 2)
    known = replace(case, throttles=case.throttles + 1, throttled=case.throttled + wait)
    if known.throttled > policy.max_throttle_wait:
        return known, Halt(_unfinished(known, error), error)
    return known, again(wait, whole_lane=True)


def _after_not_sent(case: Case, error: NotSent, policy: RetryPolicy, roll: float) -> tuple[Case, Step]:
    wait = policy.backoff(case.unsent, (1 + roll) / 2)
    known = replace(case, waited=case.waited + wait)
    if known.waited > policy.patience:
        return known, Halt(_unfinished(known, error), error)
    return known, Send(wait)


def _after_look(case: Case, found: Seen, policy: RetryPolicy, roll: float, goal: Goal) -> tuple[Case, Step]:
    if goal.reached(found):
        return case, Finish(goal.outcome(found, ours=case.ours))
    if fault := goal.obstacle(found):
        return case, Finish(Failed(fault))
    return _after_seen_undone(case, policy, roll)


def _after_seen_undone(case: Case, policy: RetryPolicy, roll: float) -> tuple[Case, Step]:
    known = replace(case, doubt=False, failed_looks=0)
    spent = case.attempts >= policy.max_attempts or case.refusals >= policy.max_refusals
    if case.throttled > policy.max_throttle_wait and case.error:
        return known, Halt(Failed(case.error.fault), case.error)
    if spent and case.error:
        return known, Finish(Failed(case.error.fault))
    return known, Send(policy.backoff(case.attempts, roll) if case.attempts else 0.0)


def _after_failed_look(
    case: Case, error: RequestError, policy: RetryPolicy, roll: float, *, away: bool
) -> tuple[Case, Step]:
    if isinstance(error, AccessDenied):
        return case, Halt(_unfinished(case, error), error)
    if isinstance(error, Throttled):
        return _after_throttle(case, error, policy, roll, Look)
    if away:
        return case, Look(policy.backoff(policy.max_attempts, (1 + roll) / 2))
    known = replace(case, failed_looks=case.failed_looks + 1)
    if known.failed_looks >= policy.max_attempts:
        return known, Finish(_unfinished(known, error))
    return known, Look(policy.backoff(known.failed_looks, roll))


def _unfinished(case: Case, why: RequestError | None) -> Outcome:
    """Return the outcome of a number that cannot be gone on with because of ``why``."""
    if case.doubt:
        return Unknown(_both(case.error, why))
    if case.attempts and case.error:
        return Failed((why or case.error).fault)
    return Pending(why.fault if why and not isinstance(why, LaneStopped) else None)


def _both(attempt: RequestError | None, look: RequestError | None) -> Fault:
    first = attempt or look
    if first is None:
        return Fault("no_answer", "an earlier attempt may have been sent, and no look has settled it")
    if look is None or look is first:
        return Fault(first.code, f"{first}; no look has settled what it did", first.status)
    return Fault(first.code, f"{first}; looking did not settle it: {look}", first.status)
