"""A lane stops once, wakes whoever waits, and reads with patience."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from raw_server import answer, reset, serving, transporting
from virtual_time import now, run, run_online

from runner import providers
from runner.adaptive import AdaptiveRate
from runner.channel import Channel
from runner.credentials import GivenToken
from runner.decide import Look, Send
from runner.errors import AccessDenied, LaneStopped, LostAnswer, Refused, RequestError, Throttled, UnexpectedAnswer
from runner.lanes import Lane, PatientReads, Stop
from runner.pacing import Pacer
from runner.policy import Rate, RetryPolicy

OK = answer(200, {"n": 1})
POLICY = RetryPolicy(max_attempts=3, base_delay=2.0, max_delay=8.0, max_throttle_wait=60.0)
THROTTLED = Throttled("wait", status=429, wait=5, processed=False)
UNSAID = Throttled("wait", status=429, wait=None, processed=False)
LONGEST_ROLL = 1.0


def lane_of(url="http://127.0.0.1:1", transport=None, roll=LONGEST_ROLL, rate=None):
    channel = Channel(url, transport, Pacer(rate or Rate(1000.0)), GivenToken("tok"), lambda _: {})
    return Lane("main", providers.load("unpod"), channel, POLICY, concurrency=4, drain_s=30.0, roll=lambda: roll)


@asynccontextmanager
async def reading(*acts, roll=LONGEST_ROLL):
    async with serving(*acts) as server, transporting() as transport:
        yield server, lane_of(server.url, transport, roll)


async def read(lane, parse=lambda reply: reply.body, *, outlast=False):
    """One patient read: its answer, or the error that it gave up with."""
    try:
        return await PatientReads(lane, outlast).get("/x", parse)
    except RequestError as error:
        return error


def read_from(*acts, outlast=False, roll=LONGEST_ROLL):
    """What a patient read comes to, and when its requests arrived, in seconds after the first."""

    async def scenario():
        async with reading(*acts, roll=roll) as (server, lane):
            met = await read(lane, outlast=outlast)
            return met, [request.at - server.requests[0].at for request in server.requests]

    return run_online(scenario())


def about(*seconds):
    return pytest.approx(list(seconds), abs=0.1)


# -- stopping


def test_only_the_first_reason_to_stop_counts():
    """A lane that is stopping for one reason is not stopped again for another, and tells it once."""

    async def scenario():
        lane, told = lane_of(), []
        lane.on_stop = lambda each: told.append(each.stopped)
        first = Stop("guard", "too many")
        lane.stop(first)
        await asyncio.sleep(10)
        lane.stop(Stop("signal", "SIGINT"))
        assert lane.stopped is first
        assert told == [first]
        return lane.closes_at

    assert run(scenario()) == pytest.approx(30, abs=0.001)


def test_a_stopped_lane_sends_nothing_more():
    """Its pacer holds detach requests back."""

    async def scenario():
        lane = lane_of()
        lane.stop(Stop("operator", "enough"))
        with pytest.raises(LaneStopped):
            await lane.channel.pacer.grant(sending=True)

    run(scenario())


@pytest.mark.parametrize(
    ("code", "useful"),
    [
        ("signal", False),
        ("access_denied", False),
        ("provider_away", False),
        ("throttled", True),
        ("lease_lost", False),
        ("guard", True),
        ("deadline", True),
        ("window_closed", True),
        ("operator", True),
    ],
)
def test_some_stops_leave_time_to_look(code, useful):
    """Where the provider answers and nobody presses, what is in doubt can still be looked at."""
    assert Stop(code, "why").leaves_time_to_look is useful


# -- waiting


@pytest.mark.parametrize(("stop_after", "took"), [(3, 3), (50, 20)])
def test_a_stop_interrupts_a_wait(stop_after, took):
    """Who waits for the next try wakes up when the lane stops, and otherwise when its time has come."""

    async def scenario():
        lane = lane_of()
        asyncio.get_running_loop().call_later(stop_after, lane.stop, Stop("signal", "SIGINT"))
        await lane.wait(20)
        return now()

    assert run(scenario()) == pytest.approx(took, abs=0.001)


@pytest.mark.parametrize("seconds", [0, -1, 20])
def test_a_stopped_lane_waits_for_nothing(seconds):
    """Nor does a wait of no length take any time."""

    async def scenario():
        lane = lane_of()
        await lane.wait(min(seconds, 0))
        lane.stop(Stop("signal", "SIGINT"))
        await lane.wait(seconds)
        return now()

    assert run(scenario()) < 0.001


def test_a_step_for_one_number_waits_by_itself():
    """The wait before a try of one number does not hold the lane, and is nobody else's news."""

    async def scenario():
        lane, told = lane_of(), []
        lane.on_throttle = lambda *facts: told.append(facts)
        await lane.wait_before(Send(7), LostAnswer("x"))
        return now(), lane.channel.pacer.paused_for, told

    took, paused, told = run(scenario())
    assert took == pytest.approx(7, abs=0.001)
    assert (paused, told) == (0, [])


def test_a_step_for_the_whole_lane_pauses_it_and_is_told_once():
    """Sixteen throttled workers pause the lane for the longest of their waits, and only a longer one is news."""

    async def scenario():
        lane, told = lane_of(), []
        lane.on_throttle = lambda *facts: told.append(facts)
        for seconds in (5, 5, 3, 9):
            await lane.wait_before(Look(seconds, whole_lane=True), THROTTLED)
        await lane.wait_before(Look(20, whole_lane=True), None)
        return now(), lane.channel.pacer.paused_for, lane, told

    took, paused, lane, told = run(scenario())
    assert took < 0.001
    assert paused == pytest.approx(20, abs=0.001)
    assert told == [(lane, THROTTLED, 5), (lane, THROTTLED, 9)]


@pytest.mark.parametrize(("error", "paused"), [(UNSAID, 0.04), (THROTTLED, 20.0)])
def test_a_refusal_that_was_to_be_expected_silences_the_lane_for_a_breath(error, paused):
    """A search that met its limit goes on after a few requests' time, but for its number, unless the provider asked."""

    async def scenario():
        lane = lane_of(rate=AdaptiveRate(most=100.0, per_second=100.0))
        pacer = lane.channel.pacer
        for _ in range(300):
            await asyncio.sleep(0.01)
            pacer.answered(now(), 0.001)
        pacer.throttled(now())
        rested = asyncio.create_task(lane.wait_before(Send(20.0, whole_lane=True), error))
        await asyncio.sleep(0.001)
        silent = pacer.paused_for + 0.001
        await rested
        return silent

    assert run(scenario()) == pytest.approx(paused, rel=0.1)


def test_a_lane_says_why_nothing_leaves():
    """An operator's hold, a throttle with its end, or a provider that is away; nothing when it runs."""

    async def scenario():
        async with reading(reset) as (_, lane):
            told = [lane.why_waiting()]
            for _ in range(3):
                with pytest.raises(LostAnswer):
                    await lane.channel.get("/x", lambda reply: reply)
            told.append(lane.why_waiting())
            lane.channel.pacer.pause(5)
            told.append((lane.why_waiting()[0], lane.why_waiting()[1] - now()))
            lane.channel.pacer.hold(on=True)
            return [*told, lane.why_waiting()]

    nothing, away, throttled, held = run_online(scenario())
    assert nothing == (None, None)
    assert away == ("the provider does not answer", None)
    assert throttled == ("throttled by the provider", pytest.approx(5))
    assert held == ("paused by an operator", None)


def test_requests_that_were_refused_together_are_told_once():
    """Answers that come in one after the other ask for the same pause, and only the first of them is news."""

    async def scenario():
        lane, told = lane_of(), []
        lane.on_throttle = lambda *facts: told.append(facts[2])
        for _ in range(5):
            await lane.wait_before(Look(2, whole_lane=True), THROTTLED)
            await asyncio.sleep(0.01)
        await asyncio.sleep(3)
        await lane.wait_before(Look(2, whole_lane=True), THROTTLED)
        return told

    assert run(scenario()) == [2, 2]


def test_a_lane_says_why_it_stopped_or_waits_by_itself():
    """A wait with a reason is told while it lasts; a stop is told from then on, and so is a lease that ran out."""

    async def scenario():
        lane = lane_of()
        waiting = asyncio.create_task(lane.wait(5, "looking again"))
        await asyncio.sleep(1)
        told = [(lane.why_waiting()[0], lane.why_waiting()[1] - now())]
        await waiting
        told.append(lane.why_waiting())
        lane.channel.tenure.extend(0.0)
        told.append(lane.why_waiting())
        lane.stop(Stop("signal", "interrupted"))
        return [*told, lane.why_waiting()]

    waits, nothing, lapsed, stopped = run(scenario())
    assert waits == ("looking again", pytest.approx(4))
    assert nothing == (None, None)
    assert lapsed == ("the lease has run out and has to be renewed", None)
    assert stopped == ("stopped: interrupted", None)


# -- silence


@pytest.mark.parametrize(
    ("lost", "seconds", "stopped"), [(3, 25, True), (3, 23, False), (2, 25, False), (0, 25, False)]
)
def test_a_provider_that_stays_away_stops_the_lane(lost, seconds, stopped):
    """Several requests without an answer, and silence for longer than the patience of 24 s: then it is left."""

    async def scenario():
        async with reading(reset) as (_, lane):
            for _ in range(lost):
                with pytest.raises(LostAnswer):
                    await lane.channel.get("/x", lambda reply: reply)
            await asyncio.sleep(seconds)
            lane.mind_silence()
            return lane.stopped

    why = run_online(scenario())
    assert why == (Stop("provider_away", "the provider has not answered for 25 s") if stopped else None)


# -- patient reads


FAILING = {"reset": reset, "500": answer(500), "400": answer(400), "no JSON": answer(200, raw=b"<html>")}


@pytest.mark.parametrize("act", FAILING.values(), ids=FAILING)
def test_a_read_that_fails_is_repeated(act):
    """Whatever is wrong with an answer, a read is asked again, after waits that double."""
    met, times = read_from(act, act, OK)
    assert met == {"n": 1}
    assert times == about(0, 2, 6)


def test_the_waits_of_reads_are_spread():
    """The lane's dice decide how much of the longest wait is waited."""
    assert read_from(reset, reset, OK, roll=0.5)[1] == about(0, 1, 3)


@pytest.mark.parametrize(
    ("act", "error"), [(reset, LostAnswer), (answer(500), UnexpectedAnswer), (answer(400), Refused)]
)
def test_a_read_gives_up_after_the_last_attempt(act, error):
    """Three attempts are allowed and three are made; the last error is what is told."""
    met, times = read_from(act)
    assert isinstance(met, error)
    assert times == about(0, 2, 6)


@pytest.mark.parametrize(("status", "error"), [(404, Refused), (401, AccessDenied), (403, AccessDenied)])
def test_some_answers_are_final(status, error):
    """Not found is an answer, and no access stays none: neither is asked again."""
    met, times = read_from(answer(status), OK)
    assert (type(met), len(times)) == (error, 1)


def test_an_answer_that_makes_no_sense_is_asked_for_again():
    """A read whose parsing fails is repeated like one that was lost."""

    async def scenario():
        async with reading(answer(200, {}), OK) as (server, lane):
            return await read(lane, lambda reply: providers.expect(reply.body, int, "n")), len(server.requests)

    assert run_online(scenario()) == (1, 2)


def test_a_throttled_read_waits_as_told_and_loses_no_attempt():
    """Five throttles in a row do not use up three attempts; the whole lane keeps the pause, and hears of each."""
    later = answer(429, headers={"Retry-After": "7"})

    async def scenario():
        async with reading(*[later] * 5, OK) as (server, lane):
            told = []
            lane.on_throttle = lambda _, error, seconds: told.append((error.status, seconds))
            return await read(lane), [request.at for request in server.requests], told

    met, times, told = run_online(scenario())
    assert met == {"n": 1}
    assert [at - times[0] for at in times] == about(0, 7, 14, 21, 28, 35)
    assert told == [(429, 7.0)] * 5


def test_a_read_that_is_throttled_for_too_long_gives_up():
    """Beyond ``max_throttle_wait`` in all, the throttle is what is told."""
    met, times = read_from(answer(429, headers={"Retry-After": "25"}))
    assert isinstance(met, Throttled)
    assert times == about(0, 25, 50)


@pytest.mark.parametrize("act", [reset, answer(429, headers={"Retry-After": "7"})])
def test_what_a_run_can_do_without_is_read_with_few_tries(act):
    """The second failure is the last, also of a throttled read; the pause that was asked for is kept all the same."""

    async def scenario():
        async with reading(act) as (server, lane):
            with pytest.raises(RequestError):
                await PatientReads(lane, tries=2).get("/x", lambda reply: reply.body)
            return len(server.requests), lane.channel.pacer.paused_for

    met, paused = run_online(scenario())
    assert met == 2
    assert paused == (0 if act is reset else pytest.approx(7, abs=0.1))


def test_a_read_can_outlast_a_provider_that_is_away():
    """While nobody answers at all, a survey waits as long as the patience lasts, far beyond its attempts."""
    silence = [answer(502)] * 4
    assert isinstance(read_from(*silence, OK)[0], UnexpectedAnswer)
    met, times = read_from(*silence, OK, outlast=True)
    assert met == {"n": 1}
    assert len(times) == 5


def test_a_read_does_not_outlast_its_patience():
    """A provider that stays away for longer than 24 s is left."""
    met, times = read_from(answer(502), outlast=True)
    assert isinstance(met, UnexpectedAnswer)
    assert 24 < times[-1] < 24 + 2 * POLICY.max_delay


def test_a_stopping_lane_repeats_no_read():
    """The error is told at once."""

    async def scenario():
        async with reading(reset) as (server, lane):
            lane.stop(Stop("deadline", "time is up"))
            return await read(lane), len(server.requests)

    met, count = run_online(scenario())
    assert (type(met), count) == (LostAnswer, 1)


def test_a_stop_interrupts_the_patience_of_a_read():
    """A read that waits for its next try wakes up, tries a last time and tells how that ended."""

    async def scenario():
        async with reading(reset) as (server, lane):
            asyncio.get_running_loop().call_later(3, lane.stop, Stop("signal", "SIGINT"))
            return await read(lane), [request.at for request in server.requests]

    met, times = run_online(scenario())
    assert isinstance(met, LostAnswer)
    assert times == about(0, 2, 3)
