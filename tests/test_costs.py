"""What a number may take, counted and not timed: a guard against getting slower one harmless change at a time."""

import pytest

from benchmarks.counts import count
from benchmarks.workload import CONCURRENCY

NUMBERS = 300
pytestmark = pytest.mark.usefixtures("uncovered")


@pytest.mark.parametrize(
    ("provider", "options", "calls"),
    [("unpod", [], 545), ("unpod", ["--no-verify"], 505), ("videosdk", [], 605)],
)
def test_a_number_takes_no_more_than_it_did(provider, options, calls):
    """One request, one log line, a hundredth of a transaction, no memory, and hardly more calls than when measured."""
    taken = count(provider, NUMBERS, *options)
    assert taken.requests < 1.05
    assert taken.log_lines == 1
    assert taken.transactions < 0.1
    assert taken.blocks < 3
    assert taken.calls < calls
    assert taken.connections <= CONCURRENCY
