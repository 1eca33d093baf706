"""``pause``, ``unpause``, ``stop`` and ``status`` of a live run, from another terminal."""

import json
import time

import pytest
from bench import call, finish


def live():
    """Return the newest run as status shows it, None before there is one."""
    return next(iter(json.loads(call("status", "--json").out)["runs"]), None)


def until(condition, patience=20.0):
    """Look at a live run again and again until ``condition`` holds, and return what was seen last."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if (seen := live()) and condition(seen):
            return seen
    raise AssertionError(seen)


@pytest.fixture
def running(bench):
    """Start a run of 60 numbers that takes some seconds, and wait until it detaches."""
    plan, listed = bench.sales(60)
    bench.configure(accounts={"unpod-main": {"rate": "15/s"}})
    process = bench.start("run", plan, "--yes", "--json", "--no-progress")
    try:
        seen = until(lambda run: run["live"] and run["totals"]["detached"] > 0)
        yield bench, process, seen["id"], listed
    finally:
        process.kill()
        process.communicate()


def test_status_of_a_live_run(running):
    """A live run shows its state, its counts, its pace and when it will be over; what is in flight is not unknown."""
    _, _, run, _ = running
    seen = until(lambda each: each["eta_s"] is not None)
    assert (seen["id"], seen["status"], seen["exit_code"]) == (run, "running", None)
    assert seen["totals"]["unknown"] == 0
    assert seen["totals"]["in_flight"] >= 0
    assert seen["lanes"][0]["achieved_rate"] <= 16.0  # the first request leaves at once
    assert run in call("status").out
    assert "running" in call("status", run).out


def test_pause_and_unpause(running):
    """A paused run sends nothing and says who wanted that; unpaused it goes on and finishes."""
    bench, process, run, listed = running
    assert call("pause", run, "--reason", "call from the NOC").code == 0
    until(lambda each: each["lanes"][0]["waiting"] == "paused by an operator")
    before = len(bench.detaches())
    seen = until(lambda each: each["totals"]["detached"] + each["totals"]["in_flight"] > 0)
    assert (seen["status"], seen["command_reason"]) == ("paused", "call from the NOC")
    assert "call from the NOC" in call("status", run).out
    until(lambda each: each["lanes"][0]["requests"] == seen["lanes"][0]["requests"])
    assert len(bench.detaches()) == before
    assert call("unpause", run).code == 0
    said = finish(process)
    assert (said.code, said.totals()) == (0, {"detached": len(listed)})
    events = {entry["event"] for entry in bench.log(said)}
    assert {"run.paused", "run.unpaused"} <= events


def test_stop(running):
    """A stopped run ends aborted with the reason, and a resume finishes it."""
    bench, process, run, listed = running
    assert call("stop", run, "--reason", "wrong bridge").code == 0
    said = finish(process)
    assert (said.code, said.report["run"]["status"]) == (5, "aborted")
    assert said.totals()["pending"] > 0
    assert "wrong bridge" in said.notes
    assert bench.resume(run).totals() == {"detached": len(listed)}
    assert bench.world.useless_detaches() == []


def test_stop_stands(running):
    """Who pauses or unpauses right after somebody stopped is told that the stop stands, and it does."""
    _, process, run, _ = running
    assert call("stop", run).code == 0
    for command in ("unpause", "pause"):
        said = call(command, run)
        assert said.code == 2
        assert "told to stop" in said.err or "nothing works on" in said.err
    assert finish(process).code == 5


def test_a_paused_run_can_be_stopped(running):
    """What waits because of a pause is given up when the run is stopped."""
    _, process, run, _ = running
    call("pause", run)
    until(lambda each: each["status"] == "paused")
    call("stop", run)
    assert finish(process).code == 5


@pytest.mark.parametrize("command", ["pause", "unpause", "stop"])
def test_nobody_to_tell(bench, command):
    """A run that nothing works on, or that does not exist, cannot be steered: a sentence and exit 2."""
    plan, _ = bench.sales(1)
    assert call(command, "20260101T000000000Z-0000").code == 2
    run = bench.run(plan).report["run"]["id"]
    said = call(command, run)
    assert (said.code, said.out) == (2, "")
    assert f"nothing works on run {run} now" in said.err
    assert "there is no run 'nope'" in call(command, "nope").err
