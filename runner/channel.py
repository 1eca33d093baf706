"""A lane's line to its provider: paced, counted, authorised, and aware of whether anybody answers at all."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from msgspec import Struct
from yarl import URL

from runner.errors import AccessDenied, LostAnswer, NotSent, RequestError, Throttled, UnexpectedAnswer
from runner.tally import Tally
from runner.tenure import Tenure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runner.credentials import Token
    from runner.pacing import Pacer, Passage
    from runner.transport import Reply

T = TypeVar("T")

_departed: ContextVar[float] = ContextVar("departed")

_AWAY_AFTER = 3
_SERVER_ERROR = 500


def departed() -> float:
    """When the newest request of this task was let out, on the event loop's clock."""
    return _departed.get()


class Line(Protocol):
    """What sends one request: a transport, or whatever wraps one."""

    async def request(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: object = None,
        *,
        connected: Callable[[], None] = lambda: None,
    ) -> Reply:
        """As `Transport.request`."""
        ...


@dataclass(slots=True)
class Channel:
    """Requests to one account; ``authorize`` turns a token into the headers that the provider wants."""

    base_url: str
    transport: Line
    pacer: Pacer
    token: Token
    authorize: Callable[[str], Mapping[str, str]]
    tally: Tally = field(default_factory=Tally)
    in_flight: int = 0
    tenure: Tenure = field(default_factory=Tenure)
    _authorized: tuple[str, Mapping[str, str]] | None = field(default=None, repr=False)
    _since: float | None = None
    _silences: int = 0
    _silent_since: float = 0.0

    async def get(
        self,
        path: str,
        parse: Callable[[Reply], T],
        query: Mapping[str, str | int] | None = None,
        *,
        passage: Passage | None = None,
    ) -> T:
        """Read ``path``, already percent-encoded, and return what ``parse`` makes of it; raises RequestError."""
        url = URL(self.base_url + path, encoded=True)
        return parse(await self._request("GET", url.with_query(query) if query else url, passage=passage))

    async def post(
        self, path: str, parse: Callable[[Reply], T], body: Mapping[str, Any], *, passage: Passage | None = None
    ) -> T:
        """Post ``body`` as JSON to ``path``, and return what ``parse`` makes of the answer; raises RequestError."""
        return parse(await self._request("POST", URL(self.base_url + path, encoded=True), body, passage=passage))

    async def delete(self, path: str, parse: Callable[[Reply], T]) -> T:
        """Delete what is at ``path``, and return what ``parse`` makes of the answer; raises RequestError."""
        return parse(await self._request("DELETE", URL(self.base_url + path, encoded=True)))

    @property
    def away(self) -> bool:
        """Whether several requests in a row got no answer, or none but server errors."""
        return self._silences >= _AWAY_AFTER

    @property
    def silent_for(self) -> float:
        """Seconds since the first of the unanswered requests in a row; 0 when the newest one was answered."""
        return asyncio.get_running_loop().time() - self._silent_since if self._silences else 0.0

    def counted(self) -> Tally:
        """Return what has been counted, up to now."""
        if self._since is not None:
            now = asyncio.get_running_loop().time()
            self.tally.active_s, self._since = self.tally.active_s + now - self._since, now
        return self.tally

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count the time spent inside as time in which requests could be made: each takes one interval of the rate.

        So the pacer's head start is time as well, and no more than that.
        """
        before, already = self.tally.requests, self.tally.active_s
        self._since = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            worked = self.counted().active_s - already
            self._since = None
            sent, interval = self.tally.requests - before, 1 / self.pacer.rate.per_second
            ahead = sent * interval - worked
            self.tally.active_s += min(max(ahead, interval), interval + self.pacer.spread) if sent else 0

    async def _request(self, method: str, url: URL, body: object = None, *, passage: Passage | None = None) -> Reply:
        token = self.token.value()
        try:
            return await self._once(method, url, token, body, passage)
        except AccessDenied:
            if not self.token.renew(token):
                raise
        return await self._once(method, url, self.token.value(), body, passage)

    async def _once(self, method: str, url: URL, token: str, body: object, passage: Passage | None) -> Reply:
        sending = method != "GET"
        grant = await self.pacer.grant(sending=sending, passage=passage)
        while sending and not self.tenure.good:
            await self.tenure.renewed()
            # The one that was waited with is no longer of this second.
            grant = await self.pacer.grant(sending=True, passage=passage)
        loop = asyncio.get_running_loop()
        started = loop.time()
        _departed.set(started)
        self.tally.requests += 1
        self.in_flight += 1
        grant.waits_for_connection()
        try:
            reply = await self.transport.request(method, url, self._headers(token), body, connected=grant.leaves)
        except RequestError as error:
            self._failed(error, started)
            raise
        finally:
            now = loop.time()
            grant.is_over(now)
            self.in_flight -= 1
        self._silences = 0
        self.tally.timed((now - started) * 1000)
        self.pacer.answered(now, now - started)
        if reply.quota:
            self.pacer.observe(reply.quota, self.in_flight)
        return reply

    def _headers(self, token: str) -> Mapping[str, str]:
        """Return what authorises a request; the same object for as long as the token is."""
        if self._authorized is None or self._authorized[0] != token:
            self._authorized = token, self.authorize(token)
        return self._authorized[1]

    def _failed(self, error: RequestError, started: float) -> None:
        if isinstance(error, Throttled):
            self.tally.throttled += 1
            self.pacer.throttled(started)
        if not _is_silence(error):
            self._silences = 0
        elif self._silences:
            self._silences += 1
        else:
            self._silences, self._silent_since = 1, started


class Through(Struct, frozen=True):
    """A channel as one number uses it that is moved: its requests belong to a passage."""

    channel: Channel
    passage: Passage

    async def get(self, path: str, parse: Callable[[Reply], T], query: Mapping[str, str | int] | None = None) -> T:
        """As `Channel.get`."""
        return await self.channel.get(path, parse, query, passage=self.passage)

    async def post(self, path: str, parse: Callable[[Reply], T], body: Mapping[str, Any]) -> T:
        """As `Channel.post`."""
        return await self.channel.post(path, parse, body, passage=self.passage)

    async def delete(self, path: str, parse: Callable[[Reply], T]) -> T:
        """As `Channel.delete`."""
        return await self.channel.delete(path, parse)


def _is_silence(error: RequestError) -> bool:
    """Whether ``error`` is what a provider that is down looks like."""
    return isinstance(error, NotSent | LostAnswer) or (
        isinstance(error, UnexpectedAnswer) and (error.status or 0) >= _SERVER_ERROR
    )
