"""The pace of numbers that are moved: what is between two places goes first, and the rate is kept all the same."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pacing import busiest
from virtual_time import now, run

from runner.errors import LaneStopped
from runner.pacing import Pacer, Passage
from runner.policy import Rate

RATES = st.integers(1, 200).map(lambda count: Rate(float(count))) | st.sampled_from(
    [Rate.parse("30/min"), Rate.parse("2.5/s"), Rate.parse("90/min")]
)


async def moves(pacer, count, latency, *, workers=8, looks=0, retry=()):
    """Move so many numbers as a lane's workers would; return when each request left, and each number's wait."""
    granted, waits, left = [], [], iter(range(count))

    async def request(passage, *, sending=True):
        grant = await pacer.grant(sending=sending, passage=passage)
        granted.append(now())
        await asyncio.sleep(latency)
        grant.is_over(now())

    async def work():
        for number in left:
            passage = Passage()
            await request(passage)
            for _ in range(2 if number in retry else 0):
                await request(passage, sending=False)
                await request(passage)
            passage.between, ready = True, now()
            grant = await pacer.grant(sending=True, passage=passage)
            waits.append(now() - ready)
            granted.append(now())
            await asyncio.sleep(latency)
            grant.is_over(now())
            pacer.leave(passage)

    async def look():
        await request(None, sending=False)

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
        for _ in range(looks):
            group.create_task(look())
    return sorted(granted), waits


@settings(max_examples=80, deadline=None)
@given(RATES, st.integers(1, 25), st.floats(0, 0.4), st.sets(st.integers(0, 24)), st.data())
def test_no_window_holds_more_than_the_rate(rate, count, latency, retry, data):
    """With looks in between, numbers that are sent again, and any number of workers; and it always ends."""
    pacer = Pacer(rate)
    workers, looks = data.draw(st.integers(1, 12)), data.draw(st.integers(0, 6))
    times, _ = run(moves(pacer, count, latency, workers=workers, looks=looks, retry=retry))
    most, window = (rate.per_second, 1.0) if rate.per_second.is_integer() else (1, 1 / rate.per_second)
    assert busiest(times, window) <= most
    assert pacer._kept == 0


@pytest.mark.parametrize(("rate", "latency"), [(10.0, 0.05), (20.0, 0.2), (100.0, 0.03), (4.0, 0.1)])
def test_an_attach_does_not_wait(rate, latency):
    """Room for it was kept when its detach left."""
    _, waits = run(moves(Pacer(Rate(rate)), 30, latency))
    assert max(waits) < 0.02


@pytest.mark.parametrize("latency", [0.01, 0.1])
def test_the_rate_is_used(latency):
    """Two requests a number; what is kept for numbers under way costs their time, and no more."""
    times, _ = run(moves(Pacer(Rate(20.0)), 60, latency, workers=16))
    assert times[-1] - times[0] < 120 / 20 * (1 + latency) + 1


def test_one_at_a_time_where_a_window_has_room_for_one():
    """At one request in two seconds an attach comes next, whoever else waits."""

    async def order():
        pacer, passage, said = Pacer(Rate.parse("30/min")), Passage(), []
        (await pacer.grant(sending=True, passage=passage)).is_over(now())

        async def other():
            (await pacer.grant()).is_over(now())
            said.append("look")

        waiting = asyncio.create_task(other())
        await asyncio.sleep(1)
        passage.between = True
        (await pacer.grant(sending=True, passage=passage)).is_over(now())
        said.append("attach")
        pacer.leave(passage)
        await waiting
        return said

    assert run(order()) == ["attach", "look"]


def test_a_hold_and_a_stop_let_a_number_through_that_is_between():
    """Both keep the next number here; the one that is away gets its attach."""

    async def work():
        pacer, away = Pacer(Rate(10.0)), Passage(between=True)
        pacer.hold(on=True)
        await pacer.grant(sending=True, passage=away)
        beginning = asyncio.create_task(pacer.grant(sending=True, passage=Passage()))
        await asyncio.sleep(5)
        assert not beginning.done()
        pacer.close(30)
        await pacer.grant(sending=True, passage=away)
        with pytest.raises(LaneStopped):
            await beginning
        pacer.pause(60)
        with pytest.raises(LaneStopped):
            await pacer.grant(sending=True, passage=away)

    run(work())
