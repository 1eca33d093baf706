"""The nouns of a teardown: what is known of a number, and what may become of it.

Imports nothing of ours. Every other module speaks in these words; ``docs/glossary.md`` explains them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, Literal, NamedTuple

from msgspec import Struct

Confirmation = Literal["response", "verification"]
GoneReason = Literal["unknown_to_account", "target_gone"]
SkipReason = Literal["protected", "attached_elsewhere", "not_attached", "excluded", "in_call"]


class State(StrEnum):
    """Where an item stands in the ledger; ``planned`` is reported as ``pending`` when a run ends there."""

    __hash__ = str.__hash__  # Enum's own is Python code, and counts where every number is looked up by its state
    PLANNED = "planned"
    IN_FLIGHT = "in_flight"
    DETACHED = "detached"
    ALREADY_DETACHED = "already_detached"
    REATTACHED = "reattached"
    ALREADY_ATTACHED = "already_attached"
    MOVED = "moved"
    ALREADY_MOVED = "already_moved"
    STRANDED = "stranded"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNKNOWN = "unknown"


OPEN = frozenset({State.PLANNED, State.IN_FLIGHT})
SETTLED = frozenset(State) - OPEN
TROUBLED = frozenset({State.FAILED, State.UNKNOWN, State.STRANDED})
UNFINISHED = OPEN | {State.STRANDED}
"""What a resume takes up without being asked: a number without a place is not left alone."""


def _steps(done: State, already: State) -> set[tuple[State, State]]:
    """Return the steps of a run whose items end ``done``, or ``already`` where somebody else had done it."""
    return {
        (State.PLANNED, State.IN_FLIGHT),  # the durable mark, before the request leaves
        (State.PLANNED, already),
        (State.PLANNED, State.SKIPPED),
        (State.IN_FLIGHT, State.PLANNED),  # not sent, refused unprocessed, or seen not done on resume
        (State.IN_FLIGHT, done),
        (State.IN_FLIGHT, already),
        (State.IN_FLIGHT, State.FAILED),
        (State.IN_FLIGHT, State.UNKNOWN),
        (done, State.FAILED),  # verification saw it not done
        (State.FAILED, done),  # verification saw it done
        (State.FAILED, already),  # the same, and the only attempt had been refused
        (State.UNKNOWN, done),
        (State.UNKNOWN, already),
        (State.UNKNOWN, State.FAILED),
        (State.FAILED, State.IN_FLIGHT),  # taken up again by resume --retry-failed
        (State.UNKNOWN, State.IN_FLIGHT),
    }


_STRANDING = {
    (State.IN_FLIGHT, State.STRANDED),  # taken off here, and attached neither there nor here again
    (State.MOVED, State.STRANDED),  # verification saw it attached to nothing
    (State.FAILED, State.STRANDED),
    (State.UNKNOWN, State.STRANDED),
    (State.STRANDED, State.MOVED),
    (State.STRANDED, State.ALREADY_MOVED),
    (State.STRANDED, State.FAILED),  # a look saw it attached to what it was taken off
    (State.STRANDED, State.IN_FLIGHT),  # taken up again by a resume
}
STEPS: frozenset[tuple[State, State]] = frozenset(
    _steps(State.DETACHED, State.ALREADY_DETACHED)
    | _steps(State.REATTACHED, State.ALREADY_ATTACHED)
    | _steps(State.MOVED, State.ALREADY_MOVED)
    | _STRANDING
)
"""The only steps an item may take; the ledger's storage refuses every other one."""


class Fault(Struct, frozen=True):
    """Why something did not work, as the report's ``error`` shows it; never holds a secret."""

    code: str
    message: str
    http_status: int | None = None


class Detached(Struct, frozen=True):
    """This run detached it: the provider said so, or a look settled an attempt whose answer was lost."""

    confirmed_by: Confirmation
    reason: GoneReason | None = None
    state: ClassVar[State] = State.DETACHED


class AlreadyDetached(Struct, frozen=True):
    """It was not attached to its target, and nothing that this run sent can have done that."""

    reason: GoneReason | None = None
    state: ClassVar[State] = State.ALREADY_DETACHED


class Reattached(Struct, frozen=True):
    """This run put it back: the provider said so, or a look settled an attempt whose answer was lost."""

    confirmed_by: Confirmation
    state: ClassVar[State] = State.REATTACHED


class AlreadyAttached(Struct, frozen=True):
    """It was attached as it had been, and nothing that this run sent can have done that."""

    state: ClassVar[State] = State.ALREADY_ATTACHED


class Moved(Struct, frozen=True):
    """This run moved it: the provider said so, or a look settled an attempt whose answer was lost."""

    confirmed_by: Confirmation
    state: ClassVar[State] = State.MOVED


class AlreadyMoved(Struct, frozen=True):
    """It was attached where it should go, and nothing that this run sent can have done that."""

    state: ClassVar[State] = State.ALREADY_MOVED


class Stranded(Struct, frozen=True):
    """It was taken off what it hung on and is attached to nothing; ``fault`` says why."""

    fault: Fault
    state: ClassVar[State] = State.STRANDED


class Skipped(Struct, frozen=True):
    """Left alone on purpose."""

    reason: SkipReason
    state: ClassVar[State] = State.SKIPPED


class Failed(Struct, frozen=True):
    """It is known to be as it was: still attached (or attached again, in a move), in a rollback not put back."""

    fault: Fault
    state: ClassVar[State] = State.FAILED


class Unknown(Struct, frozen=True):
    """An attempt was sent, and no look could settle what it did."""

    fault: Fault
    state: ClassVar[State] = State.UNKNOWN


class Pending(Struct, frozen=True):
    """Nothing was sent, or what was sent was refused unprocessed; ``fault`` says what stood in the way."""

    fault: Fault | None = None
    state: ClassVar[State] = State.PLANNED


Done = Detached | AlreadyDetached | Reattached | AlreadyAttached | Moved | AlreadyMoved
Outcome = Done | Skipped | Failed | Stranded | Unknown | Pending


class Attached(Struct, frozen=True):
    """A look saw the number attached to its target; neither field holds a secret.

    ``before`` tells what exactly it hangs on, ``details`` what else a rollback needs, as far as this look showed it.
    """

    before: dict[str, object]
    details: dict[str, object] = {}


class Gone(Struct, frozen=True):
    """A look saw that the number is not attached to its target."""

    reason: GoneReason | None = None


class Elsewhere(Struct, frozen=True):
    """A look saw the number attached, but to ``where`` and not to its target."""

    where: str


class Still(Struct, frozen=True):
    """A look saw the number attached to ``where`` it is to be moved from."""

    where: str


Seen = Attached | Gone | Elsewhere | Still


class Item(NamedTuple):
    """One number at one target in one account; ``id`` is the ledger's, ``target`` is null where the plan names none."""

    id: int
    account: str
    provider: str
    target: str | None
    number: str
