"""``guards.live_calls``: numbers that are in a call, counted, spared, or waited for."""

import threading

import pytest
from bench import FOUR, ONE, THREE, TWO, bridge, call, finish, gateway

ALL = [ONE, TWO, THREE, FOUR]
CALLS = "/v2/sip/call"


@pytest.fixture
def busy(bench):
    """Give a bench with four numbers on a gateway, of which the second is in a call; and its plan by guards."""
    for number in ALL:
        bench.world.videosdk.attach(number, "gw_1")
    bench.world.videosdk.begin_call(TWO)
    bench.planned = lambda **guards: bench.plan(gateway(ALL, "gw_1"), guards=guards)
    return bench


def looks(bench):
    """Return the places in the record at which the calls were looked at."""
    return [place for place, entry in enumerate(bench.record) if entry.path.startswith(CALLS)]


def test_check_says_how_many_are_in_a_call(busy):
    """Also where the guard is not set, and then as a warning that names them."""
    said = busy.check(busy.planned())
    assert (said.code, said.totals()) == (0, {"would_detach": 4})
    assert f"1 number is in a call now ({TWO}), and is detached all the same" in said.notes
    assert "videosdk-main  calls: 1 number is in one now" in said.err
    busy.world.videosdk.begin_call(THREE)
    said = busy.check(busy.planned())
    assert f"2 numbers are in a call now ({TWO}, {THREE}), and are detached all the same" in said.notes
    for number in (TWO, THREE):
        busy.world.videosdk.end_calls(number)
    said = busy.check(busy.planned())
    assert "videosdk-main  calls: no number is in one now" in said.err
    assert "in a call" not in said.notes


def test_check_says_that_unpod_does_not_show_calls(bench):
    """And a guard that has no effect there is warned of, in check and run alike."""
    plan, listed = bench.sales(2)
    said = bench.check(plan)
    assert "unpod-main  calls: Unpod voice bridges do not show them" in said.err
    assert "in a call" not in said.notes
    said = bench.run(bench.plan(bridge("sales", listed), guards={"live_calls": "skip"}))
    assert (said.code, said.totals()) == (0, {"detached": 2})
    assert "guards.live_calls has no effect, as Unpod voice bridges do not show calls" in said.notes


def test_a_run_that_ignores_calls_does_not_look_for_them(busy):
    """The guard is unset: everything is detached, and no request is spent on calls."""
    said = busy.run(busy.planned())
    assert (said.code, said.totals(), looks(busy)) == (0, {"detached": 4}, [])


def test_skip_leaves_numbers_in_a_call_alone(busy):
    """They are skipped by the plan's own rule, which is no failure; check says the same beforehand."""
    plan = busy.planned(live_calls="skip")
    said = busy.check(plan)
    assert (said.code, said.totals()) == (0, {"would_detach": 3, "skipped": 1})
    assert "3 to detach of 4 attached (75 %), 1 in a call" in said.err
    assert "a rollback puts back 3 not at all" in said.err
    said = busy.run(plan)
    assert (said.code, said.totals()) == (0, {"detached": 3, "skipped": 1})
    assert (said.rows[TWO]["outcome"], said.rows[TWO]["reason"]) == ("skipped", "in_call")
    assert busy.world.attached("videosdk", "gw_1", TWO)


def test_each_batch_is_looked_at_before_it_is_sent(busy):
    """A call that begins while an earlier batch goes on is seen before the batch of its number."""
    busy.world.videosdk.end_calls(TWO)
    busy.at_detach(2, lambda: busy.world.videosdk.begin_call(FOUR))
    said = busy.run(busy.planned(live_calls="skip", batches=[1]))
    assert (said.code, said.outcomes()) == (0, dict.fromkeys(ALL, "detached") | {FOUR: "skipped"})
    sends = [place for place, entry in enumerate(busy.record) if entry.kind == "detach"]
    before = [max(place for place in looks(busy) if place < send) for send in sends]
    assert len(set(before)) == len(sends) == 3
    assert [entry["outcome"] for entry in busy.log(said) if entry.get("number") == FOUR] == ["skipped"]


def test_wait_sends_a_number_when_its_call_is_over(busy):
    """The others do not wait for it; nothing is sent for it while the call lasts."""
    busy.at_detach(3, lambda: threading.Timer(0.2, busy.world.videosdk.end_calls, [TWO]).start())
    said = busy.run(busy.planned(live_calls="wait", live_calls_wait="20s"))
    assert (said.code, said.totals()) == (0, {"detached": 4})
    assert f"1 number is in a call now ({TWO}), and is waited for up to 20 s" in said.notes
    assert [entry.number for entry in busy.detaches()][-1] == TWO
    assert len(looks(busy)) > 3


def test_wait_has_an_end(busy):
    """A call that outlasts it lets its number be skipped, and the run goes on with the next batch."""
    said = busy.run(busy.planned(live_calls="wait", live_calls_wait="200ms", batches=[2]))
    assert (said.code, said.totals()) == (0, {"detached": 3, "skipped": 1})
    assert said.rows[TWO]["reason"] == "in_call"


def test_a_run_that_is_stopped_while_it_waits(busy):
    """What waits for its call to end is pending, and a resume takes it up."""
    plan = busy.planned(live_calls="wait", live_calls_wait="1h")
    said = busy.run(plan, "--deadline", "500ms")
    assert (said.code, said.totals()) == (5, {"detached": 3, "pending": 1})
    busy.world.videosdk.end_calls(TWO)
    said = busy.resume()
    assert (said.code, said.totals()) == (0, {"detached": 4})


@pytest.mark.parametrize("fault", ["read_500", "read_garbage", "read_lost"])
def test_calls_that_cannot_be_read_are_not_taken_for_none(busy, fault):
    """Before the first detach that blocks; check without the guard only says that it is unknown."""
    busy.faults.script_reads(CALLS, [fault] * 50)
    said = busy.run(busy.planned(live_calls="skip"))
    assert (said.code, said.totals()) == (3, {"pending": 4})
    assert "a failed read is no evidence" in said.notes
    busy.faults.script_reads(CALLS, [fault] * 50)
    said = busy.check(busy.planned())
    assert (said.code, said.totals()) == (0, {"would_detach": 4})
    assert "whether numbers are in a call is unknown" in said.notes
    assert "videosdk-main  calls: unknown" in said.err


def test_calls_that_cannot_be_read_part_way_stop_the_account(busy):
    """What was not sent is pending, and a resume goes on when they can be read again."""
    busy.at_detach(1, lambda: busy.faults.script_reads(CALLS, ["read_500"] * 50))
    said = busy.run(busy.planned(live_calls="skip", batches=[1]))
    assert (said.code, said.totals()) == (5, {"detached": 1, "pending": 2, "skipped": 1})
    assert "a failed read does not mean that there are none" in said.notes
    busy.faults.script_reads(CALLS, [])
    assert busy.resume().totals() == {"detached": 3, "skipped": 1}


def test_a_failed_number_that_is_in_a_call_stays_failed(busy):
    """--retry-failed does not send it while the call lasts; it is known to be attached, and not skipped."""
    busy.world.videosdk.end_calls(TWO)
    busy.faults.script(TWO, ["http_500_before"] * 3)
    plan = busy.planned(live_calls="skip")
    assert busy.run(plan).outcomes()[TWO] == "failed"
    busy.world.videosdk.begin_call(TWO)
    sent = len(busy.detaches())
    said = busy.resume("--retry-failed")
    assert (said.code, said.outcomes()[TWO], len(busy.detaches())) == (4, "failed", sent)
    busy.world.videosdk.end_calls(TWO)
    assert busy.resume("--retry-failed").totals() == {"detached": 4}


def test_a_guard_that_makes_no_sense_is_refused(busy):
    """One sentence with its place, before anything is sent."""
    said = call("run", busy.planned(live_calls="hang_up"), "--yes")
    assert (said.code, busy.record) == (2, [])
    assert "5:17: `live_calls`: 'hang_up' is not one of ignore, skip, wait" in said.err


def test_a_sandbox_in_which_a_number_is_in_a_call(bench):
    """--call lets it be in one, for ever or for a while, so that the guard can be tried."""
    plan = bench.plan(gateway([ONE, TWO, THREE], "gw_1"), guards={"live_calls": "skip"})
    process = bench.start("sandbox", "--port", "0", "--plan", plan, "--call", ONE, "--call", f"{TWO}=10ms")
    try:
        lines = []
        while "_sandbox/state" not in (lines or [""])[-1]:
            lines.append(process.stdout.readline())
        config = bench.folder / "printed.yaml"
        config.write_text("".join(lines[1:-1]))
        said = call("run", plan, "--yes", "--json", "--config", config)
        assert (said.code, said.outcomes()) == (0, {ONE: "skipped", TWO: "detached", THREE: "detached"})
    finally:
        process.terminate()
        finish(process)
