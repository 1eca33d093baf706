"""One HTTP/1.1 exchange on a connection of a pool: aiohttp's connector, TLS and parser, without its session.

A session costs more than twice what all the rest of an exchange does, repeats reads by itself, and cannot say when a
request leaves. Whoever holds the connection knows that, and sees when an answer is on it that nobody asked for.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple, Self

import aiohttp

from runner.errors import NotSent
from runner.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from aiohttp.connector import Connection
    from yarl import URL

_CONNECT_TIMEOUT = 10.0
# Connecting has to end before the exchange does: a request that never left must not look like one whose answer is lost.
_CONNECT_SHARE = 0.9
_DNS_CACHE = 300
_FIXED = f"Accept-Encoding: gzip, deflate\r\nUser-Agent: teardown/{VERSION}\r\n"
_UNSAFE = re.compile(r"[\r\n\0]")
_INTERIM = range(100, 200)
_SWITCHED = 101


class Answer(NamedTuple):
    """What came back, whole; ``content`` is decompressed."""

    status: int
    reason: str | None
    headers: Mapping[str, str]
    content: bytes | bytearray


class Connections:
    """At most ``limit`` connections, kept while they are idle; ``timeout`` in seconds bounds each whole exchange.

    Made and used in one event loop; ``async with`` closes them.
    """

    def __init__(self, limit: int, timeout: float) -> None:
        self.connector = aiohttp.TCPConnector(limit=limit, ttl_dns_cache=_DNS_CACHE)
        connect = min(timeout * _CONNECT_SHARE, _CONNECT_TIMEOUT)
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect, ceil_threshold=_CONNECT_TIMEOUT)
        self._places: dict[tuple[str, str | None, int | None], aiohttp.ClientRequest] = {}
        self._headers: Mapping[str, str] = {}
        self._lines = _FIXED

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.connector.close()

    async def exchange(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        data: bytes | None,
        *,
        most: int,
        connected: Callable[[], None],
    ) -> Answer:
        """Send a request and return its answer; ``connected`` is called when it is about to be written.

        Raises aiohttp's errors, OSError, and ValueError when the answer is larger than ``most`` bytes. Nothing was sent
        if it was a NotSent, a ClientConnectorError, a ConnectionTimeoutError, an InvalidURL or a NonHttpUrlClientError.
        """
        request = self._head(method, url, headers, data) + (data or b"")
        connection = await self._connect(url)
        try:
            connected()
            answer = await _exchanged(connection, request, most)
        except BaseException:
            connection.close()
            raise
        connection.release()
        return answer

    def _head(self, method: str, url: URL, headers: Mapping[str, str], data: bytes | None) -> bytes:
        if headers is not self._headers:  # an account sends the same ones with all of its requests
            self._headers, self._lines = headers, _head_lines(headers)
        length = "" if data is None else f"Content-Length: {len(data)}\r\n"
        place = f"{url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}"
        return f"{method} {place}\r\n{self._lines}{length}\r\n".encode()

    async def _connect(self, url: URL) -> Connection:
        """Return a connection on which nothing waits that an earlier request has left behind."""
        place = self._place(url)
        try:
            while True:
                connection = await self.connector.connect(place, [], self._timeout)
                if connection.protocol is None or not connection.protocol.should_close:
                    return connection
                connection.close()
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"no connection within {self._timeout.sock_connect:g} s") from error

    def _place(self, url: URL) -> aiohttp.ClientRequest:
        """Return what a connector wants to know of where a connection leads: a request that is never sent itself."""
        key = (url.scheme, url.raw_host, url.port)
        if key not in self._places:
            if url.scheme not in ("http", "https"):
                raise aiohttp.NonHttpUrlClientError(url)
            self._places[key] = aiohttp.ClientRequest("GET", url, loop=asyncio.get_running_loop())
        return self._places[key]


def _head_lines(headers: Mapping[str, str]) -> str:
    if _UNSAFE.search("".join(headers.values())):
        raise NotSent("a header would hold a line break; nothing is sent with that")
    return _FIXED + "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


async def _exchanged(connection: Connection, request: bytes, most: int) -> Answer:
    transport, protocol = connection.transport, connection.protocol
    if transport is None or protocol is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("the connection was closed as soon as it was made")
    protocol.set_response_params(read_until_eof=True)
    transport.write(request)
    message, body = await protocol.read()
    while message.code in _INTERIM and message.code != _SWITCHED:
        message, body = await protocol.read()
    content = await _read(body, most)
    return Answer(message.code, message.reason, message.headers, content)


async def _read(body: aiohttp.StreamReader, most: int) -> bytes | bytearray:
    """Return the whole body; ValueError when it is larger than ``most`` bytes."""
    content: bytes | bytearray = await body.readany()
    while len(content) <= most:
        if not (chunk := await body.readany()):
            return content
        if isinstance(content, bytes):
            content = bytearray(content)  # which grows where it is: a list of chunks would be joined into a copy
        content += chunk
    raise ValueError(f"it is longer than {most} bytes")
