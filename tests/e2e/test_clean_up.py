"""``then: delete_target``: what is empty in the end is deleted, and nothing else ever is."""

import random
import signal

import pytest
from bench import FOUR, ONE, THREE, TWO, Bench, bridge, call, finish, gateway, numbers, serving
from terminal import Terminal

from runner.sandbox import Faults, World

THEN = {"then": "delete_target"}
YES = "--delete-targets"


def deletes(bench):
    """Return every delete request that has arrived; each was for something empty."""
    sent = [entry for entry in bench.record if entry.kind == "delete"]
    assert not any(entry.attached for entry in sent), sent
    return sent


def fates(said):
    """Return what became of each target, and why."""
    return {row["target"]: (row["outcome"], row["reason"]) for row in said.report["targets"]}


@pytest.fixture
def retired(bench):
    """Give a bench with two bridges and a gateway pair that a plan empties and deletes."""
    bench.world.unpod.add_bridge("old", [ONE, TWO])
    bench.world.unpod.add_bridge("kept", [THREE])
    bench.world.videosdk.attach(FOUR, "gw_1")
    bench.world.videosdk.add_pair("gw_2")
    bench.planned = bench.plan(
        bridge("old", [ONE, TWO], **THEN), bridge("kept", [THREE]), gateway([FOUR], "gw_1", **THEN)
    )
    return bench


def test_what_is_empty_in_the_end_is_deleted(retired):
    """The bridge, and both gateways of the pair that the snapshot names; other targets stay, empty or not."""
    said = retired.run(retired.planned, YES)
    assert (said.code, said.totals()) == (0, {"detached": 4})
    assert fates(said) == dict.fromkeys(("old", "gw_1", "gw_1-out"), ("deleted", None))
    assert {row["confirmed_by"] for row in said.report["targets"]} == {"response"}
    assert list(retired.world.unpod.bridges) == ["kept"]
    assert list(retired.world.videosdk.gateways["inbound"]) == ["gw_2"]
    assert [entry.status for entry in deletes(retired)] == [204, 200, 200]
    last = max(place for place, entry in enumerate(retired.record) if entry.kind == "detach")
    assert all(place > last for place, entry in enumerate(retired.record) if entry.kind == "delete")


def test_it_is_told_wherever_a_run_is_told_of(retired):
    """Log, page, ticket and terminal name what was deleted."""
    said = retired.run(retired.planned, YES, "--report", "r.md")
    line = "deleted bridge old of unpod-main"
    assert line in said.err
    assert "then deletes bridge old, if nothing is left there" in said.err
    assert "| unpod-main | bridge | old | deleted |  |" in (retired.folder / "r.md").read_text()
    page = (retired.run_folder(said) / "report.html").read_text()
    assert "<td>bridge<td>old<td>deleted" in page
    events = [entry for entry in retired.log(said) if entry["event"] == "target.finished"]
    assert ("bridge", "old", "deleted") in [(entry["kind"], entry["target"], entry["outcome"]) for entry in events]
    assert line in retired.process("report", said.report["run"]["id"]).out


def test_yes_does_not_cover_it(retired):
    """Without a word on it nothing is sent at all, and the sentence names both ways out."""
    said = call("run", retired.planned, "--yes")
    assert (said.code, retired.record) == (2, [])
    assert "which --yes does not cover; add --delete-targets, or --keep-targets to leave it" in said.err
    assert said.err.count("plan1.yaml:") == 2


def test_it_can_be_declined(retired):
    """--keep-targets detaches all the same; the targets are kept, which is no failure."""
    said = retired.run(retired.planned, "--keep-targets")
    assert (said.code, said.totals()) == (0, {"detached": 4})
    assert fates(said) == dict.fromkeys(("old", "gw_1", "gw_1-out"), ("kept", "not_confirmed"))
    assert deletes(retired) == []


def test_a_dry_run_deletes_nothing_and_says_what_would_be(retired):
    """Check names what would be deleted; its report lists it as kept."""
    said = retired.check(retired.planned)
    assert said.code == 0
    assert "unpod-main     then deletes bridge old, if nothing is left there" in said.err
    assert "videosdk-main  then deletes inbound gateway gw_1 and outbound gateway gw_1-out" in said.err
    assert set(fates(said).values()) == {("kept", "dry_run")}


def test_what_others_have_there_keeps_it(retired):
    """A number outside of the plan is left on the bridge, and another on the gateway: both stay, and say so."""
    retired.world.unpod.attach("old", "+14155550190")
    retired.world.videosdk.attach("+14155550191", "gw_1")
    said = retired.run(retired.planned, YES)
    assert (said.code, said.totals(), deletes(retired)) == (0, {"detached": 4}, [])
    assert set(fates(said).values()) == {("kept", "not_empty")}
    assert said.report["targets"][0]["note"] == "1 left on it: +14155550190"
    assert "kept bridge old of unpod-main: 1 left on it: +14155550190" in said.err


def test_a_number_that_comes_at_the_last_moment_keeps_it(retired):
    """The look comes after the verification: what was attached meanwhile is seen."""
    retired.at_detach(3, lambda: retired.world.unpod.attach("old", "+14155550190"))
    said = retired.run(retired.planned, YES)
    assert fates(said)["old"] == ("kept", "not_empty")


@pytest.mark.parametrize("rows", ["stay_null", "unassigned"])
def test_rows_of_detached_numbers_are_nothing_that_is_left(retired, rows):
    """Where a bridge goes on showing its numbers without a provider; but a row of somebody else's is something."""
    retired.world.habits.detached_rows = rows
    retired.world.unpod.attach("kept", "+14155550190")
    said = retired.run(retired.planned, YES)
    assert fates(said)["old"] == ("deleted", None)
    retired.world.detach("unpod", "kept", "+14155550190")
    again = retired.run(retired.plan(bridge("kept", [THREE], **THEN)), YES)
    assert fates(again) == {"kept": ("kept", "not_empty")}


def test_a_number_of_the_plan_that_is_not_gone_keeps_its_target(retired):
    """Failed or left alone on purpose: its target stays, and those of other numbers are deleted."""
    retired.faults.script(TWO, ["http_500_before"] * 3)
    said = retired.run(retired.planned, YES)
    assert (said.code, said.outcomes()[TWO]) == (4, "failed")
    assert fates(said) == {"old": ("kept", "not_all_gone"), "gw_1": ("deleted", None), "gw_1-out": ("deleted", None)}
    again = retired.resume("--retry-failed")
    assert (again.code, fates(again)["old"]) == (0, ("deleted", None))


@pytest.mark.parametrize(
    ("more", "options"),
    [({"guards": {"protect": [TWO]}}, []), ({}, ["--limit", "1"]), ({}, ["--exclude", "videosdk-main"])],
)
def test_what_the_user_leaves_out_is_left(retired, more, options):
    """Protected, beyond the limit, or excluded: no target is deleted that had to do with it."""
    plan = retired.plan(bridge("old", [ONE, TWO], **THEN), gateway([FOUR], "gw_1", **THEN), **more)
    said = retired.run(plan, YES, *options)
    assert said.code == 0
    if "--exclude" in options:
        assert fates(said) == {"old": ("deleted", None)}
    else:
        assert fates(said)["old"] == ("kept", "not_all_gone")
        assert retired.world.holds("unpod", "old")


def test_an_empty_group_that_is_excluded_is_left(retired):
    """`numbers: all` of an empty bridge has no item; excluded, it is not deleted all the same."""
    retired.world.unpod.add_bridge("empty")
    plan = retired.plan(bridge("kept", [THREE]), bridge("empty", "all", **THEN))
    said = retired.run(plan, YES, "--exclude", "unpod-main/empty")
    assert (fates(said), deletes(retired)) == ({}, [])
    said = retired.run(plan, YES)
    assert fates(said) == {"empty": ("deleted", None)}


def test_numbers_that_nobody_has_seen_gone_keep_it(retired):
    """With --no-verify nothing is seen gone, so nothing is deleted."""
    said = retired.run(retired.planned, YES, "--no-verify")
    assert (said.code, set(fates(said).values())) == (0, {("kept", "not_verified")})
    assert deletes(retired) == []


def test_a_run_that_is_aborted_deletes_nothing(retired):
    """Also not what is empty by then; a resume goes on with it and does not ask again."""
    plan = retired.plan(
        bridge("old", [ONE, TWO], **THEN), bridge("kept", [THREE]), guards={"stop_after_failures": 1, "batches": [2]}
    )
    retired.faults.script(TWO, ["http_500_before"] * 3)
    said = retired.run(plan, YES)
    assert (said.code, fates(said), deletes(retired)) == (5, {"old": ("kept", "run_not_finished")}, [])
    again = call("resume", "--retry-failed", "--yes", "--json")
    assert (again.code, fates(again)) == (0, {"old": ("deleted", None)})


def test_an_account_that_stops_keeps_the_targets_of_all(retired):
    """One is refused part-way: the run is aborted, and nothing is deleted in the other one either."""
    retired.configure(accounts={"unpod-main": {"concurrency": 1}})
    retired.at_detach(2, lambda: retired.world.revoked.add("unpod"))
    retired.world.videosdk.detach(FOUR)
    retired.world.videosdk.attach(FOUR, "gw_1")
    said = retired.run(retired.planned, YES)
    assert (said.code, deletes(retired)) == (5, [])
    assert set(fates(said).values()) == {("kept", "run_not_finished")}
    retired.world.revoked.clear()
    again = retired.resume()
    assert (again.code, set(fates(again).values())) == (0, {("deleted", None)})


def test_a_target_that_is_gone_already(retired):
    """Somebody else has deleted it since the pre-check: that is said, and no request is sent."""
    retired.at_detach(3, lambda: retired.world.unpod.remove_bridge("old"))
    said = retired.run(retired.plan(bridge("old", [ONE, TWO], **THEN), bridge("kept", [THREE])), YES)
    assert (said.code, fates(said)) == (0, {"old": ("already_deleted", None)})
    assert deletes(retired) == []


@pytest.mark.parametrize("fault", ["lost_after", "reset_after", "http_500_after", "http_400_after", "truncated"])
def test_an_answer_that_says_nothing_is_settled_by_a_look(retired, fault):
    """It is gone although nobody said so: one request, and the look confirms it."""
    for target in ("old", "gw_1", "gw_1-out"):
        retired.faults.script(target, [fault])
    said = retired.run(retired.planned, YES)
    assert said.code == 0
    assert {(row["outcome"], row["confirmed_by"]) for row in said.report["targets"]} == {("deleted", "verification")}
    assert len(deletes(retired)) == 3


def test_somebody_else_deletes_it_just_before(retired):
    """The request finds nothing: that was not this run's work."""
    retired.at_detach(1, lambda: retired.world.unpod.remove_bridge("old"), kind="delete")
    said = retired.run(retired.plan(bridge("old", [ONE, TWO], **THEN)), YES)
    assert (said.code, fates(said)) == (0, {"old": ("already_deleted", None)})


@pytest.mark.parametrize("fault", ["lost_before", "http_500_before", "business_206", "http_429", "http_503"])
def test_an_attempt_that_did_nothing_is_made_again_after_a_look(retired, fault):
    """Somebody attaches a number between the two: then the second attempt is not made."""
    retired.faults.seconds["http_429"] = retired.faults.seconds["http_503"] = 0.0
    retired.faults.script("old", [fault])
    said = retired.run(retired.plan(bridge("old", [ONE, TWO], **THEN)), YES)
    assert (said.code, fates(said)) == (0, {"old": ("deleted", None)})
    assert len(deletes(retired)) == 2
    retired.world.unpod.add_bridge("old", [ONE])
    retired.faults.script("old", [fault])
    retired.at_detach(1, lambda: retired.world.unpod.attach("old", "+14155550190"), kind="delete")
    said = retired.run(retired.plan(bridge("old", [ONE], **THEN)), YES)
    assert (said.code, fates(said)) == (0, {"old": ("kept", "not_empty")})


def test_a_success_that_was_none_is_found_out(retired):
    """A look shows the bridge after the success: it is kept, with an error, and the run has failed."""
    retired.faults.script("old", ["lying_200"])
    said = retired.run(retired.plan(bridge("old", [ONE, TWO], **THEN)), YES)
    assert (said.code, fates(said)) == (4, {"old": ("kept", None)})
    assert said.report["targets"][0]["error"]["code"] == "still_there"
    assert "1 target not deleted" in said.err
    again = call("resume", "--retry-failed", "--yes", "--json")
    assert (again.code, fates(again)) == (0, {"old": ("deleted", None)})


def test_a_refusal_is_a_failure(retired):
    """The provider refuses again and again: kept with its words, and exit 4."""
    retired.faults.script("old", ["business_206"] * 9)
    said = retired.run(retired.plan(bridge("old", [ONE, TWO], **THEN)), YES)
    assert (said.code, fates(said)) == (4, {"old": ("kept", None)})
    assert "HTTP 206" in said.report["targets"][0]["error"]["message"]


def test_a_look_that_fails_is_no_evidence(retired):
    """Neither before the request, then it is kept; nor after a lost answer, then nobody knows."""
    plan = retired.plan(bridge("old", [ONE, TWO], **THEN))
    path = "/api/v2/platform/telephony/bridges/old/"
    retired.faults.script("old", ["lost_after"])
    retired.at_detach(1, lambda: retired.faults.script_reads(path, ["read_500"] * 90), kind="delete")
    said = retired.run(plan, YES)
    assert (said.code, fates(said)) == (4, {"old": ("unknown", None)})
    assert "1 target of which nobody knows whether it is deleted" in said.err
    retired.faults.script_reads(path, [])
    again = call("resume", "--retry-failed", "--yes", "--json")
    assert (again.code, fates(again)) == (0, {"old": ("deleted", None)})
    assert again.report["targets"][0]["confirmed_by"] == "verification"
    assert len(deletes(retired)) == 1


def test_a_gateway_that_does_not_show_its_numbers_is_kept(retired, monkeypatch):
    """A number that shows its gateway is enough, whatever the gateway shows."""
    retired.world.videosdk.attach("+14155550191", "gw_1")
    monkeypatch.setattr(retired.world.videosdk, "numbers_by_gateway", dict)
    said = retired.run(retired.plan(gateway([FOUR], "gw_1", **THEN)), YES)
    assert set(fates(said).values()) == {("kept", "not_empty")}
    assert deletes(retired) == []


@pytest.mark.parametrize("fault", ["ok", "slow"])
def test_killed_around_the_delete(retired, fault):
    """Before its answer, whether or not it worked: a resume looks, and deletes what is still there, once."""
    retired.faults.seconds["slow"] = 0.3
    retired.faults.script("old", [fault])
    plan = retired.plan(bridge("old", [ONE, TWO], **THEN))
    assert retired.struck(signal.SIGKILL, 1, "run", plan, "--yes", YES, kind="delete").code == -signal.SIGKILL
    retired.world.on_request.clear()
    (run,) = (retired.state / "runs").iterdir()
    said = retired.process("report", "--json", run.name)
    assert said.report["run"]["exit_code"] is None
    assert fates(said) == {"old": ("unknown", None)}
    again = retired.process("resume", "--yes", "--json")
    assert (again.code, fates(again)) == (0, {"old": ("deleted", None)})
    assert "old" not in retired.world.unpod.bridges
    assert all(entry.attached is False for entry in deletes(retired))


def test_interrupted_before_the_delete(retired):
    """A signal leaves the targets; the report says so, and a resume deletes them without asking again."""
    plan = retired.plan(bridge("old", [ONE, TWO], **THEN))
    said = retired.struck(signal.SIGINT, 2, "run", plan, "--yes", YES, "--json")
    assert (said.code, fates(said)) == (130, {"old": ("kept", "run_not_finished")})
    again = retired.process("resume", "--yes", "--json")
    assert (again.code, fates(again)) == (0, {"old": ("deleted", None)})


def test_a_resume_asks_where_nobody_was_asked(retired):
    """A run that was killed before the question: --yes alone does not cover it then either."""
    process = []
    retired.world.on_request.append(lambda _: process[0].kill())
    process.append(retired.start("run", retired.planned, "--yes", YES))
    assert finish(process[0]).code == -signal.SIGKILL
    retired.world.on_request.clear()
    said = call("resume", "--yes")
    assert (said.code, deletes(retired)) == (2, [])
    assert "which --yes does not cover" in said.err
    said = retired.resume(YES)
    assert (said.code, len(deletes(retired))) == (0, 3)


def test_what_could_not_be_meant_is_refused(bench):
    """One sentence with place and mend, and nothing is sent."""
    said = call("validate", bench.plan(bridge("old", [ONE], then="destroy")))
    assert said.code == 2
    assert "`then`: 'destroy' is not one of delete_target" in said.err


@pytest.fixture
def bench_of_many(tmp_path, monkeypatch):
    """Give a bench whose provider fails in every tenth request, with bridges and gateways that others use too."""
    monkeypatch.setenv("TEARDOWN_STATE_DIR", str(tmp_path / "state"))
    faults = Faults.parse(
        "lost_before=4%,lost_after=4%,http_500_after=4%,http_429=1%:0s,read_500=3%,read_reset=2%", seed=5
    )
    with serving(World(show_configurations=True), faults=faults) as server:
        bench = Bench(tmp_path, server, faults)
        bench.configure(accounts={"unpod-main": {"rate": "300/s"}, "videosdk-main": {"rate": "300/s"}})
        yield bench


def test_killed_at_random_moments(bench_of_many):
    """Over kills and faults only what is empty is deleted, and the report knows of each what became of it."""
    bench, listed, chance = bench_of_many, numbers(60), random.Random(11)  # noqa: S311 - a test
    groups, alone = [], set()
    for index in range(10):
        mine = listed[index * 3 : index * 3 + 3]
        bench.world.unpod.add_bridge(f"b{index}", mine)
        groups.append(bridge(f"b{index}", mine, **THEN))
        pair = listed[30 + index * 3 : 33 + index * 3]
        for number in pair:
            bench.world.videosdk.attach(number, f"g{index}")
        groups.append(gateway(pair, f"g{index}", **THEN))
        if index % 3 == 0:
            bench.world.unpod.attach(f"b{index}", f"+1212555{index:04d}")
            bench.world.videosdk.attach(f"+1212556{index:04d}", f"g{index}")
            alone |= {f"b{index}", f"g{index}", f"g{index}-out"}
    args, kills = ("run", bench.plan(*groups), YES), 0
    while True:
        process = []
        if kills < 5:
            kind = "delete" if kills else "detach"
            bench.at_detach(chance.randint(1, 6), lambda started=process: started[0].kill(), kind)
        process.append(bench.start(*args, "--yes", "--json", "--no-progress"))
        said = finish(process[0])
        bench.world.on_request.clear()
        if said.code != -signal.SIGKILL:
            break
        kills, args = kills + 1, ("resume", "--delete-targets")
    assert kills >= 3
    assert said.code in {0, 4}, said.err
    deletes(bench)
    there = {*bench.world.unpod.bridges, *(each for side in bench.world.videosdk.gateways.values() for each in side)}
    assert alone <= there
    for row in said.report["targets"]:
        assert (row["target"] in there) == (row["outcome"] == "kept") or row["outcome"] == "unknown", row


@pytest.mark.parametrize(("answers", "became"), [("yy", "deleted"), ("ny", "kept"), ("yn", None), ("nn", None)])
def test_it_is_asked_for_separately(retired, answers, became):
    """On a terminal it has a question of its own, and numbers are detached whatever the answer is."""
    plan = retired.plan(bridge("old", [ONE, TWO], **THEN))
    with Terminal("run", plan) as terminal:
        terminal.expect("Delete bridge old, if nothing is left there? It cannot be undone. [y/N] ")
        assert retired.detaches() == []
        terminal.type(f"{answers[0]}\n")
        terminal.expect("does not bring back what is deleted")
        terminal.expect("Detach 2 numbers? Their calls stop at once. [y/N] ")
        terminal.type(f"{answers[1]}\n")
        assert terminal.finish() == (0 if became else 3)
    assert len(retired.detaches()) == (2 if became else 0)
    assert ("old" in retired.world.unpod.bridges) is (became != "deleted")


def test_where_only_the_target_is_left_only_that_is_asked(retired):
    """All numbers are gone already: one question, and a no sends nothing."""
    for number in (ONE, TWO):
        retired.world.detach("unpod", "old", number)
    plan = retired.plan(bridge("old", [ONE, TWO], **THEN))
    for answer, exists in (("n", True), ("y", False)):
        with Terminal("run", plan) as terminal:
            terminal.expect("[y/N] ")
            terminal.type(f"{answer}\n")
            assert terminal.finish() == 0
        assert "Detach" not in terminal.text
        assert ("old" in retired.world.unpod.bridges) is exists


def test_a_signal_at_the_question(retired):
    """It ends the run there, without another question."""
    with Terminal("run", retired.planned) as terminal:
        terminal.expect("be undone. [y/N] ")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.finish() == 130
    assert "Their calls stop at once" not in terminal.text
    assert not any(entry.method != "GET" for entry in retired.record)
