"""The search for a rate: fast where nothing is known, close below what is, and seldom refused."""

import heapq
import math
from collections import deque
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.adaptive import START, AdaptiveRate


@dataclass
class HiddenLimit:
    """A provider that takes a rate nobody knows, which changes at given moments: ``(from, rate)``.

    Counted in a sliding second, or where ``burst`` is given by a bucket that holds so many seconds' worth.
    """

    changes: list
    burst: float | None = None
    _log: deque = field(default_factory=deque)
    _level: float = 0.0
    _last: float = 0.0

    def rate(self, now):
        return [rate for at, rate in self.changes if at <= now][-1]

    def takes(self, now):
        return self._takes_by_log(now) if self.burst is None else self._takes_by_bucket(now)

    def _takes_by_log(self, now):
        while self._log and self._log[0] <= now - 1:
            self._log.popleft()
        if len(self._log) >= self.rate(now):
            return False
        self._log.append(now)
        return True

    def _takes_by_bucket(self, now):
        rate = self.rate(now)
        level = max(0.0, self._level - (now - self._last) * rate)
        taken = level + 1 <= max(1.0, rate * self.burst)
        self._level, self._last = level + taken, now
        return taken


@dataclass
class Result:
    """What came of a search: shares of the limit used and of requests refused, and rates by second."""

    used: float
    refused: float
    rates: list


def chance():
    """Numbers from 0 to 1 that are spread like chance, and always the same."""
    return (index * 0.618034 % 1 for index in count())


def search(
    rate, limit, seconds, *, pause=0.4, asked=False, latency=lambda _now: 0.01, told=None, warm_up=20, workers=16
):
    """Send as a lane does: evenly at the rate, ``workers`` at most under way, silent for ``pause`` after a refusal.

    Less is enough where the rate says so, unless the provider ``asked`` for it.
    """
    chances, answers, rates, taken, refused = chance(), [], [], 0, 0
    now = free_at = resumes = 0.0
    while now < seconds:
        while answers and (answers[0][0] <= max(free_at, resumes, now) or len(answers) >= workers):
            at, left, accepted = heapq.heappop(answers)
            now = max(now, at)
            if not accepted:
                rate.throttled(at, left)
                resumes = max(resumes, at + (pause if asked else min(pause, rate.breath)))
                continue
            rate.accepted(at, at - left)
            if told:
                rate.told(*told(at))
        now = max(free_at, resumes, now)
        free_at = now + 1 / rate.per_second
        arrives = now + 0.002 * next(chances)
        accepted = limit.takes(arrives)
        heapq.heappush(answers, (arrives + latency(now), now, accepted))
        if now > warm_up:
            taken, refused = taken + accepted, refused + (not accepted)
        rates += [rate.per_second] * (int(now) + 1 - len(rates))
    could = sum(limit.rate(tenth / 10) / 10 for tenth in range(warm_up * 10, int(seconds * 10)))
    return Result(taken / could, refused / (taken + refused), rates)


# -- a limit that nobody tells


@pytest.mark.parametrize("burst", [None, 0.1, 1.0])
@pytest.mark.parametrize("rate", [3, 10, 100, 700])
@pytest.mark.parametrize(("pause", "asked"), [(0.3, False), (1.0, False), (0.3, True), (1.0, True)])
def test_a_steady_limit_is_used(rate, burst, pause, asked):
    """Nine tenths of it at least, and fewer than one request in a hundred refused, whoever counts in whatever way."""
    limit = HiddenLimit([(0, rate)], burst)
    result = search(AdaptiveRate(), limit, max(120, 3000 // rate), pause=pause, asked=asked)
    assert result.used > 0.9
    assert result.refused < 0.01


@pytest.mark.parametrize("burst", [None, 0.1, 1.0])
@pytest.mark.parametrize(("pause", "asked"), [(0.3, False), (1.0, False), (1.0, True)])
def test_a_limit_that_changes_is_followed(burst, pause, asked):
    """From 100 to 40 to 150 a second, two minutes each: at least 90 % of it, and hardly anything refused."""
    limit = HiddenLimit([(0, 100), (120, 40), (240, 150)], burst)
    result = search(AdaptiveRate(), limit, 360, pause=pause, asked=asked)
    assert result.used > 0.9
    assert result.refused < 0.01
    assert 30 < result.rates[150] < 48
    assert result.rates[300] > 120


@pytest.mark.parametrize("burst", [None, 0.1, 1.0])
def test_the_moments_of_changes_are_not_chosen(burst):
    """It is as good where they fall between other probes, on average."""
    used = []
    for late in range(0, 24, 6):
        limit = HiddenLimit([(0, 100), (120 + late, 40), (240 + late, 150)], burst)
        used.append(search(AdaptiveRate(), limit, 360, pause=1.0, asked=True).used)
    assert sum(used) / len(used) > 0.9
    assert min(used) > 0.88


def probes(seconds, *changes):
    """Return when requests were refused after 120 seconds, where each refusal asks for a second of silence."""
    moments = []

    class Watched(AdaptiveRate):
        __slots__ = ()

        def throttled(self, now, left):
            moments.append(now)
            AdaptiveRate.throttled(self, now, left)

    search(Watched(), HiddenLimit(list(changes)), seconds, pause=1.0, asked=True)
    return [moment for moment in moments if moment > 120]


def test_the_same_limit_is_probed_less_and_less_often():
    """A second of silence is risked every 25 seconds in the end, and more often where the limit has been higher."""
    assert 6 <= len(probes(300, (0, 100))) <= 8
    assert 14 <= len(probes(300, (0, 250), (60, 100))) <= 20


def test_after_a_second_of_silence_it_goes_back_at_once():
    """Where the limit has shown itself twice; a moment after each probe the rate is just below the limit again."""
    rates = search(AdaptiveRate(), HiddenLimit([(0, 100)]), 150, pause=1.0, asked=True).rates
    assert min(map(max, rates[40:], rates[41:])) > 97


def test_what_was_counted_needs_no_second():
    """A refusal a moment before a second has passed is no surprise where the count is already as high as the rate."""
    rate = AdaptiveRate(most=10.0, per_second=10.0)
    for tick in range(1, 11):
        rate.accepted(tick / 10, 0.01)
    rate.throttled(1.05, 1.04)
    assert rate.per_second == 9


@settings(max_examples=20, deadline=None)
@given(
    first=st.integers(2, 200),
    second=st.integers(2, 200),
    burst=st.sampled_from([None, 0.1, 1.0]),
    pause=st.floats(0.2, 1.5),
)
def test_any_limit_is_found_and_found_again(first, second, burst, pause):
    """Whatever the limit is and becomes, a while later the rate is near it again, and refusals are few."""
    limit = HiddenLimit([(0, first), (60, second)], burst)
    result = search(AdaptiveRate(), limit, 180, pause=pause)
    assert max(result.rates[140:]) > 0.7 * second
    assert sorted(result.rates[140:])[20] < 1.25 * second
    assert result.refused < 0.1


def test_the_search_begins_low_and_doubles():
    """The first requests go at 5 a second; without a refusal it is twice as many after each second."""
    rates = search(AdaptiveRate(), HiddenLimit([(0, math.inf)]), 7, warm_up=0).rates
    assert rates[0] <= START
    assert 1.5 < rates[5] / rates[4] < 2.5
    assert rates[6] > 100


def test_a_bound_is_kept():
    """With a bound the rate never exceeds it, from the first request on."""
    assert max(search(AdaptiveRate(30.0), HiddenLimit([(0, 1000)]), 20, warm_up=0).rates) == 30
    assert AdaptiveRate(2.0).per_second == 2


def test_what_is_not_used_is_not_tried():
    """Two workers that wait a tenth of a second for each answer never use more than 20 a second: it stays there."""
    limit = HiddenLimit([(0, math.inf)])
    rates = search(AdaptiveRate(), limit, 60, latency=lambda _now: 0.1, workers=2, warm_up=0).rates
    assert 15 < rates[-1] < 45


def test_refusals_of_one_moment_count_once():
    """Sixteen requests that are refused together cut the rate as one does, and later ones cut it again."""
    once, often = AdaptiveRate(), AdaptiveRate()
    for rate in (once, often):
        for tick in range(40):
            rate.accepted(tick / 10, 0.01)
    once.throttled(4.0, 3.99)
    for late in range(16):
        often.throttled(4.0 + late / 100, 3.99)
    assert often.per_second == once.per_second
    often.throttled(5.0, 4.9)
    assert often.per_second < once.per_second


@given(
    events=st.lists(
        st.tuples(st.floats(0.0, 2.0), st.sampled_from(["accepted", "throttled", "told"]), st.floats(0.001, 30.0)),
        max_size=200,
    ),
    most=st.sampled_from([0.5, 20.0, math.inf]),
)
@settings(deadline=None)
def test_nothing_makes_it_senseless(events, most):
    """Whatever happens in whatever order, the rate stays between one in ten seconds and its bound."""
    rate, now = AdaptiveRate(most), 0.0
    for gap, what, value in events:
        now += gap
        match what:
            case "accepted":
                rate.accepted(now, value)
            case "throttled":
                rate.throttled(now, now - value)
            case _:
                rate.told(round(value), value)
        assert 0.1 <= rate.per_second <= most


# -- a limit that is told


@pytest.mark.parametrize(("limit", "resets_in", "rate"), [(50, 1.0, 48.5), (600, 60.0, 9.7), (3, 1.0, 2.91)])
def test_what_is_told_need_not_be_found(limit, resets_in, rate):
    """The first answer that names a limit sets the rate, just below it, and it stays there."""
    adaptive = AdaptiveRate()
    adaptive.told(limit, resets_in)
    assert adaptive.per_second == rate
    result = search(adaptive, HiddenLimit([(0, limit / resets_in)], 0.5), 90, told=lambda _now: (limit, resets_in))
    assert (result.refused, adaptive.per_second) == (0, rate)
    assert result.used > 0.95


def test_the_longest_reset_is_the_period():
    """A limit for a minute that was first seen ten seconds before its end is one for a minute, once that shows."""
    adaptive = AdaptiveRate()
    adaptive.told(600, 10.0)
    adaptive.told(600, 60.0)
    adaptive.told(600, 30.0)
    assert adaptive.per_second == 9.7


def test_a_limit_for_an_hour_is_no_rate():
    """It is there to be used up; the search goes on as if nothing had been told."""
    adaptive = AdaptiveRate()
    adaptive.told(5000, 3600.0)
    assert adaptive.per_second == START
    assert search(adaptive, HiddenLimit([(0, 100)]), 60, told=lambda _now: (5000, 3600.0)).used > 0.9


def test_a_provider_that_takes_less_than_it_tells():
    """A refusal counts for more than what is told."""
    limit = HiddenLimit([(0, 20)])
    result = search(AdaptiveRate(), limit, 200, told=lambda _now: (100, 1.0))
    assert result.used > 0.85
    assert result.refused < 0.02


# -- latency


def test_rising_latency_is_a_refusal():
    """A provider that queues what is too much answers later and later: the rate falls until it does not."""
    adaptive = AdaptiveRate()
    result = search(
        adaptive,
        HiddenLimit([(0, math.inf)]),
        120,
        latency=lambda _now: 0.05 if adaptive.per_second <= 60 else 0.05 * (adaptive.per_second / 60) ** 3,
        warm_up=0,
        workers=500,
    )
    late = result.rates[20:]
    assert 40 < sum(late) / len(late) < 110


def test_latency_that_has_nothing_to_do_with_the_rate():
    """A provider that becomes slow for good is not left waiting: it ends neither below the start nor for ever there."""
    adaptive = AdaptiveRate(100.0)
    result = search(
        adaptive, HiddenLimit([(0, math.inf)]), 240, latency=lambda now: 0.05 if now < 60 else 0.5, workers=200
    )
    assert min(result.rates[60:]) >= START
    assert result.rates[-1] > 50


def test_a_little_jitter_is_no_overload():
    """Between near machines latencies vary many times over, and mean nothing."""
    chances = chance()
    adaptive = AdaptiveRate(200.0)
    result = search(adaptive, HiddenLimit([(0, math.inf)]), 60, latency=lambda _now: 0.002 + 0.04 * next(chances))
    assert min(result.rates[20:]) == 200
