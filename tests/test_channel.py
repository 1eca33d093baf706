"""A lane's line: paced, counted and authorised, and it knows when nobody answers."""

import asyncio
import itertools
from contextlib import asynccontextmanager

import pytest
from raw_server import EPOCH, answer, hang, reset, serving, transporting
from virtual_time import now, run_online

from runner.channel import Channel
from runner.credentials import GivenToken, MintedToken
from runner.errors import AccessDenied, LaneStopped, LostAnswer, NotSent, RequestError, UnexpectedAnswer
from runner.pacing import Pacer
from runner.policy import Rate

OK = answer(200, {"n": 1})
SECRET = "0123456789abcdef" * 4


def whole(reply):
    return reply.body


def minted():
    """A token that is another one each time it is minted: its clock goes on by a second with every look at it."""
    ticks = itertools.count()
    return MintedToken("key", SECRET, lambda: EPOCH + next(ticks))


@asynccontextmanager
async def channelling(*acts, token=None, rate=1000.0, timeout=5.0):  # noqa: ASYNC109 - the transport's own
    async with serving(*acts) as server, transporting(timeout=timeout, concurrency=32) as transport:
        given = token or GivenToken("tok")
        yield server, Channel(server.url + "/v2", transport, Pacer(Rate(rate)), given, lambda text: {"X-Token": text})


async def attempt(channel, method="get"):
    """One request: its answer, or the error that it ended in."""
    try:
        return await (channel.get("/x", whole) if method == "get" else channel.post("/x", whole, {}))
    except RequestError as error:
        return error


# -- what is sent


async def test_a_path_is_sent_as_it_is_encoded():
    """What is escaped stays escaped, a slash at the end stays, and a query is encoded by itself."""
    async with channelling(OK) as (server, channel):
        await channel.get("/phone-numbers/%2B1415%7E", whole)
        await channel.get("/bridges/a%20b/", whole, {"page": 2, "search": "+1 &"})
        await channel.post("/a%2Fb/detach/", whole, {"number": "+1"})
    assert [request.line.split()[1] for request in server.requests] == [
        "/v2/phone-numbers/%2B1415%7E",
        "/v2/bridges/a%20b/?page=2&search=%2B1+%26",
        "/v2/a%2Fb/detach/",
    ]


async def test_a_request_carries_the_token_and_the_document():
    """The headers are what ``authorize`` makes of the token; the answer is what ``parse`` makes of it."""
    async with channelling(OK) as (server, channel):
        assert await channel.post("/x", lambda reply: reply.body["n"] + 1, {"number": "+1"}) == 2
    (request,) = server.requests
    assert (request.line, request.body) == ("POST /v2/x HTTP/1.1", b'{"number":"+1"}')
    assert request.headers["x-token"] == "tok"


async def test_an_answer_that_makes_no_sense_is_an_error():
    """What ``parse`` raises is passed on."""

    def refuse(reply):
        raise UnexpectedAnswer("no sense")

    async with channelling(OK) as (_, channel):
        with pytest.raises(UnexpectedAnswer, match="no sense"):
            await channel.get("/x", refuse)


# -- access


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_minted_token_that_is_refused_is_renewed_once(method, status):
    """The same request goes again with a new token, and takes a grant of its own."""

    async def scenario():
        async with channelling(answer(status), OK, token=minted(), rate=1.0) as (server, channel):
            return await attempt(channel, method), server.requests, channel.tally.requests

    met, requests, counted = run_online(scenario())
    assert met == {"n": 1}
    assert len({request.headers["x-token"] for request in requests}) == len(requests) == counted == 2
    assert requests[1].at - requests[0].at >= 1


async def test_a_new_token_that_is_refused_as_well_is_the_end():
    """A second refusal is about the account, and is not asked a third time."""
    async with channelling(answer(401), token=minted()) as (server, channel):
        assert isinstance(await attempt(channel), AccessDenied)
        assert len(server.requests) == 2


async def test_a_given_token_that_is_refused_is_not_tried_again():
    """There is no other one."""
    async with channelling(answer(401)) as (server, channel):
        assert isinstance(await attempt(channel, "post"), AccessDenied)
        assert len(server.requests) == 1


async def test_workers_that_are_refused_together_share_one_new_token():
    """Eight requests with an old token lead to one new one, not to eight."""
    together = asyncio.Barrier(8)

    async def refuse(server, writer):
        await together.wait()
        writer.write(answer(401))

    async with channelling(*[refuse] * 8, OK, token=minted()) as (server, channel):
        assert await asyncio.gather(*(attempt(channel) for _ in range(8))) == [{"n": 1}] * 8
    assert len(server.requests) == 16
    assert len({request.headers["x-token"] for request in server.requests}) == 2


# -- pace


def test_what_an_answer_says_is_left_is_heeded():
    """After ``Remaining: 0`` the next request leaves at the reset."""
    last = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "40"}

    async def scenario():
        async with channelling(answer(200, {}, last), OK) as (server, channel):
            await channel.get("/x", whole)
            await channel.get("/x", whole)
            return server.requests

    first, second = run_online(scenario())
    assert second.at - first.at == pytest.approx(40, abs=0.1)


async def test_requests_under_way_count_as_gone():
    """Of three that are left, two are under way: one more may leave before the reset."""
    left = {"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "400"}
    async with channelling(hang(), hang(), answer(200, {}, left), OK) as (server, channel):
        hanging = [asyncio.create_task(attempt(channel)) for _ in range(2)]
        await server.received(2)
        await channel.get("/x", whole)
        assert channel.pacer.paused_for == 0
        await channel.get("/x", whole)
        assert channel.pacer.paused_for == pytest.approx(400, abs=1)
        for task in hanging:
            task.cancel()


async def test_a_closed_lane_lets_looks_through_and_nothing_else():
    """A POST that may not leave is neither sent nor counted, and says nothing about the provider."""
    async with channelling(OK) as (server, channel):
        channel.pacer.close(within=5)
        assert isinstance(await attempt(channel, "post"), LaneStopped)
        assert await attempt(channel) == {"n": 1}
        assert (len(server.requests), channel.tally.requests, channel.silent_for) == (1, 1, 0)


# -- counts


def test_requests_throttles_and_latencies_are_counted():
    """Every request that leaves counts, every 429 and 503 as throttled, and the time of every success."""

    async def slowly(server, writer):
        await asyncio.sleep(2)
        writer.write(OK)

    async def scenario():
        async with channelling(slowly, answer(429), answer(503), answer(400), reset, OK) as (_, channel):
            for _ in range(6):
                await attempt(channel)
            return channel.tally

    tally = run_online(scenario())
    assert (tally.requests, tally.throttled, tally.buckets.total()) == (6, 2, 2)
    assert tally.longest_ms == pytest.approx(2000, abs=5)


def test_time_at_work_is_counted_while_it_goes_on():
    """``active_s`` is the time inside ``at_work``, up to the moment of asking, and none outside of it."""

    async def scenario():
        async with channelling(OK) as (_, channel):
            assert channel.counted().active_s == 0
            with channel.at_work():
                await asyncio.sleep(3)
                assert channel.counted().active_s == pytest.approx(3, abs=0.01)
                await asyncio.sleep(2)
            await asyncio.sleep(60)
            assert channel.counted().active_s == pytest.approx(5, abs=0.01)
            with channel.at_work():
                await asyncio.sleep(1)
            return channel.tally.active_s

    assert run_online(scenario()) == pytest.approx(6, abs=0.01)


@pytest.mark.parametrize("count", [1, 2, 3, 10, 15, 16, 40])
def test_each_request_takes_its_interval_of_the_time_at_work(count):
    """However many leave at once in the beginning, a lane that keeps its rate is not said to have exceeded it."""

    async def scenario():
        async with channelling(OK, rate=15.0) as (_, channel):
            for _ in range(2):
                with channel.at_work():
                    await asyncio.gather(*(attempt(channel) for _ in range(count)))
                await asyncio.sleep(60)
            return channel.tally

    tally = run_online(scenario())
    assert 14.0 < tally.requests / tally.active_s <= 15.0 + 1e-9


@pytest.mark.parametrize("act", [OK, answer(500), answer(401), reset], ids=["ok", "500", "401", "reset"])
async def test_nothing_is_in_flight_afterwards(act):
    """However a request ends, it is no longer under way."""
    async with channelling(act, token=minted()) as (_, channel):
        await attempt(channel, "post")
        assert channel.in_flight == 0


async def test_a_cancelled_request_is_not_in_flight():
    """Nor is one that was given up from outside."""
    async with channelling(hang()) as (server, channel):
        task = asyncio.create_task(attempt(channel))
        await server.received(1)
        assert channel.in_flight == 1
        task.cancel()
        await asyncio.wait([task])
        assert channel.in_flight == 0


# -- silence

SILENT = {"500": answer(500), "502": answer(502), "reset": reset, "hang": hang()}
HEARD = {"200": OK, "400": answer(400), "404": answer(404), "401": answer(401), "429": answer(429), "302": answer(302)}


@pytest.mark.parametrize("act", SILENT.values(), ids=SILENT)
def test_three_unanswered_requests_mean_away(act):
    """No answer, or nothing but server errors, three times in a row: the provider is away, since the first of them."""

    async def scenario():
        async with channelling(act, timeout=2.0) as (_, channel):
            seen = []
            for _ in range(3):
                seen.append(channel.away)
                await attempt(channel)
                await asyncio.sleep(10)
            return seen, channel.away, channel.silent_for, now()

    seen, away, silent_for, ended = run_online(scenario())
    assert seen == [False] * 3
    assert away
    assert silent_for == pytest.approx(ended, abs=0.1)


@pytest.mark.parametrize("act", HEARD.values(), ids=HEARD)
async def test_any_answer_ends_the_silence(act):
    """A refusal or a throttle is an answer too."""
    async with channelling(reset, reset, reset, act) as (_, channel):
        for _ in range(3):
            await attempt(channel)
        assert channel.away
        await attempt(channel)
        assert not channel.away
        assert channel.silent_for == 0


async def test_a_refused_connection_is_silence():
    """A port at which nobody listens is a provider that is away."""
    async with channelling(OK) as (_, channel):
        channel.base_url = "http://127.0.0.1:1"
        met = [await attempt(channel) for _ in range(3)]
        assert {type(each) for each in met} == {NotSent}
        assert channel.away


def test_silence_is_counted_anew_after_an_answer():
    """Three lost answers with one that came between them do not make a provider that is away."""

    async def scenario():
        async with channelling(reset, reset, OK, reset) as (_, channel):
            met = []
            for _ in range(4):
                met.append(type(await attempt(channel)))
                await asyncio.sleep(10)
            return met, channel.away, channel.silent_for

    met, away, silent_for = run_online(scenario())
    assert met == [LostAnswer, LostAnswer, dict, LostAnswer]
    assert not away
    assert silent_for == pytest.approx(10, abs=0.1)
