"""Whatever a connection does, one request ends in an answer or in the error that says whether it was processed."""

import asyncio
import gzip
import ssl
import zlib
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
from aiohttp import client_exceptions
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy
from raw_server import EPOCH, answer, hang, reset, say, serving, transporting
from virtual_time import now, run_online
from yarl import URL

from runner.errors import (
    AccessDenied,
    LostAnswer,
    NotSent,
    Refused,
    RequestError,
    Throttled,
    UnexpectedAnswer,
)
from runner.transport import MAX_BODY, Quota, Reply, Transport, message_of, quota, told_wait

SECRET = "tok-live-5f2"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJhcGlrZXkiOiJrIn0.c2lnbmF0dXJl"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def send(server, *, method="POST", body=None, **options):
    """One request to the server: the answer, or the error that it ended in."""
    async with transporting(**options) as transport:
        return await ask(transport, server, method, body)


async def ask(transport, server, method="POST", body=None):
    try:
        return await transport.request(method, URL(server.url + "/x"), {"Authorization": SECRET}, body)
    except RequestError as error:
        return error


async def meet(*acts, on_connect=None, **options):
    """What a request ends in that meets a server which acts so."""
    async with serving(*acts, on_connect=on_connect) as server:
        return await send(server, **options)


def http_date(seconds):
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


# -- statuses

MEANINGS = {
    **dict.fromkeys(range(200, 206), Reply),
    206: Reply,
    **dict.fromkeys([207, 208, 226, 299], Reply),
    **dict.fromkeys([300, 301, 302, 303, 304, 305, 307, 308], UnexpectedAnswer),
    **dict.fromkeys([400, 404], Refused),
    **dict.fromkeys([401, 403], AccessDenied),
    **dict.fromkeys([402, *range(405, 419), 421, 422, 423, 424, 425, 426, 428, 431, 451, 499], UnexpectedAnswer),
    **dict.fromkeys([429, 503], Throttled),
    **dict.fromkeys([500, 501, 502, 504, 505, 507, 508, 511, 520, 522, 524, 529, 599], UnexpectedAnswer),
}


async def test_every_status_means_what_it_says():
    """2xx is an answer, and every other status the error that tells whether the request was processed."""
    async with serving(*(answer(status, {"ok": 1}) for status in MEANINGS)) as server, transporting() as transport:
        met = {status: await ask(transport, server) for status in MEANINGS}
    assert {status: type(each) for status, each in met.items()} == MEANINGS
    assert all(each.status == status for status, each in met.items())
    assert len(server.requests) == len(MEANINGS)


async def test_a_throttle_tells_whether_it_may_have_been_processed():
    """A 429 was not processed; a 503 can come from a proxy whose upstream had done the work."""
    async with serving(answer(429), answer(503)) as server, transporting() as transport:
        assert [(await ask(transport, server)).processed for _ in range(2)] == [False, True]


@pytest.mark.parametrize("status", [0, 99, 101, 600, 999])
async def test_a_status_outside_http_is_unclear(status):
    """A status that HTTP does not know proves nothing."""
    met = await meet(say(answer(status), then_close=True))
    assert isinstance(met, LostAnswer | UnexpectedAnswer)


async def test_an_interim_answer_is_not_the_answer():
    """Early hints are passed over."""
    met = await meet(b"HTTP/1.1 103 Early Hints\r\n\r\n" + answer(200, {"done": True}))
    assert met.body == {"done": True}


async def test_a_redirect_is_not_followed():
    """A redirect would send the token and the number elsewhere, or turn a POST into a GET: it is an error."""
    async with serving(answer(200, {})) as elsewhere:
        met = await meet(answer(302, headers={"Location": elsewhere.url}))
        assert (type(met), met.status) == (UnexpectedAnswer, 302)
        assert elsewhere.requests == []


# -- bodies


async def test_an_answer_holds_the_status_the_document_and_the_quota():
    """A plain 200 is read whole, with nothing to explain."""
    limits = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "30"}
    assert await meet(answer(200, {"data": [1]}, limits)) == Reply(200, {"data": [1]}, Quota(100, 7, 30.0))


async def test_another_success_says_what_it_says():
    """A 206 carries its refusal as a sentence; a 204 has no body and needs none."""
    async with serving(answer(206, {"message": "No provider"}), answer(204)) as server, transporting() as transport:
        met = [await ask(transport, server) for _ in range(2)]
    assert met[0].message == "HTTP 206: No provider"
    assert (met[1].body, met[1].status) == (None, 204)


@pytest.mark.parametrize("raw", [b"", b"null", b"<html>ok</html>", b'{"cut', b"\xff\xfe", b"[" * 5000, b"NaN"])
async def test_a_success_without_a_document_is_unexpected(raw):
    """A 200 whose body is not JSON may come from anybody on the way: it is no success."""
    met = await meet(answer(200, raw=raw))
    assert (type(met), met.status, met.code) == (UnexpectedAnswer, 200, "bad_answer")


async def test_what_is_sent_is_json():
    """A body goes out as JSON with its length; a read has none."""
    async with serving(answer(200, {})) as server, transporting() as transport:
        await ask(transport, server, "POST", {"phone_number": "+14155550101"})
        await ask(transport, server, "GET")
    post, get = server.requests
    assert (post.line, post.body) == ("POST /x HTTP/1.1", b'{"phone_number":"+14155550101"}')
    assert (get.line, get.body, get.headers["authorization"]) == ("GET /x HTTP/1.1", b"", SECRET)


def bomb(size):
    return gzip.compress(b"0" * size)


GZIP = {"Content-Encoding": "gzip"}


async def test_compressed_answers_are_read():
    """Gzip and deflate are undone."""
    packed = answer(200, raw=gzip.compress(b'{"a": 1}'), headers=GZIP)
    deflated = answer(200, raw=zlib.compress(b'{"a": 1}'), headers={"Content-Encoding": "deflate"})
    async with serving(packed, deflated) as server, transporting() as transport:
        assert [(await ask(transport, server)).body for _ in range(2)] == [{"a": 1}] * 2


@pytest.mark.parametrize(
    "act",
    [
        answer(200, raw=bomb(50_000_000), headers=GZIP),
        answer(200, raw=b"0" * 2_000_000),
        CHUNKED + b"1e8480\r\n" + b"0" * 2_000_000 + b"\r\n0\r\n\r\n",
    ],
    ids=["bomb", "long", "chunked"],
)
async def test_an_endless_answer_is_not_read_to_its_end(act):
    """An answer beyond the bound is given up, packed or not, and its connection with it."""
    async with serving(act, answer(200, {})) as server, transporting(max_body=2**20) as transport:
        met = await ask(transport, server)
        assert isinstance(met, LostAnswer)
        assert "longer than 1048576 bytes" in str(met)
        assert isinstance(await ask(transport, server), Reply)


async def test_the_bound_itself_is_allowed():
    """An answer of exactly the bound is read; the bound is 64 MiB unless told otherwise."""
    document = b'"' + b"0" * (2**20 - 2) + b'"'
    assert isinstance(await meet(answer(200, raw=document), max_body=2**20), Reply)
    assert isinstance(await meet(answer(200, raw=document), max_body=2**20 - 1), LostAnswer)
    assert MAX_BODY == 64 * 2**20


# -- lost answers

LOST = {
    "hangs before the headers": hang(),
    "hangs within the headers": hang(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "hangs after the headers": hang(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
    "hangs within the body": hang(b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"a'),
    "resets after the request": reset,
    "closes after the request": say(b"", then_close=True),
    "closes within the headers": say(b"HTTP/1.1 200 OK\r\nContent-Le", then_close=True),
    "body shorter than its length": say(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"a": 1}', then_close=True),
    "length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n{}",
    "length below zero": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "chunk without a size": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "chunk cut off": say(CHUNKED + b'20\r\n{"a": 1}', then_close=True),
    "last chunk missing": say(CHUNKED + b"2\r\n{}\r\n", then_close=True),
    "no gzip": answer(200, {"a": 1}, GZIP),
    "gzip cut off": answer(200, raw=gzip.compress(b'{"a": 1}' * 99)[:30], headers=GZIP),
    "garbage": say(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", then_close=True),
    "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    "bad header": b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "control character in a header": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("act", LOST.values(), ids=LOST)
async def test_an_answer_that_breaks_off_is_lost(act, method):
    """The request left, so it may have been processed; and it left exactly once."""
    async with serving(act) as server:
        met = await send(server, method=method, timeout=0.2)
        assert type(met) is LostAnswer
        assert len(server.requests) == 1
    assert str(met)
    assert "\n" not in str(met)


async def test_a_reset_before_the_request_is_lost_too():
    """A connection that was made and then reset proves nothing about what the other side has read."""
    assert type(await meet(answer(200, {}), on_connect=reset)) is LostAnswer


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_kept_connection_that_fails_does_not_repeat_the_request(method):
    """Nothing is sent twice behind the back of the pacer, not even a read."""
    async with serving(answer(200, {}), reset, answer(200, {})) as server, transporting() as transport:
        met = [await ask(transport, server, method) for _ in range(3)]
        assert [type(each) for each in met] == [Reply, LostAnswer, Reply]
        assert (len(server.requests), server.connections) == (3, 2)


def test_the_timeout_bounds_the_whole_exchange():
    """An answer that trickles in a byte at a time is given up after the timeout as a whole."""

    async def trickle(server, writer):
        for byte in answer(200, {"a": 1}):
            writer.write(bytes([byte]))
            await asyncio.sleep(5)

    async def scenario():
        met = await meet(trickle, timeout=30.0)
        return met, now()

    met, took = run_online(scenario())
    assert (type(met), str(met)) == (LostAnswer, "no answer within 30 s")
    assert took == pytest.approx(30, abs=0.1)


@given(st.binary(max_size=200), st.booleans())
@example(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", False)
@example(b"HTTP/1.1 200 \r\nContent-Type: \xff\r\nContent-Length: 2\r\n\r\n{}", True)
@settings(max_examples=60, deadline=None)
def test_no_bytes_whatever_make_a_crash(data, with_status):
    """Random bytes in place of an answer, or after a status line, end in an answer or in one of our errors."""
    met = run_online(meet(say(b"HTTP/1.1 200 OK\r\n" * with_status + data, then_close=True)))
    assert isinstance(met, Reply | RequestError)
    assert not isinstance(met, NotSent)


# -- never sent


async def test_a_refused_connection_was_never_sent():
    """Nobody listens at the port: nothing left."""
    async with serving(answer(200, {})) as server:
        pass
    met = await send(server)
    assert type(met) is NotSent
    assert "could not connect to 127.0.0.1" in str(met)


async def test_an_unknown_host_was_never_sent():
    """A name that cannot be resolved: nothing left."""
    async with transporting() as transport:
        with pytest.raises(NotSent, match=r"nobody\.invalid"):
            await transport.request("POST", URL("http://nobody.invalid/"), {})


@pytest.mark.parametrize("url", ["http://", "http:///path", "ftp://127.0.0.1/", "http://127.0.0.1:99999/"])
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
        assert "certificate" in str(met)
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


# -- messages

ERROR_BODIES = [
    ({"status_code": 401, "message": "Authentication credentials were not provided."}, "Authentication credentials"),
    ({"error": {"code": "rate_limit_exceeded", "message": "Rate limit exceeded."}}, "Rate limit exceeded."),
    ({"status_code": 206, "message": "No provider linked to this number.", "data": {}}, "No provider linked"),
    ({"detail": "Not found."}, "Not found."),
    ({"status_code": 400, "message": "Error", "data": {"phone_number": ["bad"]}}, "Error"),
    ({"msg": "Number is not attached"}, "Number is not attached"),
    ({"message": "", "error": "Bad input"}, "Bad input"),
    ({"statusMessage": "Denied", "code": 7}, "Denied"),
]


@pytest.mark.parametrize(("body", "sentence"), ERROR_BODIES)
async def test_every_known_error_body_is_understood(body, sentence):
    """The sentence of each shape that the providers are known to send stands in the error."""
    assert f"HTTP 400: {sentence}" in str(await meet(answer(400, body)))


@pytest.mark.parametrize("raw", [b"<html><h1>502 Bad Gateway</h1></html>", b"", b"[1]", b'"text"', b'{"message": 5}'])
async def test_any_other_error_body_gives_the_reason(raw):
    """A page of HTML, nothing, or a document without a sentence: the status and its reason have to do."""
    assert str(await meet(answer(502, raw=raw, reason="Bad Gateway"))) == "HTTP 502: Bad Gateway"


async def test_a_status_without_a_reason_is_still_a_sentence():
    """Where the answer says nothing at all, the error says that."""
    assert str(await meet(answer(500, reason=""))) == "HTTP 500: no explanation"


def test_a_body_nested_without_end_is_no_trap():
    """A thousand dictionaries in each other hold no sentence, and no crash."""
    body = "deep"
    for _ in range(5000):
        body = {"error": body}
    assert message_of(body) is None


@pytest.mark.parametrize("text", [f"bad token {SECRET}!", f"bad token {SECRET}-long!", f"bad token {JWT}!"])
async def test_secrets_are_struck(text):
    """A provider that repeats a token in its error does not get it into ours; the longer of two secrets goes whole."""
    met = await meet(answer(401, {"message": text}), secrets=(SECRET, f"{SECRET}-long"))
    assert str(met) == "HTTP 401: bad token ***!"


async def test_secrets_are_struck_from_reasons_and_broken_answers():
    """Nor from the status line, nor from what aiohttp says of an answer that it cannot read."""
    reason = await meet(answer(500, reason=f"bad {SECRET}"), secrets=(SECRET,))
    garbage = await meet(say(f"{SECRET}\r\n\r\n".encode(), then_close=True), secrets=(SECRET,))
    assert SECRET not in str(reason) + str(garbage) + repr(garbage)


async def test_control_characters_are_struck():
    """An error cannot clear a terminal, or forge a line of the log."""
    met = await meet(answer(400, {"message": "a\x1b[2Jb\nc\u2028d\x9be\r\n"}))
    assert str(met) == "HTTP 400: a [2Jb c d e"


async def test_a_long_message_is_cut():
    """A stack trace of the provider's is not ours to keep."""
    met = await meet(answer(500, {"message": "x" * 10_000}))
    assert len(str(met)) == 200
    assert str(met).endswith("x…")


# -- patience

DATE = {"Date": http_date(EPOCH + 5000)}
WAITS = {
    "seconds": ({"Retry-After": "7"}, 7),
    "zero": ({"Retry-After": "0"}, 0),
    "fraction": ({"Retry-After": " 1.5 "}, 1.5),
    "date": ({"Retry-After": http_date(EPOCH + 60)}, 60),
    "date by a clock that is off": ({"Retry-After": http_date(EPOCH + 5060), **DATE}, 60),
    "past date": ({"Retry-After": http_date(EPOCH - 60)}, 0),
    "negative": ({"Retry-After": "-5"}, None),
    "garbage": ({"Retry-After": "soon"}, None),
    "empty": ({"Retry-After": ""}, None),
    "no number": ({"Retry-After": "nan"}, None),
    "infinite": ({"Retry-After": "inf"}, None),
    "none": ({}, None),
    "relative reset": ({"X-RateLimit-Reset": "30"}, 30),
    "unix reset": ({"X-RateLimit-Reset": f"{EPOCH + 45:.0f}"}, 45),
    "unix reset by a clock that is off": ({"X-RateLimit-Reset": f"{EPOCH + 5045:.0f}", **DATE}, 45),
    "past unix reset": ({"X-RateLimit-Reset": f"{EPOCH - 45:.0f}"}, 0),
    "unix reset beside a bad date": ({"X-RateLimit-Reset": f"{EPOCH + 45:.0f}", "Date": "yesterday"}, 45),
    "both": ({"Retry-After": "7", "X-RateLimit-Reset": "30"}, 7),
    "garbage and a reset": ({"Retry-After": "soon", "X-RateLimit-Reset": "30"}, 30),
}


@pytest.mark.parametrize(("headers", "wait"), WAITS.values(), ids=WAITS)
async def test_a_throttle_waits_as_long_as_it_is_told(headers, wait):
    """Retry-After comes first, then X-RateLimit-Reset; what makes no sense counts as not told."""
    met = await meet(answer(429, headers=headers))
    assert met.wait == wait


HEADER_TEXT = st.one_of(
    st.text(st.characters(codec="latin-1"), max_size=12),
    st.from_regex(r"[+-]?[0-9]{1,12}(\.[0-9]{1,3})?(e[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(
        ["9" * 5000, "inf", "-inf", "nan", "٣", "1_0", http_date(EPOCH), "Mon, 01 Jan 0001 00:00:00 +2300"]
    ),
)
NAMES = ["Retry-After", "X-RateLimit-Reset", "X-RateLimit-Remaining", "X-RateLimit-Limit", "Date"]


@given(st.dictionaries(st.sampled_from(NAMES), HEADER_TEXT))
@example({"X-RateLimit-Remaining": "9" * 5000, "X-RateLimit-Reset": "1"})
@settings(max_examples=500)
def test_no_header_makes_a_crash_or_an_endless_wait(headers):
    """Waits are finite and not negative, whatever the headers say."""
    wait, seen = told_wait(headers, EPOCH), quota(headers, EPOCH)
    assert wait is None or 0 <= wait < float("inf")
    assert seen is None or (0 <= seen.resets_in < float("inf") and 0 <= seen.remaining < 10**15)


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (("100", "7", "30"), Quota(100, 7, 30)),
        (("many", " 7 ", "30"), Quota(None, 7, 30)),
        ((None, "0", f"{EPOCH + 9:.0f}"), Quota(None, 0, 9)),
        (("100", None, "30"), None),
        (("100", "7", None), None),
        (("100", "-1", "30"), None),
        (("100", "7.5", "30"), None),
        (("100", "7", "soon"), None),
    ],
)
def test_a_quota_needs_what_is_left_and_when_it_resets(values, seen):
    """Without either there is nothing to heed; the limit alone may be missing."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    headers = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    assert quota(headers, EPOCH) == seen


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


class FailingSession:
    """A session that meets nothing but ``error``."""

    def __init__(self, error):
        self.error = error

    def request(self, *args, **options):
        raise self.error


async def outcome_of(error):
    transport = Transport(FailingSession(error), 1.0, (SECRET,), lambda: EPOCH)
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
