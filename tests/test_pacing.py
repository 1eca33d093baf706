"""Never more than the rate in any window, hardly slower than it, and patient when asked."""

import asyncio
import math
from bisect import bisect_left

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from raw_server import answer, serving, transporting
from virtual_time import now, run

from runner.adaptive import AdaptiveRate
from runner.channel import Channel
from runner.credentials import GivenToken
from runner.errors import LaneStopped
from runner.pacing import Pacer
from runner.policy import Rate
from runner.transport import Quota

SLOW_RATES = [
    "300/min",
    "30/min",
    "7/min",
    "90/min",
    "1000/h",
    "10/h",
    "2.5/s",
    "0.2/s",
    "33.3/s",
    "2000/min",
    "50.5/s",
]
RATES = st.one_of(
    st.integers(1, 2000).map(lambda count: Rate(float(count))), st.sampled_from(SLOW_RATES).map(Rate.parse)
)
QUIET = Quota(limit=None, remaining=1_000_000, resets_in=1.0)


def busiest(times, window):
    """The most grants in any half-open window of so many seconds."""
    return max(bisect_left(times, at + window - 1e-9) - index for index, at in enumerate(times))


def most_in_a_second(rate):
    """A slow rate that is no whole number is spaced evenly, so that a second may hold its ceiling."""
    return math.ceil(rate.per_second) if rate.per_second < 50 else math.floor(rate.per_second)


async def collect(pacer, arrivals, *, workers=16):
    """Ask for one grant at each of the ``arrivals``, as a lane's workers would; return when each was given."""
    granted = []
    left = iter(sorted(arrivals))

    async def work():
        for arrival in left:
            await asyncio.sleep(max(0.0, arrival - now()))
            await pacer.grant()
            granted.append(now())

    await asyncio.gather(*(work() for _ in range(workers)))
    return granted


def outcome_of(task):
    return "stopped" if isinstance(task.exception(), LaneStopped) else "granted"


# -- the rate


@given(rate=RATES, gaps=st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.3, 1.0, 2.5]), min_size=1, max_size=300))
@example(rate=Rate(10.0), gaps=[0.0] * 100)
@example(rate=Rate(1.0), gaps=[0.0] * 5)
@example(rate=Rate(2000.0), gaps=[0.0] * 300)
@example(rate=Rate(50.5), gaps=[0.0] * 200)
@settings(max_examples=80, deadline=None)
def test_no_window_holds_more_than_the_rate(rate, gaps):
    """However requests arrive, no sliding second or period holds more than was configured."""
    arrivals = [sum(gaps[: index + 1]) / max(rate.per_second, 1.0) for index in range(len(gaps))]
    granted = run(collect(Pacer(rate), arrivals))
    assert len(granted) == len(arrivals)
    assert busiest(granted, 1.0) <= most_in_a_second(rate)
    assert busiest(granted, rate.period) <= math.ceil(rate.count)


@given(rate=RATES, seconds=st.floats(0.5, 5), grain=st.sampled_from([0.0, 0.001]))
@example(rate=Rate(2000.0), seconds=3.0, grain=0.001)
@example(rate=Rate(50.5), seconds=5.0, grain=0.001)
@example(rate=Rate(3.0), seconds=5.0, grain=0.001)
@settings(max_examples=60, deadline=None)
def test_the_rate_is_used(rate, seconds, grain):
    """Requests that are all there at once take at most 3 % longer than at the bare rate, and one window."""
    count = max(2, round(rate.per_second * seconds))
    granted = run(collect(Pacer(rate), [0.0] * count), grain=grain)
    assert granted[-1] <= count / rate.per_second * 1.03 + max(1.0, 1.03 / rate.per_second)
    assert busiest(granted, 1.0) <= most_in_a_second(rate)


@pytest.mark.parametrize("text", ["3/s", "10/s", "50/s", "100/s", "500/s"])
def test_a_long_run_stays_within_two_per_cent_of_the_rate(text):
    """A minute's worth of requests takes a minute, give or take two per cent."""
    rate = Rate.parse(text)
    granted = run(collect(Pacer(rate), [0.0] * int(60 * rate.per_second)), grain=0.001)
    assert 59 < granted[-1] < 61.2


def test_grants_are_spaced_within_a_second():
    """A provider sees a stream and no bursts: a tenth of a second never holds more than a fifth of the rate."""
    granted = run(collect(Pacer(Rate(100.0)), [0.0] * 500))
    assert busiest(granted, 0.1) <= 20


def test_rest_saves_nothing_up():
    """After an hour without requests the next second is as full as any other."""
    granted = run(collect(Pacer(Rate(20.0)), [0.0] * 30 + [3600.0] * 60))
    assert busiest(granted, 1.0) <= 20


async def test_a_real_server_sees_the_rate():
    """At 100/s over real connections the server's own clock never counts more than 100 in a second.

    Where the machine held a request back for longer than the way may take, the second is shorter by so much.
    """
    async with serving(answer(200, {})) as server, transporting(concurrency=16) as transport:
        channel = Channel(server.url, transport, Pacer(Rate(100.0)), GivenToken("t"), lambda _: {"X-Left": str(now())})
        left = iter(range(200))

        async def work():
            for _ in left:
                await channel.get("/", lambda reply: reply)

        await asyncio.gather(*(work() for _ in range(16)))
    times = [request.at for request in server.requests]
    held_back = max(request.at - float(request.headers["x-left"]) for request in server.requests)
    assert len(times) == 200
    assert busiest(times, 1.0 if held_back <= 0.015 else 1.0 - held_back) <= 100


def test_an_adaptive_rate_is_kept_as_it_changes():
    """Answers make the pace faster and refusals slower, at once, and never faster than the bound."""

    async def scenario():
        pacer, granted, before = Pacer(AdaptiveRate(40.0)), [], None
        for index in range(600):
            grant = await pacer.grant()
            granted.append(now())
            await asyncio.sleep(0.001)
            grant.is_over(now())
            pacer.answered(now(), 0.001)
            if index == 400:
                before = pacer.rate.per_second
                pacer.throttled(granted[-1])
        return granted, before, pacer.adaptive

    granted, before, adaptive = run(scenario())
    assert (before, adaptive) == (40, True)
    assert busiest(granted[:20], 1.0) < 20
    assert busiest(granted, 1.0) == 40
    assert 33 <= busiest(granted[401:440], 1.0) < 40


def test_a_rate_that_adapts_saves_nothing_up():
    """However often it changes while the lane pauses and goes on, a tenth of a second never holds a fifth more."""

    async def scenario():
        pacer, granted = Pacer(AdaptiveRate(100.0)), []
        for index in range(3000):
            grant = await pacer.grant()
            granted.append(now())
            await asyncio.sleep(0.001)
            grant.is_over(now())
            pacer.answered(now(), 0.001)
            if index % 500 == 499:
                pacer.throttled(granted[-1])
                pacer.pause(0.5)
        return granted

    assert busiest(run(scenario()), 0.1) <= 16


# -- pauses


@given(pauses=st.lists(st.floats(0.1, 60), min_size=1, max_size=20))
@settings(deadline=None)
def test_a_pause_holds_everybody_and_only_once(pauses):
    """However many answers ask for a pause at the same time, the lane waits for the longest of them and no longer."""

    async def scenario():
        pacer = Pacer(Rate(10.0))
        longer = [pacer.pause(seconds) for seconds in pauses]
        assert pacer.paused_for == pytest.approx(max(pauses))
        return longer, await collect(pacer, [0.0] * 8)

    longer, granted = run(scenario())
    assert granted[0] == pytest.approx(max(pauses), abs=0.001)
    assert granted[-1] <= max(pauses) + 1
    assert longer == [each > max([0.0, *pauses[:index]]) for index, each in enumerate(pauses)]


def test_a_pause_reaches_those_who_wait_already():
    """Whoever waits for its turn when the provider asks for patience waits on."""

    async def scenario():
        pacer = Pacer(Rate(1.0))
        await pacer.grant()
        waiting = asyncio.create_task(collect(pacer, [0.0] * 2))
        await asyncio.sleep(0.5)
        pacer.pause(30)
        return await waiting

    granted = run(scenario())
    assert granted[0] == pytest.approx(30.5, abs=0.001)
    assert 1 < granted[1] - granted[0] < 1.03


def test_a_pause_that_is_over_is_over():
    """Once the time has passed nothing is held, and a shorter pause counts again."""

    async def scenario():
        pacer = Pacer(Rate(10.0))
        pacer.pause(5)
        await asyncio.sleep(6)
        assert pacer.paused_for == 0
        await pacer.grant()
        return now(), pacer.pause(1)

    ended, longer = run(scenario())
    assert ended == pytest.approx(6, abs=0.001)
    assert longer


# -- the provider's own limit


def test_nothing_leaves_when_nothing_is_left():
    """``Remaining: 0`` holds the lane until the reset, before the provider has to refuse, and says so."""

    async def scenario():
        pacer = Pacer(Rate(10.0))
        pacer.observe(Quota(limit=1000, remaining=0, resets_in=40), in_flight=0)
        assert pacer.paused_for == pytest.approx(40)
        return await collect(pacer, [0.0] * 5)

    assert run(scenario())[0] == pytest.approx(40, abs=0.001)


@pytest.mark.parametrize(("remaining", "in_flight", "early"), [(3, 0, 3), (5, 2, 3), (1, 4, 0)])
def test_what_is_left_is_used_up_and_no_more(remaining, in_flight, early):
    """So many as are left go before the reset; requests under way count as gone."""

    async def scenario():
        pacer = Pacer(Rate(100.0))
        pacer.observe(Quota(1000, remaining, 40), in_flight)
        return await collect(pacer, [0.0] * 8)

    granted = run(scenario())
    assert len([at for at in granted if at < 40]) == early
    assert len(granted) == 8


def test_an_older_answer_does_not_give_back_what_is_used():
    """Answers that overtake each other never raise what is left in the same period; a new period starts afresh."""

    async def scenario():
        pacer = Pacer(Rate(100.0))
        pacer.observe(Quota(1000, 2, 40), 0)
        await collect(pacer, [0.0] * 2)
        pacer.observe(Quota(1000, 5, 39), 0)
        held = pacer.paused_for
        await asyncio.sleep(60)
        pacer.observe(Quota(1000, 5, 40), 0)
        return held, pacer.paused_for, await collect(pacer, [60.0] * 5)

    held, after, granted = run(scenario())
    assert (held, after) == (pytest.approx(39, abs=0.001), 0)
    assert granted[-1] < 61


@pytest.mark.parametrize("limit", [10, 14])
def test_a_limit_about_our_own_rate_is_ignored(limit):
    """A limit of about a second's worth is kept by our own pace; heeding it would only halve the rate."""

    async def scenario():
        pacer = Pacer(Rate(10.0))
        pacer.observe(Quota(limit, 0, 1), 0)
        return (await collect(pacer, [0.0]))[0]

    assert run(scenario()) < 0.001


@pytest.mark.parametrize("limit", [None, 9, 15])
def test_every_other_limit_is_heeded(limit):
    """One that is lower than our rate, or for a longer time, or not given at all."""

    async def scenario():
        pacer = Pacer(Rate(10.0))
        pacer.observe(Quota(limit, 0, 7), 0)
        return (await collect(pacer, [0.0]))[0]

    assert run(scenario()) == pytest.approx(7, abs=0.001)


def test_a_reset_in_the_far_future_does_not_hang_the_lane():
    """A reset tomorrow, as one in milliseconds seems to be, is left to the refusal, which has its own bound."""

    async def scenario():
        pacer = Pacer(Rate(10.0))
        pacer.observe(Quota(1000, 0, 86_400), 0)
        return (await collect(pacer, [0.0]))[0]

    assert run(scenario()) < 0.001


# -- holding


def test_a_hold_keeps_detaches_back_and_lets_looks_through():
    """While an operator pauses the lane no detach request leaves, looks do, and afterwards everything goes on."""

    async def scenario():
        pacer = Pacer(Rate(10.0))
        pacer.hold(on=True)
        held = pacer.held
        detaches = [asyncio.create_task(pacer.grant(sending=True)) for _ in range(5)]
        looks = await collect(pacer, [0.0] * 20)
        await asyncio.sleep(60)
        early = [task.done() for task in detaches]
        pacer.hold(on=False)
        await asyncio.wait(detaches)
        return held, looks[-1], early, now(), {outcome_of(task) for task in detaches}

    held, looked, early, ended, outcomes = run(scenario())
    assert held
    assert looked < 2.1
    assert early == [False] * 5
    assert ended <= looked + 60 + 1
    assert outcomes == {"granted"}


def test_a_hold_reaches_those_who_wait_already():
    """A detach request that waits for the end of a throttle when the lane is put on hold does not leave at that end."""

    async def scenario():
        pacer = Pacer(Rate(10.0))
        pacer.pause(30)
        detaches = [asyncio.create_task(pacer.grant(sending=True)) for _ in range(3)]
        await asyncio.sleep(10)
        pacer.hold(on=True)
        await asyncio.sleep(100)
        early = [task.done() for task in detaches]
        pacer.hold(on=False)
        await asyncio.wait(detaches)
        return early

    assert run(scenario()) == [False] * 3


def test_closing_ends_a_hold():
    """Whoever is held back when the lane closes learns that it stops, and a closed lane is not put on hold again."""

    async def scenario():
        pacer = Pacer(Rate(10.0))
        pacer.hold(on=True)
        detach = asyncio.create_task(pacer.grant(sending=True))
        await asyncio.sleep(5)
        pacer.close(within=30)
        await asyncio.wait([detach])
        pacer.hold(on=True)
        return outcome_of(detach), pacer.held, now()

    outcome, held, ended = run(scenario())
    assert (outcome, held) == ("stopped", False)
    assert ended == pytest.approx(5, abs=0.001)


# -- closing


def test_closing_holds_detaches_and_lets_looks_through():
    """After close no detach request leaves; a look still does, at the lane's rate."""

    async def scenario():
        pacer = Pacer(Rate(10.0))
        pacer.close(within=5)
        with pytest.raises(LaneStopped, match="stopping"):
            await pacer.grant(sending=True)
        return await collect(pacer, [0.0] * 20)

    granted = run(scenario())
    assert len(granted) == 20
    assert busiest(granted, 1.0) <= 10


@pytest.mark.parametrize("rate", ["2/s", "10/s", "7/min", "2000/s"])
def test_closing_wakes_every_waiting_detach_at_once(rate):
    """A hundred workers that wait for their turn learn that it never comes, without waiting for it."""

    async def scenario():
        pacer = Pacer(Rate.parse(rate))
        await collect(pacer, [0.0] * 2)
        pacer.pause(600)
        waiting = [asyncio.create_task(pacer.grant(sending=True)) for _ in range(100)]
        await asyncio.sleep(1)
        closed = now()
        pacer.close(within=30)
        await asyncio.wait(waiting)
        return now() - closed, {outcome_of(task) for task in waiting}

    took, outcomes = run(scenario())
    assert took <= 1.0
    assert outcomes == {"stopped"}


def test_closing_gives_up_looks_that_come_too_late():
    """A look leaves within the time that is left; one that could not is refused at once."""

    async def scenario():
        pacer = Pacer(Rate(1.0))
        await pacer.grant()
        looks = [asyncio.create_task(pacer.grant()) for _ in range(10)]
        await asyncio.sleep(0.5)
        pacer.close(within=3)
        await asyncio.wait(looks)
        return now(), [outcome_of(look) for look in looks]

    ended, outcomes = run(scenario())
    assert ended <= 3.5
    assert outcomes == ["granted"] * 3 + ["stopped"] * 7


def test_a_closed_lane_does_not_wait_for_a_pause():
    """A pause that outlasts the close ends the looks too."""

    async def scenario():
        pacer = Pacer(Rate(10.0))
        pacer.close(within=3)
        pacer.pause(60)
        with pytest.raises(LaneStopped):
            await pacer.grant()
        return now()

    assert run(scenario()) < 0.001


# -- cancellation


@given(
    rate=st.sampled_from(["2/s", "10/s", "100/s", "30/min"]).map(Rate.parse),
    doomed=st.sets(st.integers(0, 39), max_size=39),
    moment=st.floats(0, 3),
)
@settings(deadline=None)
def test_a_cancelled_waiter_takes_no_turn(rate, doomed, moment):
    """Those who are left get their grants as soon as if the cancelled ones had never asked, and never too many."""

    async def scenario():
        pacer, granted = Pacer(rate), []

        async def ask():
            await pacer.grant()
            granted.append(now())

        asking = [asyncio.create_task(ask()) for _ in range(40)]
        await asyncio.sleep(moment)
        for index in doomed:
            asking[index].cancel()
        await asyncio.wait(asking)
        return granted, [task for task in asking if not task.cancelled()]

    granted, survivors = run(scenario())
    assert len(granted) == len(survivors)
    assert busiest(granted, 1.0) <= most_in_a_second(rate)
    assert granted[-1] <= moment + (len(granted) + 1) / rate.per_second * 1.03 + max(1.0, 1.03 / rate.per_second)


def test_a_window_begins_when_a_request_has_its_connection():
    """A request that waits for its connection falls into a later second: what follows waits for it to leave."""

    async def scenario():
        pacer = Pacer(Rate(2.0))
        first = await pacer.grant()
        await pacer.grant()
        first.waits_for_connection()
        third = asyncio.create_task(pacer.grant())
        await asyncio.sleep(5)
        waited = not third.done()
        first.leaves()
        left = now()
        await third
        return waited, now() - left

    waited, gap = run(scenario())
    assert waited
    assert 1.0 < gap < 1.05


def test_a_connection_that_was_at_hand_changes_nothing():
    """Leaving twice, or without having waited, leaves the grant where it was taken."""

    async def scenario():
        grant = await Pacer(Rate(2.0)).grant()
        before = grant.arrived
        await asyncio.sleep(3)
        grant.leaves()
        return before, grant.arrived

    before, after = run(scenario())
    assert before == after
