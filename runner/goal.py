"""What a run wants of its numbers, and how it judges what a look sees: a rollback is a teardown seen in a mirror."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from runner.model import (
    AlreadyAttached,
    AlreadyDetached,
    AlreadyMoved,
    Attached,
    Detached,
    Elsewhere,
    Failed,
    Fault,
    Gone,
    Moved,
    Reattached,
    State,
    Still,
    Stranded,
)

if TYPE_CHECKING:
    from runner.model import Done, Outcome, Seen


class Goal(Struct, frozen=True):
    """``attached`` is what is wanted; there are words for it, ``undone`` for a number that has not got ``there``."""

    attached: bool
    verb: str
    participle: str
    noun: str
    doing: str
    undone: str
    there: str
    done: State
    already: State
    to: str
    """What the pre-check calls how many numbers something is to be sent for."""
    would: str
    """What a dry run calls a number that a run would send something for."""
    confirmed: Done
    """The outcome after the documented success."""
    requests: int = 1
    """How many a number takes that goes well."""

    def reached(self, seen: Seen) -> bool:
        """Whether what a look saw is what is wanted."""
        return isinstance(seen, Attached) is self.attached

    def outcome(self, seen: Seen, *, ours: bool) -> Done:
        """Return the outcome of a number that a look saw as it is wanted; ``ours`` when this run has done that."""
        if self.done is State.MOVED:
            return Moved("verification") if ours else AlreadyMoved()
        if self.attached:
            return Reattached("verification") if ours else AlreadyAttached()
        reason = seen.reason if isinstance(seen, Gone) else None
        return Detached("verification", reason) if ours else AlreadyDetached(reason)

    def obstacle(self, seen: Seen) -> Fault | None:
        """Return why another attempt is of no use, although what a look saw is not what is wanted."""
        match seen:
            case Elsewhere(where=where) if self.attached:
                return Fault("attached_elsewhere", f"it is attached to something else by now: {where}")
            case Still(where=where) if self.done is State.REATTACHED:
                return Fault(
                    "still_attached", f"the provider confirmed the detach, and it is still attached to {where}"
                )
            case Gone(reason="target_gone") if self.attached:
                return Fault("target_gone", "what it was attached to does not exist any more")
            case _:
                return None

    def corrected(self, state: State, seen: Seen | None) -> Outcome | None:
        """Return what an item at ``state`` is that patient looks saw not to be as wanted; None when that was known."""
        nowhere = self.done is State.MOVED and not isinstance(seen, Still)
        kind, what = (Stranded, "attached to nothing") if nowhere else (Failed, self.undone)
        code = "stranded" if nowhere else what.replace(" ", "_")
        if state is kind.state:
            return None
        was = {
            self.done: f"the provider confirmed the {self.noun}, but the number is {what} when looked at",
            State.UNKNOWN: f"the answer to the attempt was lost, and the number is {what} when looked at",
        }
        return kind(Fault(code, was.get(state, f"the number is {what} when looked at")))


DETACH = Goal(
    attached=False,
    verb="detach",
    participle="detached",
    noun="detach",
    doing="detaching",
    undone="still attached",
    there="off their targets",
    done=State.DETACHED,
    already=State.ALREADY_DETACHED,
    to="to_detach",
    would="would_detach",
    confirmed=Detached("response"),
)
REATTACH = Goal(
    attached=True,
    verb="put back",
    participle="put back",
    noun="attach",
    doing="putting back",
    undone="not attached",
    there="attached where they were",
    done=State.REATTACHED,
    already=State.ALREADY_ATTACHED,
    to="to_reattach",
    would="would_reattach",
    confirmed=Reattached("response"),
)


MOVE = Goal(
    attached=True,
    verb="move",
    participle="moved",
    noun="move",
    doing="moving",
    undone="not moved",
    there="attached where they should be",
    done=State.MOVED,
    already=State.ALREADY_MOVED,
    to="to_move",
    would="would_move",
    confirmed=Moved("response"),
    requests=2,
)


def goal_of(rollback_of: str | None, *, moves: bool = False) -> Goal:
    """Return what a run wants, by whether it puts another one back, or moves its numbers."""
    if rollback_of is not None:
        return REATTACH
    return MOVE if moves else DETACH
