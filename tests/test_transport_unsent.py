"""What fails before a request has left was certainly not processed; and every error of aiohttp's has its meaning."""

import ssl
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from aiohttp import client_exceptions
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from raw_server import EPOCH, TOKEN, answer, hang, send, serving, transporting
from virtual_time import now, run_online
from yarl import URL

from runner.errors import (
    LostAnswer,
    NotSent,
    RequestError,
)
from runner.transport import Transport

# -- never sent


async def test_a_refused_connection_was_never_sent():
    """Nobody listens at the port: nothing left, and one reads why in plain words."""
    async with serving(answer(200, {})) as server:
        pass
    met = await send(server)
    assert type(met) is NotSent
    assert str(met) == f"could not connect to 127.0.0.1:{URL(server.url).port}: Connection refused"


async def test_an_unknown_host_was_never_sent():
    """A name that cannot be resolved: nothing left."""
    async with transporting() as transport:
        with pytest.raises(NotSent, match=r"^could not connect to nobody\.invalid: [\w ]+$"):
            await transport.request("POST", URL("http://nobody.invalid/"), {})


@pytest.mark.parametrize("url", ["http://", "http:///path", "ftp://127.0.0.1/"])
async def test_an_unusable_address_was_never_sent(url):
    """What is no address of a web server ends as never sent, not as a bug."""
    async with transporting() as transport:
        with pytest.raises(NotSent):
            await transport.request("POST", URL(url, encoded=True), {})


async def test_an_untrusted_certificate_was_never_sent():
    """A handshake that fails over the certificate: nothing left."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(__file__).with_name("self_signed.pem"))
    async with serving(answer(200, {}), ssl=context) as server:
        met = await send(server)
        assert type(met) is NotSent
        assert "certificate verify failed: self-signed certificate" in str(met)
        assert server.requests == []


async def test_a_server_without_tls_was_never_sent_to():
    """A handshake that meets plain HTTP: nothing left."""

    async def greet(server, writer):
        writer.write(answer(400))

    async with serving(answer(200, {}), on_connect=greet) as server:
        server.url = server.url.replace("http:", "https:")
        assert type(await send(server)) is NotSent


@pytest.mark.parametrize("timeout", [2.0, 7.0, 30.0])
def test_a_connection_that_is_never_made_was_never_sent(timeout):
    """A handshake that never ends is given up before the exchange is, and at the latest after ten seconds."""

    async def scenario():
        async with serving(answer(200, {}), on_connect=hang()) as server:
            server.url = server.url.replace("http:", "https:")
            return await send(server, timeout=timeout), now()

    met, took = run_online(scenario())
    assert type(met) is NotSent
    assert took == pytest.approx(min(0.9 * timeout, 10), abs=0.1)


# -- aiohttp's errors, all of them


class Case(NamedTuple):
    """An aiohttp error, and the one of ours that it becomes; None where a request cannot meet it."""

    error: Exception
    ours: type[RequestError] | None


INFO = aiohttp.RequestInfo(URL("http://example.net/x"), "POST", CIMultiDictProxy(CIMultiDict()))
KEY = ConnectionKey("example.net", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)
CERTIFICATE = ssl.CertificateError("bad certificate")
REFUSED = OSError(111, "refused")
C = client_exceptions
CASES = [
    Case(C.ClientConnectorError(KEY, REFUSED), NotSent),
    Case(C.ClientConnectorDNSError(KEY, REFUSED), NotSent),
    Case(C.ClientConnectorSSLError(KEY, REFUSED), NotSent),
    Case(C.ClientSSLError(KEY, REFUSED), NotSent),
    Case(C.ClientConnectorCertificateError(KEY, CERTIFICATE), NotSent),
    Case(C.ClientProxyConnectionError(KEY, REFUSED), NotSent),
    Case(C.UnixClientConnectorError("/socket", KEY, REFUSED), NotSent),
    Case(C.ConnectionTimeoutError("slow"), NotSent),
    Case(C.ClientHttpProxyError(INFO, ()), NotSent),
    Case(C.InvalidURL("x"), NotSent),
    Case(C.InvalidUrlClientError("x"), NotSent),
    Case(C.NonHttpUrlClientError("x"), NotSent),
    # No redirect is followed: these cannot come after an answer.
    Case(C.InvalidUrlRedirectClientError("x"), NotSent),
    Case(C.NonHttpUrlRedirectClientError("x"), NotSent),
    Case(C.RedirectClientError("x"), LostAnswer),
    Case(C.TooManyRedirects(INFO, ()), LostAnswer),
    # No fingerprint is given.
    Case(C.ServerFingerprintMismatch(b"a", b"b", "example.net", 443), LostAnswer),
    Case(C.ClientError("x"), LostAnswer),
    Case(C.ClientConnectionError("x"), LostAnswer),
    Case(C.ClientConnectionResetError("x"), LostAnswer),
    Case(C.ClientOSError(104, "reset"), LostAnswer),
    Case(C.ClientPayloadError("x"), LostAnswer),
    Case(C.ClientResponseError(INFO, ()), LostAnswer),
    Case(C.ContentTypeError(INFO, ()), LostAnswer),
    Case(C.ServerConnectionError("x"), LostAnswer),
    Case(C.ServerDisconnectedError(), LostAnswer),
    Case(C.ServerTimeoutError(), LostAnswer),
    Case(C.SocketTimeoutError(), LostAnswer),
    Case(C.WSServerHandshakeError(INFO, ()), LostAnswer),
    # Only a web socket raises it.
    Case(C.WSMessageTypeError("x"), None),
]
NEWER = {"UploadAbortedError": LostAnswer}
"""What only some versions of aiohttp have."""


def aiohttp_errors():
    return {each for each in vars(C).values() if isinstance(each, type) and issubclass(each, Exception)}


class FailingConnections:
    """Connections that meet nothing but ``error``."""

    def __init__(self, error):
        self.error = error

    async def exchange(self, *args, **options):
        raise self.error


async def outcome_of(error):
    transport = Transport(FailingConnections(error), 1.0, (TOKEN,), lambda: EPOCH)
    try:
        return await transport.request("POST", URL("http://127.0.0.1/"), {})
    except RequestError as ours:
        return ours


def test_every_error_of_aiohttp_is_in_the_table():
    """A class that aiohttp adds fails here until somebody has decided what it means."""
    ours = {type(case.error) for case in CASES} | {getattr(C, name) for name in NEWER if hasattr(C, name)}
    assert aiohttp_errors() - ours == set()


@pytest.mark.parametrize("case", CASES, ids=lambda case: type(case.error).__name__)
async def test_every_error_of_aiohttp_becomes_one_of_ours(case):
    """Each is translated on purpose: what happened before the request left is NotSent, all else may be processed."""
    if case.ours is None:
        with pytest.raises(type(case.error)):
            await outcome_of(case.error)
        return
    met = await outcome_of(case.error)
    assert type(met) is case.ours
    assert met.__cause__ is case.error


@pytest.mark.parametrize(("name", "ours"), NEWER.items())
async def test_errors_of_newer_versions_become_ours(name, ours):
    """Where this version has them they are translated as well."""
    if not hasattr(C, name):
        pytest.skip(f"this aiohttp has no {name}")
    assert type(await outcome_of(getattr(C, name)("x"))) is ours


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError("x"), BrokenPipeError(), ValueError("x")])
async def test_errors_of_the_system_are_lost_answers(error):
    """What Python itself raises in the middle of an exchange proves nothing either."""
    assert type(await outcome_of(error)) is LostAnswer


async def test_a_bug_stays_a_bug():
    """An error that nobody foresaw is not taken for an answer."""
    with pytest.raises(ZeroDivisionError):
        await outcome_of(ZeroDivisionError())
