"""Whatever a connection does, one request ends in an answer or in the error that says whether it was processed."""

import asyncio
import gzip
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from raw_server import TOKEN, answer, ask, hang, meet, reset, say, send, serving, transporting
from virtual_time import now, run_online

from runner.errors import (
    AccessDenied,
    LostAnswer,
    NotSent,
    Refused,
    RequestError,
    Throttled,
    UnexpectedAnswer,
)
from runner.transport import MAX_BODY, Quota, Reply

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


# -- statuses

MEANINGS = {
    **dict.fromkeys(range(200, 207), Reply),
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
    bodies = {status: None if status in {204, 304} else {"ok": 1} for status in MEANINGS}
    async with (
        serving(*(answer(status, body) for status, body in bodies.items())) as server,
        transporting() as transport,
    ):
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
    assert await meet(answer(200, {"data": [1]}, limits)) == Reply(200, b'{"data": [1]}', Quota(100, 7, 30.0))


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


async def test_a_success_that_was_packed_and_cut_is_unexpected():
    """A packed answer whose end is missing is no document either."""
    met = await meet(answer(200, raw=gzip.compress(b'{"a": 1}' * 99)[:30], headers=GZIP))
    assert isinstance(met, UnexpectedAnswer)


async def test_what_is_sent_is_json():
    """A body goes out as JSON with its length; a read has none."""
    async with serving(answer(200, {})) as server, transporting() as transport:
        await ask(transport, server, "POST", {"phone_number": "+14155550101"})
        await ask(transport, server, "GET")
    post, get = server.requests
    assert (post.line, post.body) == ("POST /x HTTP/1.1", b'{"phone_number":"+14155550101"}')
    assert (get.line, get.body, get.headers["authorization"]) == ("GET /x HTTP/1.1", b"", TOKEN)


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


LARGE = b'["' + b"0" * 2**20


@pytest.mark.parametrize("end", [b'"', b"", b'"' + b"]" * 2000])
async def test_a_large_answer_is_held_to_be_json_as_well(end):
    """It is not decoded as a whole for that."""
    whole, broken = [await meet(answer(200, raw=LARGE + each), max_body=2**21) for each in (b'"]', end)]
    assert whole.body == whole.read(list[str]) == ["0" * 2**20]
    assert (type(broken), broken.code) == (UnexpectedAnswer, "bad_answer")


async def test_what_only_shows_when_a_large_answer_is_decoded():
    """Who reads the part that is no text learns that; who asks for the whole gets nothing."""
    broken = await meet(answer(200, raw=LARGE + b'", "\xff"]'), max_body=2**21)
    assert broken.body is None
    with pytest.raises(UnexpectedAnswer, match="not as documented"):
        broken.read(list[str])


async def test_an_answer_of_another_kind_is_not_as_documented():
    """What is missing, or something else than it should be, is named."""
    reply = await meet(answer(200, {"data": [1]}))
    assert reply.read(dict[str, list[int]]) == {"data": [1]}
    with pytest.raises(UnexpectedAnswer, match="Expected `str`, got `int`"):
        reply.read(dict[str, list[str]])


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
            await writer.drain()
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
