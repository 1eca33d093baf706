"""What a run wants of its numbers, and how it judges what a look sees: a rollback is a teardown seen in a mirror."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.model import (
    AlreadyAttached,
    AlreadyDetached,
    Attached,
    Detached,
    Elsewhere,
    Fault,
    Gone,
    Reattached,
    State,
)

if TYPE_CHECKING:
    from runner.model import Done, Seen


@dataclass(frozen=True, slots=True)
class Goal:
    """``attached`` is what is wanted; there are words for it, ``undone`` for a number that has not got there."""

    attached: bool
    verb: str
    participle: str
    noun: str
    doing: str
    undone: str
    done: State
    already: State
    to: str
    """What the pre-check calls how many numbers something is to be sent for."""
    would: str
    """What a dry run calls a number that a run would send something for."""
    confirmed: Done
    """The outcome after the documented success."""

    def reached(self, seen: Seen) -> bool:
        """Whether what a look saw is what is wanted."""
        return isinstance(seen, Attached) is self.attached

    def outcome(self, seen: Seen, *, ours: bool) -> Done:
        """Return the outcome of a number that a look saw as it is wanted; ``ours`` when this run has done that."""
        if self.attached:
            return Reattached("verification") if ours else AlreadyAttached()
        reason = seen.reason if isinstance(seen, Gone) else None
        return Detached("verification", reason) if ours else AlreadyDetached(reason)

    def obstacle(self, seen: Seen) -> Fault | None:
        """Return why another attempt is of no use, although what a look saw is not what is wanted."""
        match seen:
            case Elsewhere(where=where) if self.attached:
                return Fault("attached_elsewhere", f"it is attached to something else by now: {where}")
            case Gone(reason="target_gone") if self.attached:
                return Fault("target_gone", "what it was attached to does not exist any more")
            case _:
                return None


DETACH = Goal(
    attached=False,
    verb="detach",
    participle="detached",
    noun="detach",
    doing="detaching",
    undone="still attached",
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
    done=State.REATTACHED,
    already=State.ALREADY_ATTACHED,
    to="to_reattach",
    would="would_reattach",
    confirmed=Reattached("response"),
)


def goal_of(rollback_of: str | None) -> Goal:
    """Return what a run wants, by whether it puts another one back."""
    return DETACH if rollback_of is None else REATTACH
