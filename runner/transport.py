"""One request, one answer: the only place where aiohttp's errors and HTTP's statuses become ours."""

from __future__ import annotations

import math
import os
import re
import ssl
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
import msgspec
import orjson
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import Struct

from runner.deadlines import Deadlines
from runner.errors import AccessDenied, LostAnswer, NotSent, Refused, RequestError, Throttled, UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from yarl import URL

    from runner.connections import Answer, Connections

T = TypeVar("T")

MAX_BODY = 64 * 2**20
"""Bytes of an answer that are read at most, after decompression: a listing of some 500,000 numbers."""

# An answer of so many bytes is not decoded as a whole unless somebody asks for that: it would take six times as many.
_LARGE = 2**20
_UNREAD = object()
_MESSAGE_KEYS = ("message", "error", "detail", "msg", "statusMessage")
_MESSAGE_LENGTH = 200
_UNIX_TIME = 10**9
_OK = 200
_COUNT = re.compile(r"\s*(\d{1,15})\s*", re.ASCII)
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Quota(Struct, frozen=True):
    """What X-RateLimit headers tell: requests ``limit`` and ``remaining`` until the reset, ``resets_in`` seconds."""

    limit: int | None
    remaining: int
    resets_in: float


@dataclass(slots=True)
class Reply:
    """An answer with a 2xx status; ``content`` is what came, which is JSON where the status is 200.

    Of a large one only its outline has been checked, so that ``body`` may still be null.

    ``message`` is its status and what it says, fit to be shown; null for a plain 200.
    """

    status: int
    content: bytes | bytearray
    quota: Quota | None = None
    message: str | None = None
    _body: Any = field(default=_UNREAD, repr=False, compare=False)

    @property
    def body(self) -> Any:
        """The decoded JSON, null when it is none."""
        if self._body is _UNREAD:
            self._body = _decode(self.content)
        return self._body

    def read(self, kind: type[T]) -> T:
        """Return the JSON as a ``kind``, such as a msgspec.Struct with fields that are Raw; else UnexpectedAnswer."""
        try:
            return msgspec.json.decode(self.content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UnexpectedAnswer(f"the answer is not as documented: {error}", code="bad_answer") from error

    @property
    def is_json(self) -> bool:
        """Whether there is something that can be decoded."""
        if len(self.content) < _LARGE:
            return self.body is not None
        try:
            self.read(msgspec.Raw)
        except UnexpectedAnswer:
            return False
        return True


@dataclass(slots=True)
class Transport:
    """Sends requests over ``connections``; ``timeout`` in seconds bounds each whole exchange, ``max_body`` its answer.

    ``secrets``, and whatever looks like a minted token, are struck from every message; ``now`` gives seconds since
    the epoch.
    """

    connections: Connections
    timeout: float
    secrets: Collection[str]
    now: Callable[[], float]
    max_body: int = MAX_BODY
    deadlines: Deadlines = field(init=False)

    def __post_init__(self) -> None:
        self.deadlines = Deadlines(self.timeout)

    async def request(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: object = None,
        *,
        connected: Callable[[], None] = lambda: None,
    ) -> Reply:
        """Return the answer when its status is 2xx; raise a RequestError that tells whether it was processed.

        ``connected`` is called when the request has its connection, and is written to it at once.
        """
        data = None if body is None else orjson.dumps(body)
        try:
            with self.deadlines.limit():
                answer = await self.connections.exchange(
                    method, url, headers, data, most=self.max_body, connected=connected
                )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.ClientHttpProxyError) as error:
            where = url.host_port_subcomponent
            raise NotSent(f"could not connect to {where}: {self._clean(_obstacle(error))}") from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise NotSent(f"{self._clean(str(url))} is not a usable address") from error
        except TimeoutError as error:
            raise LostAnswer(f"no answer within {self.timeout:g} s") from error
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            raise LostAnswer(f"the answer was lost: {self._clean(str(error) or type(error).__name__)}") from error
        return self._judge(answer)

    def _judge(self, answer: Answer) -> Reply:
        status, headers = answer.status, answer.headers
        reply = Reply(status, answer.content, quota(headers, self.now()))
        if status == _OK:
            if not reply.is_json:
                raise UnexpectedAnswer("HTTP 200 whose body is not JSON", status=status, code="bad_answer")
            return reply
        reply.message = self._clean(f"HTTP {status}: {message_of(reply.body) or answer.reason or 'no explanation'}")
        if 200 <= status < 300:  # noqa: PLR2004 - the range that HTTP calls success
            return reply
        raise error_for(status, reply.message, headers, self.now())

    def _clean(self, text: str) -> str:
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        text = _CONTROL.sub(" ", _JWT.sub("***", text))
        return text if len(text) <= _MESSAGE_LENGTH else text[: _MESSAGE_LENGTH - 1] + "…"


def error_for(status: int, message: str, headers: Mapping[str, str], now: float) -> RequestError:
    """Return the error that an answer with a status other than 2xx stands for."""
    match status:
        case 401 | 403:
            return AccessDenied(message, status=status)
        case 400 | 404:
            return Refused(message, status=status)
        case 429 | 503:
            return Throttled(message, status=status, wait=told_wait(headers, now), processed=status != 429)  # noqa: PLR2004 - see the case
        case _:
            return UnexpectedAnswer(message, status=status)


def message_of(body: Any) -> str | None:
    """Return the sentence in any of the error bodies that the providers are known to send, or None."""
    if not isinstance(body, dict):
        return None
    for key in _MESSAGE_KEYS:
        value = body.get(key)
        # One level down, as in {"error": {"message": …}}, and no further: an answer may be nested without end.
        inner = [value.get(each) for each in _MESSAGE_KEYS] if isinstance(value, dict) else [value]
        for sentence in inner:
            if isinstance(sentence, str) and sentence.strip():
                return sentence.strip()
    return None


def told_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that Retry-After (a number or a date), else X-RateLimit-Reset, asks to wait; None when neither does."""
    told = _seconds_until(headers.get("Retry-After"), headers, now)
    return told if told is not None else _seconds_until(headers.get("X-RateLimit-Reset"), headers, now)


def quota(headers: Mapping[str, str], now: float) -> Quota | None:
    """Return what the X-RateLimit headers of an answer say, None where they are missing or no numbers."""
    remaining = headers.get("X-RateLimit-Remaining")
    if remaining is None:
        return None
    left, limit = _COUNT.fullmatch(remaining), _COUNT.fullmatch(headers.get("X-RateLimit-Limit", ""))
    resets_in = _seconds_until(headers.get("X-RateLimit-Reset"), headers, now)
    if resets_in is None or not left:
        return None
    return Quota(int(limit[1]) if limit else None, int(left[1]), resets_in)


def _seconds_until(value: str | None, headers: Mapping[str, str], now: float) -> float | None:
    """Return seconds from now; a moment is compared with the provider's own Date, so that no clock has to be right."""
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        moment = _moment(value)
        return None if moment is None else max(0.0, moment - (_moment(headers.get("Date")) or now))
    if number >= _UNIX_TIME:
        return max(0.0, number - (_moment(headers.get("Date")) or now)) if math.isfinite(number) else None
    return number if number >= 0 else None


def _moment(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except (ValueError, OverflowError):
        return None


def _obstacle(error: aiohttp.ClientError) -> str:
    """Return why there is no connection, in the system's words where it has some."""
    cause = getattr(error, "os_error", None)
    if not isinstance(cause, OSError) or isinstance(cause, ssl.SSLError):
        return str(cause or error)
    return os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror or str(error)


def _decode(content: bytes | bytearray) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
