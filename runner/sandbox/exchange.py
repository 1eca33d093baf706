"""What the sandbox's own parts say to one another: a call, its answer, and an API's table of routes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.sandbox.record import RequestKind


@dataclass(frozen=True, slots=True)
class Call:
    """One request as an API sees it; ``body`` is empty when it is not a JSON object."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What to answer, and how to do what the answer says was done; bytes are sent as HTML, all else as JSON."""

    status: int
    body: Any
    work: Callable[[], None] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, headers: Mapping[str, str]) -> Answer:
        """Give the same answer with more headers."""
        return replace(self, headers={**self.headers, **headers})


@dataclass(frozen=True, slots=True)
class Route:
    """One documented operation; ``answer`` looks at the truth and leaves the changing to the answer's ``work``."""

    method: str
    path: str
    kind: RequestKind
    answer: Callable[[Call], Answer]


class Api(Protocol):
    """One documented API of a provider."""

    name: str
    prefix: str

    @property
    def routes(self) -> Sequence[Route]:
        """Every documented operation."""
        ...

    def denies(self, headers: Mapping[str, str]) -> Answer | None:
        """Refuse a request with these credentials; None when they are good."""
        ...

    def revoked(self) -> Answer:
        """Refuse a token that was good once."""
        ...

    def throttled(self, wait: int) -> Answer:
        """Give the answer to a request over the rate limit; ``wait`` is in seconds."""
        ...

    def stray(self, method: str, path: str) -> Answer:
        """Give the answer for a path that is not documented."""
        ...
