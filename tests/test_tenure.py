"""A lease as those who send see it."""

import asyncio

import pytest

from runner.errors import LaneStopped
from runner.tenure import Tenure, uptime


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self):
        return self.now


def test_without_a_lease_it_is_always_good():
    """Where nothing is held, nobody waits."""
    assert Tenure().good


async def test_a_sleeper_sends_nothing_before_a_renewal():
    """After a suspension the lease may be another's: sending waits until a renewal has told that it is not."""
    clock = Clock()
    tenure = Tenure(clock)
    tenure.extend(30.0)
    assert tenure.good
    clock.now = 3600.0
    sender = asyncio.create_task(tenure.renewed())
    await asyncio.sleep(0)
    assert not sender.done()
    tenure.extend(3630.0)
    await sender
    assert tenure.good


async def test_a_lane_that_stops_sends_nothing_on_a_stale_lease():
    """When another run has taken the lane over, what waits to be sent is given up."""
    clock = Clock()
    tenure = Tenure(clock)
    tenure.extend(30.0)
    clock.now = 31.0
    sender = asyncio.create_task(tenure.renewed())
    await asyncio.sleep(0)
    tenure.end()
    with pytest.raises(LaneStopped):
        await sender


def test_uptime_only_goes_up():
    """It does not follow the wall clock."""
    first = uptime()
    assert uptime() >= first
