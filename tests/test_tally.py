"""Counts and latencies that add up over processes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.tally import Tally

LATENCIES = st.lists(st.floats(0.05, 120_000), min_size=1, max_size=200)
STEP = 2 ** (1 / 16)
"""How far two neighbouring buckets are apart."""


def tally_of(latencies):
    tally = Tally()
    for each in latencies:
        tally.timed(each)
    return tally


@pytest.mark.parametrize("share", [0, 50, 95, 100])
def test_nothing_counted_has_no_percentile(share):
    """Before the first answer there is no latency."""
    assert Tally().percentile(share) is None


def test_one_answer_is_every_percentile():
    """A single latency is its own median and maximum, and is never reported longer than it was."""
    tally = tally_of([40.0])
    assert tally.longest_ms == 40
    assert tally.percentile(50) == tally.percentile(100) == pytest.approx(40, rel=STEP - 1)
    assert tally.percentile(50) <= 40


def test_an_immediate_answer_is_counted():
    """A latency of nothing, or less by a clock's mistake, is a hundredth of a millisecond at most."""
    tally = tally_of([0.0, -1.0])
    assert tally.buckets.total() == 2
    assert tally.percentile(100) <= 0.01


@given(LATENCIES, st.floats(0.1, 100))
def test_a_percentile_is_within_a_bucket_of_the_truth(latencies, share):
    """So many per cent of the answers were as fast, up to the width of half a bucket."""
    exact = sorted(latencies)[math.ceil(len(latencies) * share / 100) - 1]
    assert exact / STEP <= tally_of(latencies).percentile(share) <= exact * STEP


@given(LATENCIES, LATENCIES)
def test_processes_add_up(first, second):
    """The sum of two tallies is what one process would have counted."""
    added, whole = tally_of(first), tally_of([*first, *second])
    added.add(tally_of(second))
    assert added == whole


def test_counts_add_up():
    """Requests, retries, throttles and time are summed; the slowest answer is the slower of the two."""
    tally = Tally(requests=3, retries=1, throttled=2, active_s=1.5, longest_ms=40)
    tally.add(Tally(requests=4, retries=2, throttled=0, active_s=2.0, longest_ms=30))
    assert tally == Tally(requests=7, retries=3, throttled=2, active_s=3.5, longest_ms=40)
