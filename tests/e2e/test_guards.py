"""Guards, windows, selections and limits: what stops a run before it does harm, or on the way."""

from datetime import UTC, datetime, timedelta

import pytest
from bench import ONE, THREE, TWO, bridge, call, gateway, numbers


def at(seconds):
    """Give a moment so far from now as a plan writes it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize(
    ("guards", "sentence"),
    [
        ({"max_numbers": 3}, "4 numbers would be detached, and guards.max_numbers is 3"),
        ({"max_percent": 50}, "4 of 5 numbers at unpod-main/sales would be detached, and guards.max_percent is 50"),
        ({"min_remaining": 2}, "1 of 5 numbers at unpod-main/sales would remain, and guards.min_remaining is 2"),
    ],
)
def test_refuses_to_start(bench, guards, sentence):
    """Too many, too large a share, too few left: exit 3 before the first detach, and --yes does not lift it."""
    plan, listed = bench.sales(4, **guards)
    bench.world.unpod.add_bridge("sales", numbers(1, 900))
    said = bench.run(plan)
    assert (said.code, said.outcomes()) == (3, dict.fromkeys(listed, "pending"))
    assert said.notes == sentence
    assert sentence in said.err
    assert bench.detaches() == []


@pytest.mark.parametrize("guards", [{"max_numbers": 4}, {"max_percent": 80}, {"min_remaining": 1}])
def test_starts_at_the_limit(bench, guards):
    """Just as many as the guard allows are detached."""
    plan, _ = bench.sales(4, **guards)
    bench.world.unpod.add_bridge("sales", numbers(1, 900))
    assert bench.run(plan).totals() == {"detached": 4}


@pytest.mark.parametrize("guards", [{"max_numbers": 2}, {"max_percent": 67}, {"min_remaining": 1}])
def test_guards_count_what_would_be_detached(bench, guards):
    """Numbers that are gone already or protected do not count."""
    plan, listed = bench.sales(4, **guards, protect=["+14155550101"])
    bench.world.detach("unpod", "sales", listed[3])
    assert bench.run(plan).totals() == {"detached": 2, "already_detached": 1, "skipped": 1}


def test_max_percent_at_a_gateway(bench):
    """The share is of all that is attached to that gateway, whatever else the account has."""
    for number in numbers(10):
        bench.world.videosdk.attach(number, "gw_1")
    bench.world.videosdk.attach(ONE, "gw_2")
    plan = bench.plan(gateway(numbers(6), "gw_1"), guards={"max_percent": 50})
    assert (bench.run(plan).code, bench.detaches()) == (3, [])
    assert bench.run(bench.plan(gateway(numbers(5), "gw_1"), guards={"max_percent": 50})).code == 0


def test_defaults_come_from_the_config(bench):
    """A guard that the plan does not set is the config's; what the plan sets wins."""
    bench.configure(guards={"max_numbers": 1})
    plan, listed = bench.sales(2)
    assert bench.run(plan).code == 3
    assert bench.run(bench.plan(bridge("sales", listed), guards={"max_numbers": 2})).code == 0


def test_protected_numbers(bench):
    """A protected number is left alone, by itself or by the beginning of its number, also behind ``all``."""
    bench.world.unpod.add_bridge("sales", ["+442079460100", "+442079460101", "+14155550101", "+14155550102"])
    (bench.folder / "vip.txt").write_text("+14155550102\n")
    guards = {"protect": ["+4420*"], "protect_from": "vip.txt"}
    said = bench.run(bench.plan(bridge("sales", "all"), guards=guards))
    assert (said.code, said.totals()) == (0, {"skipped": 3, "detached": 1})
    assert {row["reason"] for row in said.report["numbers"]} == {"protected", None}
    assert [entry.number for entry in bench.detaches()] == ["+14155550101"]


def test_drift_blocks_or_is_skipped(bench):
    """A number that is attached elsewhere blocks the run; with on_drift: skip it is left alone and the rest is done."""
    bench.world.unpod.add_bridge("sales", [ONE])
    bench.world.unpod.add_bridge("other", [TWO])
    groups = [bridge("sales", [ONE, TWO])]
    blocked = bench.run(bench.plan(*groups))
    assert (blocked.code, blocked.totals(), bench.detaches()) == (3, {"pending": 2}, [])
    said = bench.run(bench.plan(*groups, guards={"on_drift": "skip"}))
    assert (said.code, said.outcomes()) == (0, {ONE: "detached", TWO: "skipped"})
    assert said.rows[TWO]["reason"] == "attached_elsewhere"
    assert bench.world.attached("unpod", "other", TWO)


def test_batches_are_verified_one_by_one(bench):
    """1, then 2, then 40 % at a time: a batch is looked at before the next one is begun."""
    plan, _ = bench.sales(7, batches=[1, 2, "40%"])
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"detached": 7})
    kinds = "".join("D" if entry.kind == "detach" else "r" for entry in bench.record)
    assert kinds == "rDrDDrDDrDDr"


def test_batches_are_verified_whatever_an_option_says(bench):
    """--no-verify leaves out the look after the last batch, and none between two: that is the guard."""
    plan, listed = bench.sales(4, batches=[1, 2])
    said = bench.run(plan, "--no-verify")
    assert (said.code, said.totals()) == (0, {"detached": 4})
    assert "".join("D" if entry.kind == "detach" else "r" for entry in bench.record) == "rDrDDrD"
    assert [said.rows[number]["verified"] for number in listed] == [True, True, True, False]


def test_a_batch_that_lied_stops_the_ramp(bench):
    """The look after the first batch finds a number still attached: the guard trips before the second batch."""
    plan, listed = bench.sales(5, batches=[1, "100%"], stop_after_failures=1)
    bench.faults.script(listed[0], ["lying_200"])
    said = bench.run(plan)
    assert (said.code, said.totals()) == (5, {"failed": 1, "pending": 4})
    assert len(bench.detaches()) == 1


def test_stop_after_failures(bench):
    """So many failures over the whole run abort it: exit 5, and the rest is pending."""
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    plan, listed = bench.sales(8, stop_after_failures=2)
    for number in listed[1:6]:
        bench.faults.script(number, ["business_206"] * 5)
    said = bench.run(plan)
    assert (said.code, said.report["run"]["status"]) == (5, "aborted")
    assert said.totals() == {"detached": 1, "failed": 2, "pending": 5}
    assert "2 items have failed, and guards.stop_after_failures is 2" in said.notes
    assert {"guard.tripped", "lane.stopped"} <= {event["event"] for event in bench.log(said)}
    assert not any(bench.world.detach_requests(number) for number in listed[3:])


def test_why_a_run_stopped_stands_before_what_was_warned_of(bench):
    """However many numbers the pre-check warns of, the summary says which guard stopped the run."""
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    listed, strangers = numbers(3, 101), numbers(5, 201)
    bench.world.unpod.add_bridge("sales", listed)
    bench.faults.script(listed[0], ["business_206"] * 5)
    plan = bench.plan(bridge("sales", [*listed, *strangers]), guards={"stop_after_failures": 1})
    said = bench.run(plan)
    notes = said.report["run"]["notes"]
    assert "guards.stop_after_failures is 1" in notes[0]
    assert [note for note in notes if "typing error" in note] == notes[-5:]
    assert "guards.stop_after_failures is 1" in said.err


def test_what_a_verification_corrects_is_no_failure(bench):
    """An unknown one that turns out to be gone counts no more: one failure later two are not reached."""
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    plan, listed = bench.sales(4, batches=[1, "100%"], stop_after_failures=2)
    bench.faults.script(listed[0], ["lost_after"])
    bench.at_detach(1, lambda: bench.faults.script_reads("/api/v2/platform/telephony/", ["read_garbage"] * 3))
    bench.faults.script(listed[1], ["business_206"] * 2)
    said = bench.run(plan)
    assert (said.code, said.totals()) == (4, {"failed": 1, "detached": 3})
    unknown = [event for event in bench.log(said) if event.get("outcome") == "unknown"]
    assert [event["number"] for event in unknown] == [listed[0]]


def test_failures_hold_a_resume_back(bench):
    """While the failures so far reach the guard a resume sends nothing; with --retry-failed they count no more."""
    plan, listed = bench.sales(6, stop_after_failures=2)
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    for number in listed[:2]:
        bench.faults.script(number, ["business_206"] * 2)
    first = bench.process("run", plan, "--yes")
    assert first.code == 5
    assert f"Next:   teardown resume {bench.newest()} --retry-failed\n" in first.err
    sent = len(bench.detaches())
    said = bench.resume()
    assert (said.code, said.totals()) == (5, {"failed": 2, "pending": 4})
    assert "2 items have failed, and guards.stop_after_failures is 2" in said.notes
    assert len(bench.detaches()) == sent
    assert bench.resume("--retry-failed").totals() == {"detached": 6}


def test_stop_after_failure_ratio(bench):
    """The ratio counts from 20 finished items on, not before."""
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    plan, listed = bench.sales(30, stop_after_failure_ratio=0.1)
    for number in listed[:3]:
        bench.faults.script(number, ["business_206"] * 5)
    said = bench.run(plan)
    assert (said.code, said.totals()) == (5, {"failed": 3, "detached": 17, "pending": 10})
    assert "3 of 20 items have failed, and guards.stop_after_failure_ratio is 0.1" in said.notes


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        ({"not_before": at(3600)}, "the plan's window opens at"),
        ({"not_after": at(-1)}, "the plan's window closed at"),
        ({"not_before": at(-7200), "not_after": at(-3600)}, "the plan's window closed at"),
    ],
)
def test_outside_its_window(bench, window, sentence):
    """A run does not start, exit 3, and not even a read is sent; a check looks, and exits 3 as well."""
    plan, listed = bench.sales(2)
    plan = bench.plan(bridge("sales", listed), window=window)
    said = bench.run(plan)
    assert (said.code, said.totals()) == (3, {"pending": 2})
    assert sentence in said.notes
    assert list(bench.record) == []
    check = bench.check(plan)
    assert (check.code, sentence in check.notes) == (3, True)


def test_waits_for_the_window(bench):
    """With --wait the run begins when the window opens."""
    _, listed = bench.sales(2)
    opens = datetime.now(UTC) + timedelta(seconds=0.4)
    plan = bench.plan(bridge("sales", listed), window={"not_before": opens.isoformat()})
    started = datetime.now(UTC)
    said = bench.run(plan, "--wait")
    assert (said.code, said.totals()) == (0, {"detached": 2})
    assert started < opens <= datetime.now(UTC)
    assert "waiting for the window" in said.err


def test_a_window_that_closes_on_the_way(bench):
    """Nothing new starts, the rest is pending, exit 5; the run may be resumed."""
    _, listed = bench.sales(30)
    bench.configure(accounts={"unpod-main": {"rate": "20/s"}})
    plan = bench.plan(bridge("sales", listed), window={"not_after": at(0.8)})
    said = bench.run(plan)
    assert (said.code, said.report["run"]["status"]) == (5, "aborted")
    assert set(said.totals()) == {"detached", "pending"}
    assert "the plan's window closed at" in said.notes
    assert f"teardown resume {said.report['run']['id']}" in said.err


def test_deadline(bench):
    """After the deadline nothing new starts: exit 5; the resume does the rest and sends nothing twice."""
    plan, listed = bench.sales(20)
    bench.configure(accounts={"unpod-main": {"rate": "20/s"}})
    said = bench.run(plan, "--deadline", "400ms")
    assert (said.code, set(said.totals())) == (5, {"detached", "pending"})
    assert "the deadline of 0.4 s is reached" in said.notes
    bench.configure()
    resumed = bench.resume()
    assert (resumed.code, resumed.totals()) == (0, {"detached": 20})
    assert sorted(entry.number for entry in bench.detaches()) == listed


def test_limit(bench):
    """At most the first N items of the plan; the others are skipped as excluded and not even looked for elsewhere."""
    bench.world.unpod.add_bridge("sales", [ONE, TWO])
    bench.world.videosdk.attach(THREE, "gw_1")
    plan = bench.plan(bridge("sales", [ONE, TWO]), gateway([THREE], "gw_1"))
    said = bench.run(plan, "--limit", "1")
    assert (said.code, said.outcomes()) == (0, {ONE: "detached", TWO: "skipped", THREE: "skipped"})
    assert {said.rows[number]["reason"] for number in (TWO, THREE)} == {"excluded"}
    assert [entry.number for entry in bench.detaches()] == [ONE]


@pytest.mark.parametrize(
    ("options", "done"),
    [
        (["--only", "unpod-main"], {ONE, TWO}),
        (["--only", "unpod-main/sales"], {ONE}),
        (["--only", "unpod-main/sales", "--only", "videosdk-main"], {ONE, THREE}),
        (["--exclude", "unpod-main"], {THREE}),
        (["--exclude", "unpod-main/sales", "--exclude", "videosdk-main/gw_1"], {TWO}),
        (["--only", "unpod-main", "--exclude", "unpod-main/other"], {ONE}),
    ],
)
def test_only_and_exclude(bench, options, done):
    """They choose by account, or account and target; what they leave out is skipped as excluded."""
    bench.world.unpod.add_bridge("sales", [ONE])
    bench.world.unpod.add_bridge("other", [TWO])
    bench.world.videosdk.attach(THREE, "gw_1")
    plan = bench.plan(bridge("sales", [ONE]), bridge("other", [TWO]), gateway([THREE], "gw_1"))
    said = bench.run(plan, *options)
    assert said.code == 0
    assert {number for number, outcome in said.outcomes().items() if outcome == "detached"} == done
    assert {row["reason"] for row in said.report["numbers"] if row["outcome"] == "skipped"} == {"excluded"}
    assert {entry.number for entry in bench.detaches()} == done


@pytest.mark.parametrize(
    "options",
    [
        ("--only", ""),
        ("--exclude", ""),
        ("--only", " "),
        ("--only", "nobody"),
        ("--only", "unpod-main/nowhere"),
        ("--exclude", "unpod-main"),
        ("--limit", "0"),
        ("--limit", "-1"),
    ],
)
def test_an_empty_selection_is_an_error(bench, options):
    """Blank, unknown, or nothing left: exit 2 with a sentence, never everything, and no run is recorded."""
    plan, _ = bench.sales(2)
    for command in ("run", "check"):
        said = call(command, plan, *(["--yes"] if command == "run" else []), *options)
        assert (said.code, said.out) == (2, "")
        assert options[0] in said.err
    assert list(bench.record) == []
    assert call("status").out in ("", f"no runs in {bench.state}\n")
