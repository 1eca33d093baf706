"""What reached the sandbox: one entry for every request, kept in the order of arrival."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RequestKind = Literal["detach", "attach", "delete", "read", "other"]


@dataclass(slots=True)
class Request:
    """One request as it arrived and what became of it; ``at`` is in seconds of the world's clock.

    ``attached`` says whether ``number`` was attached to ``target`` at that moment (null where none is named); of an
    attach whether any of its ``numbers`` was attached to anything, of a delete whether anything was on ``target``.
    ``status`` is null when no whole answer was sent, ``fault`` names what was done to it on purpose, and ``worked`` is
    true when it changed something.
    """

    at: float
    method: str
    path: str
    provider: str
    kind: RequestKind
    target: str | None
    number: str | None
    attached: bool | None
    body: dict[str, object]
    numbers: tuple[str, ...] = ()
    """All numbers that it is about; ``number`` is the first of them."""
    status: int | None = None
    fault: str | None = None
    worked: bool = False


class Record(list[Request]):
    """Every request since the world began; only ever appended to."""

    def detach_requests(self, number: str) -> list[Request]:
        """Give the detach requests for ``number``, oldest first."""
        return [entry for entry in self if entry.kind == "detach" and entry.number == number]

    def useless_detaches(self) -> list[Request]:
        """Detach requests that arrived for a number that was already gone from its target."""
        return [entry for entry in self if entry.kind == "detach" and entry.attached is False]

    def attach_requests(self, number: str) -> list[Request]:
        """Give the attach requests for ``number``, oldest first."""
        return [entry for entry in self if entry.kind == "attach" and number in entry.numbers]

    def useless_attaches(self) -> list[Request]:
        """Attach requests that arrived when one of their numbers was attached already."""
        return [entry for entry in self if entry.kind == "attach" and entry.attached]

    def times(self, provider: str) -> list[float]:
        """When each request to ``provider`` arrived."""
        return [entry.at for entry in self if entry.provider == provider]

    def busiest_second(self, provider: str) -> int:
        """Give the most requests to ``provider`` that arrived within any one second."""
        times = self.times(provider)
        most = first = 0
        for last, at in enumerate(times):
            while at - times[first] >= 1.0:
                first += 1
            most = max(most, last - first + 1)
        return most
