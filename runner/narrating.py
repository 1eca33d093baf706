"""What a run says of itself while it works: one event a fact, the same facts to the log and to the display."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from runner.errors import RequestError
    from runner.lanes import Lane
    from runner.log import Log
    from runner.model import Outcome, State
    from runner.preview import Preview
    from runner.progress import Progress
    from runner.records import Attempt, RunRecord

_MOMENT = 1.0


class Crossing(Struct, frozen=True):
    """Where a number is ``moved_to``, and how long that left it without a place."""

    moved_to: str
    gap_ms: float | None


class Narrator(Struct, frozen=True):
    """Tells ``log`` and ``progress`` what happened."""

    log: Log
    progress: Progress

    def started(self, record: RunRecord) -> None:
        """Tell that a process begins to work on a run."""
        self.log.info(
            "run.started",
            plan=record.plan_name,
            plan_sha256=record.plan_sha256,
            metadata=record.metadata or None,
            reason=record.reason,
            dry_run=record.dry_run,
            rollback_of=record.rollback_of,
            version=record.version,
            host=record.host,
            user=record.user,
        )

    def prechecked(self, seen: Preview) -> None:
        """Tell what the pre-check found; what is said and asked now has the terminal to itself."""
        self.progress.rest()
        self.log.info("precheck.finished", **{seen.goal.to: seen.to_send}, blocks=list(seen.blocks) or None)
        for warning in seen.warnings:
            self.log.warning("precheck.warning", message=warning)

    def sending(self, seen: Preview) -> None:
        """Tell what is to be sent."""
        self.progress.start(seen.to_send)
        for lane in seen.lanes:
            self.progress.lane(lane.account, lane.to_send)

    def settled(
        self,
        lane: Lane,
        target: str | None,
        number: str,
        outcome: Outcome,
        *,
        attempts: int | None = None,
        answer: Attempt | None = None,
        was: State | None = None,
        crossing: Crossing | None = None,
    ) -> None:
        """Tell what became of a number after so many ``attempts``.

        ``answer`` is the attempt whose answer settled it, where no look was needed; ``was`` what a look corrected.
        """
        fault, state = getattr(outcome, "fault", None), outcome.state
        more: dict[str, object] = {"error": fault.message} if fault else {}
        if crossing:
            more |= {"moved_to": crossing.moved_to, "gap_ms": crossing.gap_ms}
        record = self.log.warning if fault else self.log.info
        record(
            "number.finished",
            account=lane.account,
            provider=lane.spec.name,
            target=target,
            number=number,
            outcome=state.value,
            attempt=attempts or None,
            latency_ms=round(answer.latency_ms, 1) if answer else None,
            http_status=fault.http_status if fault else answer and answer.http_status,
            **more,
        )
        self.progress.settled(lane.account, state, was)

    def stopped(self, lane: Lane) -> None:
        """Tell that a lane stops, and why."""
        if lane.stopped:
            self.log.warning("lane.stopped", account=lane.account, reason=lane.stopped.code, error=lane.stopped.message)

    def throttled(self, lane: Lane, error: RequestError, seconds: float) -> None:
        """Tell that a lane waits for its provider; a moment's pause is how an adaptive rate finds its limit."""
        record = self.log.info if lane.channel.pacer.adaptive and seconds < _MOMENT else self.log.warning
        record("lane.throttled", account=lane.account, wait_s=round(seconds, 3), error=str(error))
