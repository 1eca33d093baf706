"""No window holds more requests than the rate allows, as the clock at the other end counts them."""

import asyncio
import math
from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import now, run

from runner.pacing import Pacer
from runner.policy import Rate
from runner.sliding import SlidingLog

RATES = st.sampled_from(["1/s", "2/s", "10/s", "33.3/s", "50/s", "99.5/s", "300/s", "30/min"]).map(Rate.parse)


def busiest(times, window):
    """The most arrivals in any half-open window of so many seconds."""
    times = sorted(times)
    return max(bisect_left(times, at + window - 1e-9) - index for index, at in enumerate(times))


async def exchange(pacer, arrived, *, connecting, way, answering):
    """One request: it waits for its connection, is on its way, arrives, and is answered; each takes so many seconds."""
    grant = await pacer.grant()
    grant.waits_for_connection()
    await asyncio.sleep(connecting)
    grant.leaves()
    await asyncio.sleep(way)
    arrived.append(now())
    await asyncio.sleep(answering)
    grant.is_over(now())


async def send(pacer, exchanges, *, workers=16):
    """Make the exchanges, one after the other in each of the workers; return when each arrived."""
    arrived, left = [], iter(exchanges)

    async def work():
        for gap, pause, times in left:
            await asyncio.sleep(gap)
            if pause:
                pacer.pause(pause)
            await exchange(pacer, arrived, **times)

    await asyncio.gather(*(work() for _ in range(workers)))
    return arrived


def exchanges_over(window):
    """Exchanges in any order, with pauses of the lane, late connections, and ways of up to 1.5 % of a window."""
    times = st.fixed_dictionaries(
        {
            "connecting": st.sampled_from([0.0, 0.0, 0.0, 0.2 * window, 1.3 * window]),
            "way": st.floats(0.0, 0.0149 * window),
            "answering": st.sampled_from([0.0, 0.001, 0.08, 3.0]),
        }
    )
    gaps = st.sampled_from([0.0, 0.0, 0.0, 0.01, 0.7])
    return st.lists(st.tuples(gaps, st.sampled_from([0.0] * 20 + [0.4, 2.0]), times), min_size=1, max_size=120)


@given(data=st.data(), rate=RATES)
@settings(max_examples=80, deadline=None)
def test_no_window_holds_more_than_the_rate_where_it_is_counted(data, rate):
    """Whatever arrives when, waits for a connection or for an answer, and however the lane is paused."""
    log = SlidingLog(rate.per_second)
    arrived = run(send(Pacer(rate), data.draw(exchanges_over(log.window))))
    assert busiest(arrived, log.window) <= log.most
    assert busiest(arrived, rate.period) <= math.ceil(rate.count)


@pytest.mark.parametrize("held_up", [0.03, 0.1, 0.24])
def test_a_provider_nearby_may_be_held_up(held_up):
    """Where answers come at once as a rule, one that comes later shows that its request may have arrived later too."""
    at_once = {"connecting": 0.0, "way": 0.0005, "answering": 0.0005}
    late = at_once | {"way": held_up}
    exchanges = [(0.0, 0.0, late if index % 97 == 90 else at_once) for index in range(1000)]
    assert busiest(run(send(Pacer(Rate(100.0)), exchanges)), 1.0) <= 100


@pytest.mark.parametrize(("answering", "most"), [(0.0, 1.0), (0.004, 1.005), (0.08, 1.016), (0.4, 1.016)])
def test_waiting_for_answers_costs_little(answering, most):
    """However long answers take, the rate is used but for two per cent, and all of it where they are soon back."""
    times = {"connecting": 0.0, "way": 0.0, "answering": answering}
    arrived = run(send(Pacer(Rate(100.0)), [(0.0, 0.0, times)] * 3000, workers=64))
    assert (arrived[-1] - arrived[0]) / (2999 / 100) <= most


def test_a_rate_that_comes_after_one_that_was_spaced():
    """Requests at 49.9 a second are spaced evenly, at 50 counted: what left before the change still counts."""
    log = SlidingLog(49.9)
    for tick in range(50):
        log.add(tick / 49.9)
    log.tune(50.0)
    assert log.free_at(49 / 49.9) > 1.0


def test_a_low_rate_that_was_found_is_spaced():
    """One that adapts is met for a moment only, so nothing is saved up while it changes."""
    log = SlidingLog(7.3)
    log.tune(8.0)
    log.add(0.0)
    assert log.free_at(0.0) >= 1 / 8


def test_a_lower_rate_holds_for_what_has_left_already():
    """Once the rate is lowered, what left before counts in its windows."""
    log = SlidingLog(100.0)
    for tick in range(100):
        log.add(tick / 100)
    log.tune(60.0)
    assert log.most == 60
    assert log.free_at(1.0) > 1.4
