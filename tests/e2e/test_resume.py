"""``resume``, leases and runs that were killed: nothing is sent twice, and nothing is lost."""

import json
import signal

import pytest
from bench import ONE, THREE, TWO, bridge, call, environment, finish, gateway

from runner.sandbox import TOKEN

pytestmark = pytest.mark.usefixtures("uncovered")


def killed(bench, plan, nth, *options):
    """Run the real command on ``plan`` and kill it when its ``nth`` detach request arrives; return the run's id."""
    assert bench.struck(signal.SIGKILL, nth, "run", plan, "--yes", *options).code == -signal.SIGKILL
    return newest()["id"]


def newest():
    """Return the newest run as status shows it."""
    return json.loads(call("status", "--json").out)["runs"][0]


def worked_once(bench, listed):
    """Whether every number was detached by exactly one request, and none was asked for after it was gone."""
    worked = [entry.number for entry in bench.detaches() if entry.worked]
    return sorted(worked) == sorted(listed) and bench.world.useless_detaches() == []


@pytest.mark.parametrize("nth", [1, 7, 19])
def test_after_a_kill(bench, nth):
    """A killed run is interrupted and has no exit code; the resume looks, sends nothing twice, and finishes the run."""
    plan, listed = bench.sales(20)
    bench.slow_down(listed, 0.01)
    run = killed(bench, plan, nth)
    left = newest()
    assert (left["status"], left["exit_code"], left["finished_at"]) == ("interrupted", None, None)
    assert not (bench.state / "runs" / run / "report.json").exists()
    said = bench.resume()
    assert (said.code, said.report["run"]["id"], said.totals()) == (0, run, {"detached": 20})
    assert worked_once(bench, listed)
    assert said.report["run"]["started_at"] == left["started_at"]


@pytest.mark.parametrize(("fault", "confirmed_by"), [("hang_before", "response"), ("hang_after", "verification")])
def test_killed_while_an_answer_was_awaited(bench, fault, confirmed_by):
    """What was in flight is looked at: sent again when still attached, never when it is gone."""
    plan, listed = bench.sales(3)
    bench.faults.script(listed[0], [fault])
    killed(bench, plan, 3)
    said = bench.resume()
    assert (said.code, said.totals()) == (0, {"detached": 3})
    assert (said.rows[listed[0]]["confirmed_by"], said.rows[listed[0]]["attempts"]) == (confirmed_by, 1)
    assert worked_once(bench, listed)


def test_what_a_look_saw_before_another_failed(bench):
    """Where the pre-check breaks off, what it saw of numbers in flight stands; only what it did not see is unknown."""
    bench.world.unpod.add_bridge("sales", [ONE, TWO])
    bench.world.unpod.add_bridge("support", [THREE])
    for number, fault in [(ONE, "hang_after"), (TWO, "hang_before"), (THREE, "hang_before")]:
        bench.faults.script(number, [fault])
    killed(bench, bench.plan(bridge("sales", [ONE, TWO]), bridge("support", [THREE])), 3)
    bench.world.on_request.append(lambda seen: bench.world.revoked.update(["unpod"] * (seen.target == "support")))
    said = bench.resume()
    assert (said.code, said.outcomes()) == (5, {ONE: "detached", TWO: "pending", THREE: "unknown"})
    assert said.rows[ONE]["confirmed_by"] == "verification"


def test_killed_before_anything_was_sent(bench):
    """A run that was killed in its pre-check is resumed from there, ``all`` included."""
    bench.world.unpod.add_bridge("sales", [ONE, TWO])
    plan, process = bench.plan(bridge("sales", "all")), None
    bench.world.on_request.append(lambda _: process.kill() if len(bench.record) == 1 else None)
    process = bench.start("run", plan, "--yes")
    assert finish(process).code == -signal.SIGKILL
    said = bench.resume()
    assert (said.code, said.totals()) == (0, {"detached": 2})


def test_the_plan_may_be_gone(bench):
    """A resume does what the run was begun with, whatever became of the plan file since."""
    plan, listed = bench.sales(6)
    run = killed(bench, plan, 2)
    plan.unlink()
    bench.world.unpod.add_bridge("sales", ["+14155559999"])
    said = bench.resume(run)
    assert (said.code, sorted(said.rows)) == (0, listed)
    assert bench.world.attached("unpod", "sales", "+14155559999")


def test_drift_between_the_two(bench):
    """A number that was not in flight and moved elsewhere since keeps the resume from sending; the run is aborted."""
    plan, listed = bench.sales(6)
    bench.configure(accounts={"unpod-main": {"concurrency": 1, "rate": "5/s"}})
    killed(bench, plan, 2)
    bench.configure()
    bench.world.unpod.detach("sales", listed[5])
    bench.world.unpod.add_bridge("other", [listed[5]])
    said = bench.resume()
    assert said.code == 5
    assert f"{listed[5]} is not attached to target sales but to other" in said.notes
    assert bench.world.attached("unpod", "other", listed[5])


def test_totals_and_counts_cover_the_whole_run(bench):
    """The run keeps its id, and its requests are summed over both processes."""
    plan, listed = bench.sales(12)
    bench.configure(accounts={"unpod-main": {"rate": "20/s"}})
    first = bench.run(plan, "--deadline", "300ms")
    assert (first.code, set(first.totals())) == (5, {"detached", "pending"})
    bench.configure()
    said = bench.resume()
    run, before = said.report["run"], first.report["run"]
    assert (run["id"], run["started_at"], said.code) == (before["id"], before["started_at"], 0)
    assert run["finished_at"] > before["finished_at"]
    assert said.report["lanes"][0]["requests"] == len(bench.record)
    assert worked_once(bench, listed)
    events = [event["event"] for event in bench.log(said)]
    assert (events.count("run.started"), events.count("run.finished")) == (2, 2)


def test_options_of_a_resume(bench):
    """Pace, deadline, verification and reports can be chosen anew for each process."""
    plan, listed = bench.sales(20)
    killed(bench, plan, 1, "--rate", "unpod-main=20/s")
    said = bench.resume("--rate", "unpod-main=20/s", "--concurrency", "1", "--deadline", "300ms", "--report", "out.md")
    assert (said.code, set(said.totals())) == (5, {"detached", "pending"})
    assert said.report["lanes"][0]["rate"] == 20.0
    assert "the deadline of 0.3 s is reached" in (bench.folder / "out.md").read_text()
    looks = len(bench.record) - len(bench.detaches())
    last = bench.resume("--no-verify", "--reason", "the rest")
    assert (last.code, last.totals()) == (0, {"detached": 20})
    assert len(bench.record) - len(bench.detaches()) == looks + 1
    assert worked_once(bench, listed)


def test_nothing_to_resume(bench):
    """Exit 2 with a sentence: an empty state folder, finished runs, no such run, a dry run, a rehearsal."""
    assert (call("resume", "--yes").code, call("resume", "nonsense", "--yes").code) == (2, 2)
    plan, _ = bench.sales(1)
    done = bench.run(plan).report["run"]["id"]
    dry = bench.check(plan).report["run"]["id"]
    rehearsed = call("run", plan, "--sandbox", "--yes", "--json").report["run"]["id"]
    for arguments, sentence in [
        ([], "there is nothing to resume"),
        ([done], f"run {done} has nothing to resume; --retry-failed takes up what failed"),
        ([done, "--retry-failed"], f"run {done} has nothing to resume"),
        ([dry], "it was a dry run"),
        ([rehearsed], "it was a rehearsal"),
        (["20260101T000000000Z-0000"], "there is no run"),
    ]:
        said = call("resume", *arguments, "--yes")
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), said.err
        assert sentence in said.err


def test_the_default_is_the_newest_unfinished_run(bench):
    """Without an id the newest one that has something left is gone on with, not simply the newest."""
    first, listed = bench.sales(8)
    bench.world.unpod.add_bridge("other", ["+14155558000"])
    older = killed(bench, first, 2)
    second = killed(bench, bench.plan(bridge("sales", listed), name="again"), 2)
    bench.run(bench.plan(bridge("other", ["+14155558000"])))
    said = bench.resume()
    assert said.report["run"]["id"] == second
    assert older != second
    assert bench.resume().report["run"]["id"] == older
    assert call("resume", "--yes").code == 2


def test_retry_failed(bench):
    """What ended failed is taken up again with --retry-failed only, and the totals are mended."""
    plan, listed = bench.sales(3)
    bench.faults.script(listed[1], ["business_206"] * 2)
    first = bench.run(plan)
    assert (first.code, first.totals()) == (4, {"detached": 2, "failed": 1})
    run = first.report["run"]["id"]
    assert f"teardown resume {run} --retry-failed" in first.err
    assert call("resume", run, "--yes").code == 2
    said = bench.resume("--retry-failed")
    assert (said.code, said.totals(), said.report["run"]["id"]) == (0, {"detached": 3}, run)
    assert (said.rows[listed[1]]["attempts"], said.rows[listed[1]]["error"]) == (3, None)
    assert worked_once(bench, listed)


def test_retry_failed_after_a_guard_tripped(bench):
    """A run that a guard aborted goes on once the trouble is mended: old failures that are mended do not trip it."""
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    plan, listed = bench.sales(6, stop_after_failures=2)
    for number in listed[:2]:
        bench.faults.script(number, ["business_206"] * 2)
    first = bench.run(plan)
    assert (first.code, first.totals()) == (5, {"failed": 2, "pending": 4})
    said = bench.resume("--retry-failed")
    assert (said.code, said.totals()) == (0, {"detached": 6})


def test_an_unknown_one_is_looked_at_again(bench):
    """--retry-failed settles what no look could settle before, without sending for what is gone."""
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], ["lost_after"])
    bench.faults.script(listed[1], ["lost_before"])
    bench.at_detach(1, lambda: bench.faults.script_reads("/api/v2/platform/telephony/", ["read_garbage"] * 30))
    assert bench.run(plan).totals() == {"unknown": 2}
    bench.faults.script_reads("/api/v2/platform/telephony/", [])
    said = bench.resume("--retry-failed")
    assert (said.code, said.totals()) == (0, {"detached": 2})
    assert {number: row["confirmed_by"] for number, row in said.rows.items()} == {
        listed[0]: "verification",
        listed[1]: "response",
    }
    assert worked_once(bench, listed)


def test_a_lane_is_held_by_one_run(bench):
    """While a run is alive, another one on its account exits 75, sends nothing and offers no resume; all else works."""
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], ["hang_before"])
    bench.world.videosdk.attach(ONE, "gw_1")
    with bench.at_work(2, plan) as process:
        sent = len(bench.detaches())
        again, resumed = call("run", plan, "--yes", "--json"), call("resume", newest()["id"], "--yes")
        checked = call("check", plan, "--json")
        assert len(bench.detaches()) == sent
        other = bench.run(bench.plan(gateway([ONE], "gw_1")))
    assert (again.code, again.out, resumed.code) == (75, "", 75)
    assert "account unpod-main is held by run" in again.err
    assert f"(pid {process.pid} on " in again.err
    assert "try again later" in again.err
    assert "of this plan is at work now" in again.err
    assert "teardown resume" not in again.err
    assert (checked.code, other.code) == (0, 0)


def test_a_dead_owner_holds_nothing(bench):
    """The lane of a run that was killed is free at once; the new run names the one that is unfinished."""
    plan, listed = bench.sales(6)
    run = killed(bench, plan, 2)
    said = bench.run(plan)
    assert said.code == 0
    assert said.report["run"]["id"] != run
    assert f"run {run} of this plan is unfinished; go on with it by `teardown resume {run}`" in said.err
    assert worked_once(bench, listed)


def test_resume_needs_yes_or_a_terminal(bench):
    """Without either, nothing is sent: exit 2."""
    plan, _ = bench.sales(6)
    run = killed(bench, plan, 1)
    sent = len(bench.record)
    said = bench.process("resume", run, env=environment(E2E_TOKEN=TOKEN))
    assert (said.code, len(bench.record)) == (2, sent)
    assert "needs --yes" in said.err


def test_what_a_dead_process_sent_was_ours(bench):
    """A number that a killed process detached, though reads lagged, is detached by this run when a retry is refused."""
    plan, listed = bench.sales(1)
    bench.world.habits.lag = 3.0
    bench.configure(retry={"max_attempts": 6, "base_delay": "500ms", "max_delay": "2s"})
    bench.faults.script(listed[0], ["hang_after", "ok"])
    killed(bench, plan, 1)
    said = bench.resume()
    assert (said.code, said.totals()) == (0, {"detached": 1})
    assert said.rows[listed[0]]["confirmed_by"] == "verification"


def test_a_resume_that_cannot_look_is_aborted(bench):
    """Once something was sent, a pre-check that fails does not make it blocked before the first detach."""
    plan, _ = bench.sales(12)
    bench.configure(accounts={"unpod-main": {"concurrency": 1, "rate": "5/s"}})
    killed(bench, plan, 2)
    bench.faults.script_reads("/", ["read_500"] * 50)
    said = call("resume", "--yes", "--json")
    assert (said.code, said.report["run"]["status"]) == (5, "aborted")
    assert "the pre-check failed" in said.notes
