"""``reassign``: numbers are taken off one target and attached to another, and none is left without a place unnamed."""

import csv
import io
import itertools
import json
import random
import signal
import statistics

import pytest
from bench import Bench, agree, bridge, call, finish, gateway, numbers, serving

from runner.sandbox import Faults, World

TRUNK = {
    "name": "new trunk",
    "inbound": {"region": "us002"},
    "outbound": {
        "address": "sip.example.org",
        "transport": "tls",
        "region": "us002",
        "auth": {"username": "trunk", "password": "${NEW_PASSWORD}"},
    },
}
KEYS = {"auth_username": "old", "auth_password": "${OLD_PASSWORD}"}
FAULTS = "lost_before=4%,lost_after=4%,http_500_after=4%,business_206=2%,http_429=1%:0s,read_500=3%,read_reset=2%"
GAP = ["lost_after", "reset_after", "http_500_after", "truncated", "garbage"]


def killed(bench, plan, nth, kind):
    """Run a plan in a process that is killed when its ``nth`` request of a kind arrives."""
    assert bench.struck(signal.SIGKILL, nth, "run", plan, "--yes", kind=kind).code == -signal.SIGKILL
    bench.world.on_request.clear()


@pytest.fixture(autouse=True)
def _passwords(monkeypatch):
    """The trunks' passwords, which plans only refer to."""
    monkeypatch.setenv("NEW_PASSWORD", "s3cret-of-the-new")
    monkeypatch.setenv("OLD_PASSWORD", "s3cret-of-the-old")


def moving(bench, count=4, **more):
    """Attach so many numbers to the bridge ``sales``; return the plan to move them to ``support``, and the numbers."""
    listed = numbers(count)
    bench.world.unpod.add_bridge("sales", listed)
    bench.world.unpod.add_bridge("support")
    return bench.plan(bridge("sales", listed, reassign={"bridge": "support"} | more)), listed


def trunking(bench, count=3, **more):
    """Attach so many numbers to gateways; return the plan to move them to new ones, and the numbers."""
    listed = numbers(count, 500)
    for number in listed:
        bench.world.videosdk.attach(number)
    return bench.plan(gateway(listed, reattach=KEYS, reassign=TRUNK | more)), listed


# A refusal is believed when it comes twice; a 206 is one at Unpod only, and elsewhere an answer that says nothing.
REFUSED = {moving: ["business_206"] * 2, trunking: ["business_206"] * 3}
MOVES = pytest.mark.parametrize("move", [moving, trunking])


def test_from_bridge_to_bridge(bench):
    """Each number is detached here and attached there, through the configuration that it had."""
    plan, listed = moving(bench)
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"moved": 4})
    assert [entry.number for entry in bench.attaches()] == [entry.number for entry in bench.detaches()] == listed
    assert {entry.body["provider_config_id"] for entry in bench.attaches()} == {42}
    assert all(row["verified"] and row["moved_to"] == "support" for row in said.rows.values())
    assert said.report["run"]["moves"] is True


def test_through_another_configuration(bench):
    """The plan may name the provider configuration at the new bridge."""
    bench.world.unpod.add_configuration(43, "plivo")
    plan, listed = moving(bench, provider_config_id=43)
    assert bench.run(plan).totals() == {"moved": 4}
    row = bench.world.unpod.bridges["support"].rows[listed[0]]
    assert row["provider_configuration"]["id"] == 43


def test_to_a_configuration_of_gateways(bench):
    """Each number gets a new pair as the plan describes it; its secrets are sent and written nowhere."""
    plan, listed = trunking(bench)
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"moved": 3})
    world = bench.world.videosdk
    pairs = {world.phones[number].outbound for number in listed}
    assert len(pairs) == 3
    for pair in pairs:
        made = world.gateways["outbound"][pair]
        assert made.items() >= {"name": "new trunk", "address": "sip.example.org", "geoRegion": "us002"}.items()
        assert made["auth"] == {"username": "trunk", "password": "s3cret-of-the-new"}
    kept = [path for path in bench.state.rglob("*") if path.is_file()]
    assert len(kept) > 5
    assert not any(b"s3cret" in path.read_bytes() for path in kept)


@MOVES
def test_the_gap_of_each_number_is_reported(bench, move):
    """In the report, the table, the page and the log, and it is what the sandbox saw at least."""
    plan, listed = move(bench)
    said = bench.run(plan, "--report", "out.csv")
    rows = {row["number"]: row for row in csv.DictReader(io.StringIO((bench.folder / "out.csv").read_text()))}
    finished = {event["number"]: event for event in bench.log(said) if event["event"] == "number.finished"}
    page = (bench.run_folder(said) / "report.html").read_text()
    for number in listed:
        gap = said.rows[number]["gap_ms"]
        (left,), (back,) = bench.world.detach_requests(number), bench.world.attach_requests(number)
        assert gap >= (back.at - left.at) * 1000 - 1
        assert float(rows[number]["gap_ms"]) == finished[number]["gap_ms"] == gap
        assert rows[number]["moved_to"] == finished[number]["moved_to"] == said.rows[number]["moved_to"]
        assert f'"{number}",0,0,2,' in page
        assert f",{gap}]" in page


def test_an_attach_waits_for_no_other_number(bench):
    """At 20 a second and with 8 workers a number is without a place for less than the time of one request."""
    bench.configure(accounts={"unpod-main": {"rate": "20/s", "concurrency": 8}})
    plan, listed = moving(bench, 24)
    said = bench.run(plan)
    gaps = [said.rows[number]["gap_ms"] for number in listed]
    assert said.totals() == {"moved": 24}
    assert statistics.median(gaps) < 50
    order = [(entry.number, entry.kind) for entry in bench.record if entry.method == "POST"]
    assert order == [(number, kind) for number in listed for kind in ("detach", "attach")]
    assert bench.world.busiest_second("unpod") <= 20


@MOVES
def test_a_second_run_sends_nothing(bench, move):
    """What is there is left alone."""
    plan, listed = move(bench)
    bench.run(plan)
    sent = len(bench.detaches())
    again = bench.run(plan)
    assert (again.code, again.totals(), len(bench.detaches())) == (0, {"already_moved": len(listed)}, sent)


@MOVES
def test_the_dry_run_says_what_would_move_where(bench, move):
    """By number in the report, in all on the terminal; nothing is sent."""
    plan, listed = move(bench)
    said = bench.check(plan)
    to = {moving: "support", trunking: "new trunk"}[move]
    assert (said.code, said.totals()) == (0, {"would_move": len(listed)})
    assert {row["moved_to"] for row in said.rows.values()} == {to}
    assert f"to move to {to}" in said.err
    assert "if refused there, puts back " in said.err


@MOVES
@pytest.mark.parametrize("fault", GAP)
@pytest.mark.parametrize("leg", [0, 1])
def test_an_answer_that_says_nothing_is_settled_by_a_look(bench, move, fault, leg):
    """On either leg: what was done is not done again, and the number is there."""
    plan, listed = move(bench)
    bench.faults.script(listed[0], [*["ok"] * leg, fault])
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"moved": len(listed)})
    assert said.rows[listed[0]]["attempts"] == 2
    assert said.rows[listed[0]]["confirmed_by"] == ("verification" if leg else "response")
    assert bench.world.useless_attaches() == bench.world.useless_detaches() == []


@MOVES
@pytest.mark.parametrize("fault", ["lost_before", "http_500_before", "business_206", "wrong_slug"])
@pytest.mark.parametrize("leg", [0, 1])
def test_an_attempt_that_did_nothing_is_made_again(bench, move, fault, leg):
    """On either leg, after a look."""
    plan, listed = move(bench)
    bench.faults.script(listed[0], [*["ok"] * leg, fault])
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"moved": len(listed)})
    assert said.rows[listed[0]]["attempts"] == 3
    assert bench.world.useless_attaches() == bench.world.useless_detaches() == []


@MOVES
def test_a_refused_attach_falls_back(bench, move):
    """The number is where it was, the report says so and why, and how long it was away; the others have moved."""
    plan, listed = move(bench)
    bench.faults.script(listed[0], ["ok", *REFUSED[move]])
    said = bench.run(plan)
    assert (said.code, said.totals()) == (4, {"moved": len(listed) - 1, "failed": 1})
    row = said.rows[listed[0]]
    assert (row["error"]["code"], row["attempts"]) == ("put_back", len(REFUSED[move]) + 2)
    assert "did not take it: " in row["error"]["message"]
    assert row["gap_ms"] > 0
    again = bench.resume("--retry-failed")
    assert (again.code, again.totals()) == (0, {"moved": len(listed)})


def test_a_destination_that_vanishes_in_between(bench):
    """The number whose attach finds no bridge goes back at once."""
    plan, listed = moving(bench, 1)
    bench.at_detach(1, lambda: bench.world.unpod.remove_bridge("support"))
    said = bench.run(plan)
    assert (said.code, said.outcomes()) == (4, {listed[0]: "failed"})
    assert "it is attached to sales" in said.rows[listed[0]]["error"]["message"]


@MOVES
def test_what_is_taken_neither_there_nor_back_is_stranded(bench, move):
    """It is named as attached to nothing; a resume attaches it, and so does a rollback."""
    plan, listed = move(bench)
    bench.faults.script(listed[0], ["ok", *REFUSED[move] * 2])
    said = bench.run(plan)
    assert (said.code, said.totals()) == (4, {"moved": len(listed) - 1, "stranded": 1})
    row = said.rows[listed[0]]
    assert "attached to nothing" in row["error"]["message"]
    assert row["gap_ms"] is None
    again = bench.resume()
    assert (again.code, again.totals()) == (0, {"moved": len(listed)})
    assert again.rows[listed[0]]["gap_ms"] > 0


@MOVES
def test_a_rollback_puts_back_what_is_stranded_and_nothing_else(bench, move):
    """Numbers that have moved stay; a run that left none without a place is refused, with the way to move them back."""
    plan, listed = move(bench)
    bench.faults.script(listed[0], ["ok", *REFUSED[move] * 2])
    first = bench.run(plan)
    said = bench.rollback(first)
    assert (said.code, said.outcomes()) == (0, {listed[0]: "reattached"})
    clean = bench.run(plan)
    assert clean.totals() == {"moved": 1, "already_moved": len(listed) - 1}
    refused = call("rollback", clean.report["run"]["id"], "--yes")
    assert refused.code == 2
    assert "write a plan that moves them from where they are now" in " ".join(refused.err.split())


def test_without_a_way_back_when_that_is_said(bench):
    """With ``if_refused: leave`` nothing is asked of the way back, and a refused number is stranded."""
    plan, listed = trunking(bench, 1, if_refused="leave")
    bench.faults.script(listed[0], ["ok", *REFUSED[trunking]])
    said = bench.run(plan)
    assert (said.code, said.totals(), len(bench.attaches())) == (4, {"stranded": 1}, 3)


def test_what_a_way_back_lacks_blocks(bench):
    """A number that could not be put back is not taken off; the sentence says what is missing."""
    listed = numbers(2)
    for number in listed:
        bench.world.videosdk.attach(number)
    said = bench.run(bench.plan(gateway(listed, reassign=TRUNK)))
    assert (said.code, said.totals(), bench.detaches()) == (3, {"pending": 2}, [])
    assert "could not be put back if that is refused: missing auth_username, auth_password" in said.notes


def test_a_destination_that_does_not_exist_blocks(bench):
    """Before anything is sent, also in a check."""
    listed = numbers(2)
    bench.world.unpod.add_bridge("sales", listed)
    plan = bench.plan(bridge("sales", listed, reassign={"bridge": "suport"}))
    for said in (bench.check(plan), bench.run(plan)):
        assert (said.code, bench.detaches()) == (3, [])
        assert "target suport is not found; make it, or correct `reassign`" in said.notes


def test_where_an_excluded_group_would_go_is_not_asked(bench):
    """Only what is to be moved has to have somewhere to go."""
    listed = numbers(4)
    bench.world.unpod.add_bridge("sales", listed[:2])
    bench.world.unpod.add_bridge("night", listed[2:])
    bench.world.unpod.add_bridge("support")
    to_support, to_nowhere = {"bridge": "support"}, {"bridge": "nowhere"}
    plan = bench.plan(
        bridge("sales", listed[:2], reassign=to_support), bridge("night", listed[2:], reassign=to_nowhere)
    )
    assert bench.run(plan).code == 3
    said = bench.run(plan, "--exclude", "unpod-main/night")
    assert (said.code, said.totals()) == (0, {"moved": 2, "skipped": 2})


def test_a_destination_that_lacks_its_configuration_blocks(bench):
    """Where the provider shows no configuration and the plan names none, nothing can be attached."""
    bench.world.habits.show_configurations = False
    plan, _ = moving(bench, 1)
    said = bench.run(plan)
    assert (said.code, bench.detaches()) == (3, [])
    assert "cannot be attached to support: missing provider_config_id; give it under `reassign`" in said.notes


@pytest.mark.parametrize("on_drift", ["block", "skip"])
@MOVES
def test_what_is_not_here_is_drift(bench, move, on_drift):
    """A number that is attached to nothing, or to something else, blocks, or is skipped with the reason."""
    _, listed = move(bench)
    provider = "unpod" if move is moving else "videosdk"
    bench.world.detach(provider, "sales", listed[0])
    target, to = ("sales", {"bridge": "support"}) if move is moving else ("gw_named", TRUNK)
    group = (
        bridge(target, listed, reassign=to) if move is moving else gateway(listed, target, reassign=to, reattach=KEYS)
    )
    if move is moving:
        bench.world.detach("unpod", "sales", listed[1])
        bench.world.unpod.add_bridge("other", [listed[1]])
    said = bench.run(bench.plan(group, guards={"on_drift": on_drift}))
    if on_drift == "block":
        assert (said.code, bench.detaches()) == (3, [])
        assert f"{listed[0]} is attached to nothing, so it cannot be moved" in said.notes
        assert f"{listed[1]} is not attached to target {target} but to" in said.notes
    else:
        assert said.code == 0
        assert [said.rows[number]["reason"] for number in listed[:2]] == ["not_attached", "attached_elsewhere"]


def test_a_missing_secret_is_said_before_anything_is_sent(bench, monkeypatch):
    """Exit 2 with the name of the variable."""
    plan, _ = trunking(bench)
    monkeypatch.delenv("NEW_PASSWORD")
    said = call("run", plan, "--yes")
    assert (said.code, bench.detaches()) == (2, [])
    assert "NEW_PASSWORD is not set" in " ".join(said.err.split())


def test_a_rehearsal_has_the_destination(bench, monkeypatch):
    """The sandbox that stands in for the account knows the bridge, and needs no secret."""
    monkeypatch.delenv("NEW_PASSWORD")
    monkeypatch.delenv("OLD_PASSWORD")
    to = {"bridge": "support", "provider_config_id": 7}
    plan = bench.plan(bridge("sales", numbers(2), reassign=to), gateway(numbers(1, 9), reattach=KEYS, reassign=TRUNK))
    said = call("run", plan, "--sandbox", "--yes", "--json")
    assert (said.code, said.totals()) == (0, {"moved": 3})


def test_somebody_takes_a_number_in_between(bench):
    """A number that hangs on something else when it should be attached is left there, and named."""
    plan, listed = moving(bench, 2)
    bench.at_detach(1, lambda: bench.world.unpod.add_bridge("other", [listed[0]]), kind="attach")
    said = bench.run(plan)
    assert (said.code, said.outcomes()[listed[1]]) == (4, "moved")
    row = said.rows[listed[0]]
    assert (row["outcome"], row["error"]["code"]) == ("failed", "attached_elsewhere")
    assert "other" in row["error"]["message"]
    assert len(bench.world.attach_requests(listed[0])) == 1


def test_a_stop_lets_no_number_hang(bench):
    """A signal between detach and attach: the attach leaves all the same, and nothing new begins."""
    plan, listed = moving(bench, 6)
    bench.configure(accounts={"unpod-main": {"rate": "10/s", "concurrency": 2}})
    said = bench.struck(signal.SIGTERM, 2, "run", plan, "--yes", "--json", "--no-progress")
    agree(said.report, bench.world, bench.record)
    assert said.code == 143
    assert set(said.totals()) == {"moved", "pending"}
    assert len(bench.detaches()) == len(bench.attaches())
    assert bench.resume().totals() == {"moved": len(listed)}


def test_access_that_is_refused_in_between(bench):
    """The number is named as stranded; with access back a resume attaches it."""
    plan, listed = moving(bench, 3)
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    bench.at_detach(2, lambda: bench.world.revoked.add("unpod"), kind="attach")
    said = bench.run(plan)
    assert (said.code, said.totals()) == (5, {"moved": 1, "stranded": 1, "pending": 1})
    bench.world.revoked.clear()
    assert bench.resume().outcomes() == dict.fromkeys(listed, "moved")


@MOVES
@pytest.mark.parametrize("fault", ["hang_before", "hang_after"])
@pytest.mark.parametrize("leg", [0, 1])
def test_killed_in_the_middle(bench, move, fault, leg):
    """Between detach and attach, or while either is awaited: the report names it, and a resume ends the move."""
    plan, listed = move(bench, 3)
    bench.configure(accounts={name: {"concurrency": 1} for name in ("unpod-main", "videosdk-main")})
    bench.faults.script(listed[1], [*["ok"] * leg, fault])
    killed(bench, plan, 2, ("detach", "attach")[leg])
    left = call("report", bench.newest(), "--json")
    assert left.outcomes()[listed[1]] == "unknown"
    checked = bench.resume()
    assert (checked.code, checked.totals()) == (0, {"moved": 3})
    assert bench.world.useless_attaches() == bench.world.useless_detaches() == []
    gap = checked.rows[listed[1]]["gap_ms"]
    assert (gap is None) == ((leg, fault) == (1, "hang_after"))


@pytest.mark.parametrize("guards", [{"max_percent": 50}, {"min_remaining": 2}, {"max_numbers": 2}])
def test_what_has_left_counts_for_no_guard(bench, guards):
    """A resume judges by what leaves the target now, and not by what an earlier process has taken off it."""
    listed = numbers(4)
    bench.world.unpod.add_bridge("sales", listed)
    bench.world.unpod.add_bridge("support")
    plan = bench.plan(bridge("sales", listed[:2], reassign={"bridge": "support"}), guards=guards)
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    bench.faults.script(listed[0], ["ok", "hang_before"])
    killed(bench, plan, 1, "attach")
    said = bench.process("resume", "--yes")
    assert "2 to move to support of 3 attached (33.3 %), 1 of them without a place" in said.err
    assert said.code == 0
    assert call("report", bench.newest(), "--json").totals() == {"moved": 2}


def test_what_has_no_place_waits_for_no_gate(bench):
    """A resume attaches it first; the gate holds back what is still here."""
    listed = numbers(3)
    bench.world.unpod.add_bridge("sales", listed)
    bench.world.unpod.add_bridge("support")
    (bench.folder / "well").touch()
    gate = {"command": ["test", "-e", str(bench.folder / "well")]}
    plan = bench.plan(bridge("sales", listed, reassign={"bridge": "support"}), guards={"gate": gate})
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    bench.faults.script(listed[1], ["ok", "hang_before"])
    killed(bench, plan, 2, "attach")
    (bench.folder / "well").unlink()
    said = bench.resume()
    assert (said.code, said.totals()) == (5, {"moved": 2, "pending": 1})
    assert "guards.gate: test: exit status 1" in said.notes
    assert said.rows[listed[1]]["gap_ms"] > 0


def test_what_has_no_place_waits_for_no_failures(bench):
    """Failures that reach a guard hold a resume back from beginning anything, but not from attaching what has left."""
    listed = numbers(5)
    bench.world.unpod.add_bridge("sales", listed)
    bench.world.unpod.add_bridge("support")
    guards = {"stop_after_failures": 2}
    plan = bench.plan(bridge("sales", listed, reassign={"bridge": "support"}), guards=guards)
    bench.configure(accounts={"unpod-main": {"concurrency": 2}})
    bench.faults.script(listed[0], ["business_206"] * 2)
    for number in listed[1:3]:
        bench.faults.script(number, ["ok", "hang_before", "business_206", "business_206"])
    killed(bench, plan, 2, "attach")
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    said = bench.resume()
    assert (said.code, said.totals()) == (5, {"failed": 3, "pending": 2})
    assert [said.rows[number]["error"]["code"] for number in listed[1:3]] == ["put_back"] * 2


def test_killed_on_the_way_back(bench):
    """A number that is without a place is attached, and a number that is back begins again."""
    plan, listed = moving(bench, 2)
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    bench.faults.script(listed[0], ["ok", "business_206", "business_206", "hang_after"])
    killed(bench, plan, 3, "attach")
    assert bench.resume().totals() == {"moved": 2}


def test_batches_and_guards_hold(bench):
    """The ramp goes on batch by batch; numbers that were put back count as failures."""
    listed = numbers(6)
    bench.world.unpod.add_bridge("sales", listed)
    bench.world.unpod.add_bridge("support")
    guards = {"batches": [1, "100%"], "stop_after_failures": 1}
    plan = bench.plan(bridge("sales", listed, reassign={"bridge": "support"}), guards=guards)
    bench.faults.script(listed[0], ["ok", "business_206", "business_206"])
    said = bench.run(plan)
    assert (said.code, said.totals()) == (5, {"failed": 1, "pending": 5})
    kept = bench.plan(bridge("sales", listed, reassign={"bridge": "support"}), guards={"min_remaining": 1})
    assert "0 of 6 numbers at unpod-main/sales would remain" in bench.check(kept).notes


@MOVES
def test_a_success_that_was_none_is_found_out(bench, move):
    """A detach that was none leaves the number here, an attach that was none leaves it nowhere: both are said."""
    plan, listed = move(bench)
    bench.faults.script(listed[0], ["ok", "lying_200"])
    said = bench.run(plan)
    assert (said.code, said.totals()) == (4, {"moved": len(listed) - 1, "stranded": 1})
    assert bench.resume().totals() == {"moved": len(listed)}


@MOVES
def test_a_refused_number_goes_back_whatever_a_late_read_shows(bench, move):
    """A look that still shows it where it was, as reads lag behind, is no reason to leave it without a place."""
    plan, (number,) = move(bench, 1)
    bench.world.habits.lag = 1000.0
    bench.faults.script(number, ["ok", "http_409" if move is trunking else "business_206"])
    said = bench.run(plan)
    assert (said.code, said.outcomes()) == (4, {number: "failed"})
    assert said.rows[number]["error"]["code"] == "put_back"
    assert len(bench.world.attach_requests(number)) == 2


@MOVES
def test_reads_that_lag_behind(bench, move):
    """A look that still shows the number here, or not yet there, is waited for before it is believed."""
    bench.world.habits.lag = 0.05
    plan, listed = move(bench)
    bench.faults.script(listed[0], ["lost_after"])
    said = bench.run(plan)
    assert said.totals().get("moved", 0) >= len(listed) - 1
    bench.world.habits.lag = 0.0
    assert bench.resume("--retry-failed").totals() == {"moved": len(listed)} if said.code else said.code == 0


def test_all_that_is_attached(bench):
    """``all`` moves whatever is here when the pre-check looks."""
    listed = numbers(3)
    bench.world.unpod.add_bridge("sales", listed)
    bench.world.unpod.add_bridge("support", numbers(1, 40))
    said = bench.run(bench.plan(bridge("sales", "all", reassign={"bridge": "support"})))
    assert said.outcomes() == dict.fromkeys(listed, "moved")


def placeless(bench):
    """Return the numbers of either provider that are attached to nothing."""
    gone = [number for number, phone in bench.world.videosdk.phones.items() if not phone.attached]
    return [*bench.world.unpod.unassigned, *gone]


def test_killed_at_random_moments(tmp_path, monkeypatch):
    """Over kills and faults no number is lost or reported wrongly, and in the end each has a place that is named."""
    monkeypatch.setenv("TEARDOWN_STATE_DIR", str(tmp_path / "state"))
    faults = Faults.parse(FAULTS, seed=5)
    with serving(World(show_configurations=True), faults=faults) as server:
        bench = Bench(tmp_path, server, faults)
        rates = {name: {"rate": "300/s"} for name in ("unpod-main", "videosdk-main")}
        bench.configure(accounts=rates, retry={"max_attempts": 6})
        bench.world.unpod.add_bridge("sales", numbers(60))
        bench.world.unpod.add_bridge("support")
        for number in numbers(30, 500):
            bench.world.videosdk.attach(number)
        plan = bench.plan(
            bridge("sales", numbers(60), reassign={"bridge": "support"}),
            gateway(numbers(30, 500), reattach=KEYS, reassign=TRUNK),
        )
        chance, command, kills = random.Random(11), ("run", plan), itertools.count()  # noqa: S311 - a test
        while True:
            process = []
            if next(kills) < 6:
                kind = chance.choice(["detach", "attach"])
                bench.at_detach(chance.randint(1, 15), lambda process=process: process[0].kill(), kind=kind)
            process.append(bench.start(*command, "--yes", "--json", "--no-progress"))
            said = finish(process[0])
            bench.world.on_request.clear()
            if said.code != -signal.SIGKILL:
                break
            command = ("resume", "--retry-failed")
            named = call("report", bench.newest(), "--json").outcomes()
            assert {named[number] for number in placeless(bench)} <= {"unknown", "stranded"}
        assert next(kills) > 4
        assert said.code in {0, 4}, said.err
        agree(said.report, bench.world, bench.record)
        assert set(said.totals()) <= {"moved", "already_moved", "failed", "stranded"}


def test_what_was_emptied_is_deleted(bench):
    """A bridge whose numbers have all moved away is deleted where the plan says so, and one with others is kept."""
    listed = numbers(3)
    bench.world.unpod.add_bridge("sales", listed[:2])
    bench.world.unpod.add_bridge("other", [listed[2], "+14155559999"])
    bench.world.unpod.add_bridge("support")
    more = {"reassign": {"bridge": "support"}, "then": "delete_target"}
    said = bench.run(
        bench.plan(bridge("sales", listed[:2], **more), bridge("other", listed[2:], **more)), "--delete-targets"
    )
    assert (said.code, said.totals()) == (0, {"moved": 3})
    assert {row["target"]: row["outcome"] for row in said.report["targets"]} == {"sales": "deleted", "other": "kept"}
    assert set(bench.world.unpod.bridges) == {"other", "support"}


def test_numbers_in_a_call_stay(bench):
    """The guard holds for moves as well."""
    _, listed = trunking(bench)
    guarded = bench.plan(gateway(listed, reattach=KEYS, reassign=TRUNK), guards={"live_calls": "skip"})
    bench.world.videosdk.begin_call(listed[0])
    assert bench.run(guarded).outcomes() == {listed[0]: "skipped", listed[1]: "moved", listed[2]: "moved"}
    bench.world.videosdk.end_calls(listed[0])
    assert bench.run(guarded).outcomes()[listed[0]] == "moved"


def test_just_what_a_saved_check_saw(bench):
    """A move is approved and run as a detach is: once, and not where a number is somewhere else by now."""
    plan, listed = moving(bench)
    path = bench.folder / "approved.json"
    saved = call("check", plan, "--out", path, "--detailed-exitcode")
    assert (saved.code, json.loads(path.read_text())["groups"][0]["reassign"]["bridge"]) == (11, "support")
    sales, support = (bench.world.unpod.bridges[name].rows for name in ("sales", "support"))
    support[listed[0]] = sales.pop(listed[0])
    drifted = call("run", path, "--yes", "--json")
    assert (drifted.code, bench.detaches()) == (3, [])
    assert "was attached when the check was saved, and is where it should go now" in drifted.notes
    sales[listed[0]] = support.pop(listed[0])
    said = bench.run(path, "--expect-hash", saved.out.strip())
    assert (said.code, said.totals()) == (0, {"moved": 4})
    assert call("run", path, "--yes").code == 3


def test_a_call_leaves_no_number_without_a_place(bench):
    """A number that was left attached to nothing is brought where it should be, whoever is said to call it."""
    _, listed = trunking(bench, 1)
    group = gateway(listed, reattach=KEYS, reassign=TRUNK | {"if_refused": "leave"})
    bench.faults.script(listed[0], ["ok", *REFUSED[trunking]])
    said = bench.run(bench.plan(group, guards={"live_calls": "skip"}))
    assert said.totals() == {"stranded": 1}
    bench.world.videosdk.begin_call(listed[0])
    assert bench.resume().totals() == {"moved": 1}
