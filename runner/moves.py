"""The legs of a move, and what follows each: a number goes away, there, and back where there is refused. No I/O.

Each leg is a case of its own for ``decide``. Until it is away, a number is a detach like any other; from then on it has
no place, and whatever ends a leg leads to the next attempt to give it one, or to an outcome that says where it is.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from runner.goal import DETACH, REATTACH, Goal
from runner.model import (
    AlreadyAttached,
    AlreadyDetached,
    Detached,
    Failed,
    Fault,
    Moved,
    Outcome,
    Pending,
    Reattached,
    Stranded,
    Unknown,
)

ADRIFT = Fault("stranded", "taken off what it hung on, and attached to nothing; a resume attaches it")
"""Why a number is stranded that an earlier process has taken off."""


_PLACED = frozenset({"attached_elsewhere", "still_attached"})
"""Faults of a number that a look saw attached to something."""


class Leg(StrEnum):
    """One part of the way; the latter two begin with a number that is attached to nothing."""

    AWAY = "away"
    THERE = "there"
    BACK = "back"

    @property
    def goal(self) -> Goal:
        """What is wanted of the number on this leg."""
        return DETACH if self is Leg.AWAY else REATTACH


class Way(Struct, frozen=True):
    """From where to where one number is moved, as sentences call it, and whether it can be put ``back``."""

    here: str
    there: str
    back: bool


def follow(leg: Leg, ended: Outcome, way: Way, refusal: Fault | None = None) -> Leg | Outcome:
    """Return what follows a leg that ended so: another one, or what became of the number.

    ``refusal`` is why it could not be attached there, once it is on its way back.
    """
    if leg is Leg.AWAY:
        return Leg.THERE if isinstance(ended, Detached | AlreadyDetached) else ended
    if isinstance(ended, Failed) and ended.fault.code in _PLACED:
        # Reads may lag behind the detach that was confirmed; and where it is here, putting it back changes nothing.
        returns = leg is Leg.THERE and way.back and ended.fault.code == "still_attached"
        return Leg.BACK if returns else ended
    return _there(ended, way) if leg is Leg.THERE else _back(ended, way, refusal)


def _there(ended: Outcome, way: Way) -> Leg | Outcome:
    match ended:
        case Reattached(confirmed_by=confirmed_by):
            return Moved(confirmed_by)
        case AlreadyAttached():
            return Moved("verification")
        case Failed(fault=fault):
            return Leg.BACK if way.back else Stranded(_stranded(fault, way, tried=False))
        case Pending(fault=fault):
            return Stranded(_stranded(fault, way, tried=False))
        case _:
            return ended


def _back(ended: Outcome, way: Way, refusal: Fault | None) -> Outcome:
    match ended:
        case Reattached() | AlreadyAttached():
            why = f": {refusal.message}" if refusal else ""
            status = refusal.http_status if refusal else None
            return Failed(Fault("put_back", f"{way.there} did not take it{why}; it is attached to {way.here}", status))
        case Failed(fault=fault) | Pending(fault=fault):
            return Stranded(_stranded(fault or refusal, way, tried=True))
        case Unknown(fault=fault):
            return Unknown(Fault(fault.code, f"on its way back to {way.here}: {fault.message}", fault.http_status))
        case _:
            return ended


def _stranded(fault: Fault | None, way: Way, *, tried: bool) -> Fault:
    """Say that a number is attached to nothing, where it should be, and why it is not."""
    why = fault or Fault("stopped", "the run was stopped")
    nor = f" nor back to {way.here}" if tried else ""
    text = (
        f"taken off {way.here}, and attached to nothing: it could not be attached to {way.there}{nor} ({why.message})"
    )
    return Fault(why.code, text, why.http_status)
