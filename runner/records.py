"""What the ledger hands out: runs, items and lanes as they stand. Times are seconds since the epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from msgspec import Struct, field

from runner.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from runner.model import Confirmation, Fault, Outcome, State

Ending = Literal["finished", "blocked", "stopped", "interrupted"]
"""How a process left its run: all that could be done was done; refused before the first detach; a guard, a refused
account, a deadline or an operator stopped it; a signal did."""


Command = Literal["pause", "unpause", "stop"]
"""What somebody else can want of the process that works on a run."""


class RunRecord(Struct, frozen=True):
    """One execution of one plan; ``ending`` and ``finished_at`` are null while it goes on, or when it was killed."""

    id: str
    plan_name: str
    plan_path: str
    plan_sha256: str
    metadata: dict[str, Any]
    description: str | None
    dry_run: bool
    sandbox: bool
    rollback_of: str | None
    reason: str | None
    started_at: float
    finished_at: float | None
    ending: Ending | None
    signal: int | None
    """The number of the signal that interrupted it."""
    notes: tuple[str, ...]
    """Sentences that say why it was blocked or stopped, or what is worth knowing."""
    version: str
    host: str
    user: str
    moves: bool = False
    """Whether it moves its numbers instead of detaching them."""


class ItemRecord(NamedTuple):
    """One number as the ledger knows it; ``attempts`` counts the detach requests that left."""

    id: int
    account: str
    provider: str
    target: str | None
    number: str
    state: State
    seen_attached: bool
    """Whether the newest pre-check saw that something has to be sent for it."""
    confirmed_by: Confirmation | None = None
    reason: str | None = None
    fault: Fault | None = None
    attempts: int = 0
    finished_at: float | None = None
    before: dict[str, Any] | None = None
    verified: bool = False
    """Whether a look after the detach saw it gone."""
    moved_to: str | None = None
    """Where it is moved to; null in a run that moves nothing."""
    gap_ms: float | None = None
    """How long it was attached to nothing while it was moved, at most; null where nobody measured that."""


class LaneRecord(Struct, frozen=True):
    """One account's part in a run, summed over all processes that worked on it."""

    account: str
    provider: str
    rate: float
    planned: int
    tally: Tally = field(default_factory=Tally)
    waiting: str | None = None
    """Why its newest process sends nothing at the moment; only means something while the run is live."""


class NewTarget(Struct, frozen=True):
    """One group of a plan; ``numbers`` is null for all that is attached when the pre-check looks.

    The numbers of an ``excluded`` group are left alone from the start. In a rollback ``befores`` says of each number
    where it is put back.
    """

    account: str
    provider: str
    target: str | None
    numbers: Collection[str] | None
    if_missing: bool = False
    excluded: bool = False
    befores: Collection[Mapping[str, Any]] | None = None


RemovalState = Literal["planned", "in_flight", "deleted", "already_deleted", "kept", "unknown"]
KeptReason = Literal["dry_run", "not_confirmed", "not_verified", "not_all_gone", "not_empty", "run_not_finished"]


class Removal(NamedTuple):
    """Something that numbers were attached to and that a plan wants deleted: a bridge, a gateway.

    ``planned`` is confirmed and not decided; ``reason`` or ``fault`` say why it was ``kept``, ``note`` what was left
    on it; ``attempts`` counts requests to delete it.
    """

    account: str
    provider: str
    kind: str
    thing: str
    state: RemovalState = "planned"
    confirmed_by: Confirmation | None = None
    reason: KeptReason | None = None
    note: str | None = None
    fault: Fault | None = None
    attempts: int = 0
    finished_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether it was confirmed and is still to be decided."""
        return self.state in ("planned", "in_flight")

    @property
    def troubled(self) -> bool:
        """Whether it should have been deleted, and was not as far as anybody knows."""
        return self.state == "unknown" or (self.state == "kept" and self.fault is not None)


class Attempt(NamedTuple):
    """One detach request: when it left (seconds since the epoch), how long it took, and what came back.

    ``error_code`` is null for the documented success.
    """

    item: int
    at: float
    latency_ms: float
    http_status: int | None
    error_code: str | None


class Pulse(NamedTuple):
    """What one account was sent in one slot of a run's time; ``done`` are those answered with documented success.

    ``total_ms`` and ``longest_ms`` are the latencies of all of them, and of the slowest.
    """

    account: str
    slot: int
    sent: int
    done: int
    throttled: int
    total_ms: float
    longest_ms: float


class Timeline(Struct, frozen=True):
    """The detach requests of a run over its time, cut into ``slots`` of ``width`` seconds from ``start`` on.

    An account has a pulse a target at most in each; slots in which nothing was sent have none.
    """

    start: float
    width: int
    slots: int
    pulses: list[Pulse]


class Settled(NamedTuple):
    """What became of an item; ``attempts`` are those made since it was claimed, ``gap_ms`` as of an `ItemRecord`."""

    item: int
    outcome: Outcome
    at: float
    attempts: int = 0
    verified: bool = False
    gap_ms: float | None = None


class Lease(Struct, frozen=True):
    """Who holds an account's lane, and until when (seconds since the epoch) unless it is renewed."""

    account: str
    run: str
    session: str
    host: str
    pid: int
    process: str
    expires_at: float
