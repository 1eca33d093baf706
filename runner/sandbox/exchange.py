"""What the sandbox's own parts say to one another: a call, its answer, and an API's table of routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.sandbox.record import RequestKind


class Call(Struct, frozen=True):
    """One request as an API sees it; ``body`` is empty when it is not a JSON object."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]


class Answer(Struct, frozen=True):
    """What to answer, and how to do what the answer says was done; bytes are sent as HTML, all else as JSON."""

    status: int
    body: Any
    work: Callable[[], None] | None = None
    headers: Mapping[str, str] = {}

    def with_headers(self, headers: Mapping[str, str]) -> Answer:
        """Give the same answer with more headers."""
        return replace(self, headers={**self.headers, **headers})


class Route(Struct, frozen=True):
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
