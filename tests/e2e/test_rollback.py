"""``rollback``: what a run detached is put back, and only that, under the same machinery."""

import json
import random
import signal
from importlib.metadata import EntryPoint

import pytest
from bench import BRIDGES, Bench, agree, bridge, call, finish, gateway, numbers, serving
from terminal import Terminal

from runner.sandbox import Faults, World

AUTH = ("--reattach", "videosdk-main:auth_username=trunk", "--reattach", "videosdk-main:auth_password=${SIP_PASSWORD}")
RATES = {"unpod-main": {"rate": "200/s"}, "videosdk-main": {"rate": "200/s"}}
FAULTS = "lost_before=4%,lost_after=4%,http_500_after=4%,http_409=2%,http_429=1%:0s,read_500=3%,read_reset=2%"


def test_puts_back_what_a_run_detached_and_only_that(bench):
    """Numbers that were gone already stay gone; the report names the run, and each number has one request."""
    plan, listed = bench.sales(4)
    bench.world.detach("unpod", "sales", listed[3])
    first = bench.run(plan)
    said = bench.rollback(first)
    assert (said.code, said.totals()) == (0, {"reattached": 3})
    assert said.report["run"]["rollback_of"] == first.report["run"]["id"]
    assert [entry.number for entry in bench.attaches()] == listed[:3]
    assert not bench.world.attached("unpod", "sales", listed[3])


@pytest.fixture
def bench_of_both(bench, monkeypatch):
    """Give a bench with a run behind it that detached two bridges, a shared pair and a number on a pair of its own."""
    monkeypatch.setenv("SIP_PASSWORD", "s3cret-of-the-trunk")
    listed = numbers(9)
    bench.world.unpod.add_bridge("sales", listed[:2])
    bench.world.unpod.add_bridge("support", listed[2:4])
    for number in listed[4:8]:
        bench.world.videosdk.attach(number, "gw_1")
    bench.world.videosdk.attach(listed[8])
    bench.world.videosdk.rules.append({"id": "rule_1", "name": "night", "type": "inbound", "numbers": [listed[4]]})
    bench.first = bench.run(
        bench.plan(
            bridge("sales", listed[:2]),
            bridge("support", listed[2:4]),
            gateway(listed[4:6], "gw_1"),
            gateway(listed[6:9]),
        )
    )
    assert bench.first.totals() == {"detached": 9}
    return bench


@pytest.fixture
def bench_of_many(request, tmp_path, monkeypatch):
    """Give a bench whose provider fails in every tenth request of a rollback of 60 numbers, some in shared pairs."""
    monkeypatch.setenv("SIP_PASSWORD", "s3cret-of-the-trunk")
    monkeypatch.setenv("TEARDOWN_STATE_DIR", str(tmp_path / "state"))
    faults, listed = Faults.parse(getattr(request, "param", FAULTS), seed=3), numbers(60)
    with serving(World(show_configurations=True), faults=faults) as server:
        bench = Bench(tmp_path, server, faults)
        bench.configure(accounts=RATES, retry={"max_attempts": 6})
        bench.world.unpod.add_bridge("sales", listed[:30])
        for place, number in enumerate(listed[30:]):
            bench.world.videosdk.attach(number, f"gw_{place // 4}" if place < 16 else None)
        bench.first = bench.run(bench.plan(bridge("sales", listed[:30]), gateway(listed[30:])))
        yield bench


def test_the_snapshot_has_what_a_rollback_needs(bench_of_both):
    """Each row says where the number was, who shared that, which rules name it, and whether it can be put back."""
    rows = list(bench_of_both.first.rows.values())
    assert rows[0]["before"].items() >= {"bridge": "sales", "provider_config_id": 42}.items()
    assert rows[0]["before"]["reversal"] == {"how": "exact", "missing": []}
    shared, alone = rows[4]["before"], rows[8]["before"]
    expected = {
        "inbound": "gw_1",
        "outbound": "gw_1-out",
        "name": "Sandbox number",
        "gateway_name": "Sandbox gateway",
        "address": "sip.example.com:5061",
        "transport": "tls",
        "media_encryption": "disable",
        "region_inbound": "auto",
        "region_outbound": "auto",
        "credentials": True,
        "shared": True,
        "shared_count": 4,
        "shared_by": numbers(3, 5),
        "routing_rules": [{"id": "rule_1", "name": "night", "type": "inbound"}],
    }
    assert shared.items() >= expected.items()
    assert shared["reversal"] == {"how": "none", "missing": ["auth_username", "auth_password"]}
    assert (alone["shared"], alone["shared_by"], alone["routing_rules"]) == (False, [], [])


def test_what_cannot_be_read_is_not_known_and_blocks_no_detach(bench):
    """Lists of gateways and rules that fail leave null behind, not nothing at all."""
    bench.world.videosdk.attach(numbers(1)[0], "gw_1")
    for path in ("inbound-gateways", "outbound-gateways", "routing-rule"):
        bench.faults.script_reads(f"/v2/sip/{path}", ["read_500"] * 20)
    said = bench.run(bench.plan(gateway(numbers(1))))
    (row,) = said.report["numbers"]
    assert (said.code, row["outcome"]) == (0, "detached")
    assert [row["before"][key] for key in ("shared", "shared_by", "routing_rules")] == [None, None, None]
    assert row["before"]["address"] == "sip.example.com:5061"


def test_a_whole_run_comes_back(bench_of_both):
    """Bridges as they were, a shared pair as one new pair by one request, and no secret in anything that is written."""
    bench = bench_of_both
    said = bench.rollback(bench.first, *AUTH)
    assert (said.code, said.totals()) == (0, {"reattached": 9})
    listed, phones = numbers(9), bench.world.videosdk.phones
    assert [len(entry.numbers) for entry in bench.attaches() if entry.provider == "videosdk"] == [4, 1]
    assert len({phones[number].outbound for number in listed[4:8]}) == 1
    assert phones[listed[8]].outbound not in {phones[listed[4]].outbound, None}
    new = bench.world.videosdk.gateways["outbound"][phones[listed[4]].outbound]
    assert new.items() >= {"address": "sip.example.com:5061", "transport": "tls", "name": "Sandbox gateway"}.items()
    assert new["auth"] == {"username": "trunk", "password": "s3cret-of-the-trunk"}
    assert all(row["verified"] for row in said.report["numbers"])
    kept = [path for path in bench.state.rglob("*") if path.is_file()]
    assert len(kept) > 5
    assert not any(b"s3cret" in path.read_bytes() for path in kept)


def test_a_second_rollback_sends_nothing(bench_of_both):
    """What is back is left alone, also where it is back on gateways with new ids."""
    bench = bench_of_both
    bench.rollback(bench.first, *AUTH)
    sent = len(bench.attaches())
    again = bench.rollback(bench.first, *AUTH)
    assert (again.code, again.totals(), len(bench.attaches())) == (0, {"already_attached": 9}, sent)


def test_the_dry_run_says_how_each_comes_back(bench_of_both):
    """Exactly, with new ids, or not at all and what is missing: by number in the report, in all on the terminal."""
    bench = bench_of_both
    said = bench.rollback(bench.first, "--dry-run", *AUTH)
    assert (said.code, said.totals(), bench.attaches()) == (0, {"would_reattach": 9}, [])
    how = [row["before"]["reversal"]["how"] for row in said.report["numbers"]]
    assert how == ["exact"] * 4 + ["new_ids"] * 5
    assert "puts back 4 exactly as before" in said.err
    assert "puts back 5 with new ids" in said.err


def test_what_is_missing_blocks_before_anything_is_sent(bench_of_both):
    """Each row says what is missing, the sentence how to give it; nothing of the run is sent."""
    bench = bench_of_both
    said = bench.rollback(bench.first)
    assert (said.code, said.totals(), bench.attaches()) == (3, {"pending": 9}, [])
    assert "cannot be put back: missing auth_username, auth_password; give it with --reattach" in said.notes
    codes = [(row["error"] or {}).get("code") for row in said.report["numbers"]]
    assert codes == [None] * 4 + ["cannot_put_back"] * 5


def test_partial_puts_back_what_it_can(bench_of_both):
    """With --partial the rest stays pending, which another rollback can make good for."""
    bench = bench_of_both
    said = bench.rollback(bench.first, "--partial")
    assert (said.code, said.totals()) == (5, {"reattached": 4, "pending": 5})
    assert bench.rollback(bench.first, *AUTH).totals() == {"reattached": 5, "already_attached": 4}


def test_only_a_part_by_choice(bench_of_both):
    """--only and --limit leave the others alone, as excluded."""
    bench = bench_of_both
    said = bench.rollback(bench.first, "--only", "unpod-main/sales")
    assert (said.code, said.totals()) == (0, {"reattached": 2, "skipped": 7})
    said = bench.rollback(bench.first, "--only", "unpod-main/support", "--limit", "1")
    assert (said.code, said.totals()) == (0, {"reattached": 1, "skipped": 8})


def test_a_number_that_hangs_on_something_else_by_now_is_left_alone(bench_of_both):
    """On another bridge, through another configuration or on another address: skipped, named, and not sent."""
    bench, listed = bench_of_both, numbers(9)
    bench.world.unpod.configurations[43] = {"id": 43, "provider": "plivo"}
    bench.world.unpod.add_bridge("other", [listed[0]])
    bench.world.unpod.attach("sales", listed[1], config=43)
    bench.world.videosdk.connect(listed[8], bench.world.videosdk.add_pair(address="sip.example.org"))
    said = bench.rollback(bench.first, *AUTH)
    left = [number for number, row in said.rows.items() if row["reason"] == "attached_elsewhere"]
    assert (said.code, left) == (0, [listed[0], listed[1], listed[8]])
    assert said.totals() == {"reattached": 6, "skipped": 3}
    assert f"{listed[0]} is attached to something else by now: other" in said.notes
    assert not {listed[0], listed[1], listed[8]} & {number for entry in bench.attaches() for number in entry.numbers}


def test_many_targets_take_no_provider_each(bench, monkeypatch):
    """What a provider can do is loaded once for all of them, as that reads the disk."""
    listed, loaded = numbers(30), []
    for number in listed:
        bench.world.unpod.add_bridge(f"bridge-{number[1:]}", [number])
    first = bench.run(bench.plan(*(bridge(f"bridge-{number[1:]}", [number]) for number in listed)))
    load = EntryPoint.load
    monkeypatch.setattr(EntryPoint, "load", lambda entry: loaded.append(entry) or load(entry))
    assert bench.rollback(first).totals() == {"reattached": 30}
    assert len(loaded) < 10


def test_a_bridge_that_is_gone(bench_of_both):
    """Its numbers cannot be put back, and the report says why."""
    bench = bench_of_both
    bench.world.unpod.remove_bridge("sales")
    said = bench.rollback(bench.first, "--only", "unpod-main/sales")
    assert (said.code, said.totals()) == (3, {"pending": 2, "skipped": 7})
    why = "cannot be put back: target sales does not exist any more; make it again"
    assert f"{numbers(2)[1]} at target sales {why}, leave them out with --exclude" in said.notes
    assert said.rows[numbers(1)[0]]["error"]["message"] == why
    assert "0 to put back, 2 that cannot be put back" in said.err


def test_a_number_that_the_account_has_given_up(bench_of_both):
    """It is not made anew: what the account does not know cannot be put back."""
    bench, listed = bench_of_both, numbers(9)
    del bench.world.videosdk.phones[listed[8]]
    said = call("rollback", bench.first.report["run"]["id"], "--yes", "--json", "--partial", *AUTH)
    assert (said.code, said.outcomes()[listed[8]]) == (5, "pending")
    assert f"{listed[8]} cannot be put back: the account does not know the number any more" in said.notes
    assert listed[8] not in bench.world.videosdk.phones


def test_what_a_number_does_not_show_of_its_gateways_their_list_does(bench_of_both):
    """Where a number shows no address, a lost answer is settled and a second rollback sends nothing all the same."""
    bench, listed = bench_of_both, numbers(9)
    bench.world.habits.show_gateways = False
    bench.faults.script(listed[8], ["lost_after"])
    said = bench.rollback(bench.first, *AUTH)
    assert (said.code, said.totals()) == (0, {"reattached": 9})
    assert {row["verified"] for row in said.rows.values()} == {True}
    sent = len(bench.attaches())
    again = bench.rollback(bench.first, *AUTH)
    assert (again.code, again.totals(), len(bench.attaches())) == (0, {"already_attached": 9}, sent)


def test_where_nothing_shows_what_a_number_hangs_on(bench_of_both):
    """A confirmed attach is unverified, a lost answer unknown; another rollback leaves both alone, and says why."""
    bench, listed = bench_of_both, numbers(9)
    bench.world.habits.show_gateways = False
    bench.faults.script_reads("/v2/sip/outbound-gateways", ["read_500"] * 99)
    bench.faults.script(listed[8], ["lost_after"])
    said = bench.rollback(bench.first, "--only", "videosdk-main", *AUTH)
    assert (said.code, said.totals()) == (4, {"reattached": 4, "unknown": 1, "skipped": 4})
    assert {said.rows[number]["verified"] for number in listed[4:9]} == {False}
    assert "could not be verified: the look does not show where the gateways" in said.notes
    sent = len(bench.attaches())
    again = bench.rollback(bench.first, "--only", "videosdk-main", *AUTH)
    assert (again.code, again.totals(), len(bench.attaches())) == (3, {"pending": 5, "skipped": 4}, sent)
    assert f"{listed[8]} cannot be put back: attached, and no look shows to what; leave" in again.notes


@pytest.mark.parametrize("given", ["plan", "option"])
def test_what_the_provider_does_not_show_can_be_given(bench, given):
    """The plan's reattach, or the option, stands in for the provider configuration; without both it blocks."""
    bench.world.habits.show_configurations = False
    listed = numbers(2)
    bench.world.unpod.add_bridge("sales", listed)
    more = {"reattach": {"provider_config_id": 42}} if given == "plan" else {}
    first = bench.run(bench.plan(bridge("sales", listed, **more)))
    if given == "option":
        blocked = bench.rollback(first)
        assert (blocked.code, bench.attaches()) == (3, [])
        assert "missing provider_config_id; give it with --reattach" in blocked.notes
    option = ("--reattach", "unpod-main/sales:provider_config_id=42") if given == "option" else ()
    said = bench.rollback(first, *option)
    assert (said.code, said.totals()) == (0, {"reattached": 2})
    assert {entry.body["provider_config_id"] for entry in bench.attaches()} == {42}


@pytest.mark.parametrize("fault", ["lost_after", "reset_after", "http_500_after", "truncated", "garbage"])
def test_an_answer_that_says_nothing_is_settled_by_a_look(bench_of_both, fault):
    """The numbers are back although nobody said so: one request each, and looks confirm it."""
    bench, listed = bench_of_both, numbers(9)
    for number in (listed[0], listed[4]):
        bench.faults.script(number, [fault])
    said = bench.rollback(bench.first, *AUTH)
    assert (said.code, said.totals()) == (0, {"reattached": 9})
    for number in (listed[0], *listed[4:8]):
        assert (said.rows[number]["confirmed_by"], said.rows[number]["attempts"]) == ("verification", 1)
    assert bench.world.useless_attaches() == []


@pytest.mark.parametrize("fault", ["lost_before", "http_500_before", "http_409", "business_206", "wrong_slug"])
def test_an_attempt_that_did_nothing_is_made_again(bench_of_both, fault):
    """Only after a look that sees the numbers free; then the answer confirms it."""
    bench, listed = bench_of_both, numbers(9)
    for number in (listed[0], listed[4]):
        bench.faults.script(number, [fault])
    said = bench.rollback(bench.first, *AUTH)
    assert (said.code, said.totals()) == (0, {"reattached": 9})
    for number in (listed[0], *listed[4:8]):
        assert (said.rows[number]["confirmed_by"], said.rows[number]["attempts"]) == ("response", 2)
    assert bench.world.useless_attaches() == []


def test_a_success_that_was_none_is_found_out(bench_of_both):
    """Verification does not see the number back: failed, and a resume puts it back."""
    bench, listed = bench_of_both, numbers(9)
    bench.faults.script(listed[0], ["lying_200"])
    said = bench.rollback(bench.first, *AUTH)
    assert (said.code, said.totals()) == (4, {"reattached": 8, "failed": 1})
    assert said.rows[listed[0]]["error"]["code"] == "not_attached"
    again = bench.resume("--retry-failed")
    assert (again.code, again.totals()) == (0, {"reattached": 9})


def test_one_of_a_pair_that_somebody_takes_meanwhile(bench_of_both):
    """The others of its pair go without it; it is failed, as something was sent for it, and hangs elsewhere."""
    bench, listed = bench_of_both, numbers(9)
    bench.configure(accounts={"videosdk-main": {"concurrency": 1}})
    bench.at_detach(1, lambda: bench.world.videosdk.attach(listed[5], "gw_x"), kind="attach")
    bench.world.videosdk.add_pair("gw_x", address="sip.example.org")
    said = bench.rollback(bench.first, "--only", "videosdk-main", *AUTH)
    assert (said.code, said.totals()) == (4, {"reattached": 4, "failed": 1, "skipped": 4})
    assert said.rows[listed[5]]["error"]["code"] == "attached_elsewhere"
    assert sorted(len(entry.numbers) for entry in bench.attaches()) == [1, 3, 4]


def test_a_look_that_fails_is_no_reason_not_to_put_back(bench):
    """Numbers that no look has seen are not called such that cannot be put back: nobody knows."""
    listed = numbers(4)
    bench.world.unpod.add_bridge("sales", listed)
    first = bench.run(bench.plan(bridge("sales", listed)))
    bench.faults.script_reads(BRIDGES, ["read_500"] * 99)
    said = bench.rollback(first)
    assert (said.code, said.totals()) == (3, {"pending": 4})
    assert "the pre-check failed, and a failed read is no evidence" in said.notes
    assert "unpod-main/sales  0 to put back, 4 not settled" in said.err


def test_guards_of_the_run_hold_in_its_rollback(bench):
    """The ramp goes on batch by batch, and failures stop the rest."""
    listed = numbers(6)
    bench.world.unpod.add_bridge("sales", listed)
    first = bench.run(bench.plan(bridge("sales", listed), guards={"batches": [1, "100%"], "stop_after_failures": 1}))
    bench.faults.script(listed[0], ["lying_200"])
    said = bench.rollback(first)
    assert (said.code, said.totals()) == (5, {"failed": 1, "pending": 5})
    assert "guards.stop_after_failures is 1" in said.notes


def test_a_ramp_does_not_part_a_pair(bench_of_both):
    """A batch that begins with one number of a pair has all of it, as one request makes the pair."""
    bench, listed = bench_of_both, numbers(9)
    for number in listed[4:8]:
        bench.world.videosdk.attach(number, "gw_1")
    first = bench.run(bench.plan(gateway(listed[4:8], "gw_1"), guards={"batches": [1]}))
    said = bench.rollback(first, *AUTH)
    assert (said.code, said.totals()) == (0, {"reattached": 4})
    assert [len(entry.numbers) for entry in bench.attaches()] == [4]


@pytest.mark.parametrize("bench_of_many", [""], indirect=True, ids=["no faults"])
def test_an_interrupted_rollback_is_gone_on_with(bench_of_many):
    """A signal lets requests in flight finish; the rest is pending, and a resume keeps the run and its goal."""
    bench = bench_of_many
    bench.configure(accounts={"unpod-main": {"rate": "20/s"}, "videosdk-main": {"rate": "20/s"}})
    run = bench.first.report["run"]["id"]
    said = struck(bench, 5, "rollback", run, *AUTH, "--yes", "--json", number=signal.SIGINT)
    assert (said.code, said.report["run"]["status"]) == (130, "interrupted")
    assert said.totals()["pending"] > 0
    agree(said.report, bench.world, bench.record)
    bench.configure(accounts=RATES)
    again = bench.resume()
    assert (again.code, set(again.totals())) == (0, {"reattached"})
    assert (again.report["run"]["id"], again.report["run"]["rollback_of"]) == (said.report["run"]["id"], run)
    assert bench.world.useless_attaches() == []


def test_a_process_that_died_may_have_done_it(bench_of_both):
    """A number that it had marked, that is refused now and seen back, counts as put back by this run."""
    bench, number = bench_of_both, numbers(9)[8]
    bench.world.videosdk.attach(number, "gw_9")
    first = bench.run(bench.plan(gateway([number])))
    bench.faults.script(number, ["hang_before"])
    killed = struck(bench, 1, "rollback", first.report["run"]["id"], *AUTH, "--yes")
    assert killed.code == -signal.SIGKILL
    bench.at_detach(1, lambda: bench.world.attach("videosdk", "gw_9", number), kind="attach")
    said = bench.resume()
    assert (said.code, said.totals()) == (0, {"reattached": 1})
    assert (said.rows[number]["confirmed_by"], len(bench.attaches())) == ("verification", 2)


def test_what_nobody_knows_of_a_run_is_left_alone_and_said(bench):
    """Numbers that ended unknown are no part of a rollback; a note says so."""
    plan, listed = bench.sales(3)
    bench.faults.script(listed[0], ["lost_after"])
    bench.faults.script_reads(f"{BRIDGES}sales", ["ok", *["read_500"] * 40])
    first = bench.run(plan, "--no-verify")
    assert first.totals() == {"detached": 2, "unknown": 1}
    bench.faults.script_reads(f"{BRIDGES}sales", [])
    said = bench.rollback(first)
    assert (said.code, said.totals()) == (0, {"reattached": 2})
    assert f"unknown numbers of run {first.report['run']['id']}: 1; they are left alone" in said.err


def test_the_report_offers_the_way_back(bench):
    """A page and a ticket of a run that detached something name the command; those of its rollback do not."""
    plan, _ = bench.sales(2)
    first = bench.run(plan, "--report", "first.md")
    command = f"teardown rollback {first.report['run']['id']}"
    page = (bench.run_folder(first) / "report.html").read_text()
    assert command in page
    assert command in (bench.folder / "first.md").read_text()
    back = bench.rollback(first, "--report", "back.md")
    page = (bench.run_folder(back) / "report.html").read_text()
    assert "2 of 2 numbers are attached where they were." in page
    back = (bench.folder / "back.md").read_text()
    assert back.startswith("# Rollback of test-plan: succeeded")
    assert "teardown rollback" not in back


def test_who_is_asked_knows_the_way_back(bench):
    """The question before a detach says how much of it a rollback could undo; that before a rollback is its own."""
    plan, _ = bench.sales(2)
    with Terminal("run", plan) as terminal:
        terminal.expect("`teardown rollback` can put back what is detached.")
        terminal.expect("[y/N]")
        terminal.type("y\n")
        assert terminal.finish() == 0
    run = json.loads(call("status", "--json").out)["runs"][0]["id"]
    with Terminal("rollback", run) as terminal:
        terminal.expect("Put 2 numbers back? [y/N]")
        terminal.type("n\n")
        assert terminal.finish() == 3
    assert bench.attaches() == []
    bench.world.habits.show_configurations = False
    bench.world.unpod.add_bridge("other", numbers(1))
    with Terminal("run", bench.plan(bridge("other", numbers(1)))) as terminal:
        terminal.expect("As things stand, `teardown rollback` can put none of these back")
        terminal.expect("[y/N]")
        terminal.type("n\n")
        assert terminal.finish() == 3


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["no-such-run"], "there is no run 'no-such-run'"),
        (["RUN", "--reattach", "unpod-main:x=1"], "'x' is nothing that a rollback at unpod uses"),
        (["RUN", "--reattach", "nowhere:provider_config_id=1"], "'nowhere' names no account or ACCOUNT/TARGET"),
        (["RUN", "--reattach", "unpod-main:provider_config_id=0"], "must be a whole number from 1 on"),
        (["RUN", "--reattach", "provider_config_id=1"], "is not ACCOUNT[/TARGET]:KEY=VALUE"),
        (["RUN", "--reattach", "videosdk-main:auth_password=literal"], "write a reference, ${NAME} or file:/path"),
        (["RUN", "--reattach", "videosdk-main:auth=some"], "`auth` can only be none"),
        (["RUN", "--reattach", "videosdk-main:auth_password=${NOT_SET}"], "variable NOT_SET is not set or blank"),
        (["RUN", "--only", "elsewhere"], "--only: 'elsewhere' names no account"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(bench_of_both, args, sentence):
    """Exit 2, nothing is sent, and no run is left behind."""
    bench = bench_of_both
    run = bench.first.report["run"]["id"]
    runs = len(list((bench.state / "runs").iterdir()))
    said = call("rollback", *[run if arg == "RUN" else arg for arg in args], "--yes")
    assert (said.code, bench.attaches()) == (2, [])
    assert sentence in " ".join(said.err.split())
    assert len(list((bench.state / "runs").iterdir())) == runs


def test_runs_that_cannot_be_put_back(bench):
    """A dry run, a run that detached nothing, and a rollback are refused, each with a sentence."""
    plan, _ = bench.sales(1)
    dry = bench.check(plan)
    first = bench.run(plan)
    nothing = bench.run(plan)
    back = bench.rollback(first)
    sentences = {
        "it was a dry run, which detached nothing": dry,
        "has detached nothing, so there is nothing to put back": nothing,
        "is a rollback itself": back,
    }
    for sentence, of in sentences.items():
        said = call("rollback", of.report["run"]["id"], "--yes")
        assert (said.code, sentence in said.err) == (2, True), said.err


def struck(bench, nth, *args, number=signal.SIGKILL):
    """Run a command, which a signal reaches with the ``nth`` attach request of it."""
    process = []
    if nth:
        bench.at_detach(nth, lambda: process[0].send_signal(number), kind="attach")
    process.append(bench.start(*args))
    said = finish(process[0])
    bench.world.on_request.clear()
    return said


def test_killed_at_random_moments(bench_of_many):
    """Over kills and faults no number is lost, reported wrongly, or attached twice; a pair stays one request's work."""
    bench = bench_of_many
    run, chance, kills = bench.first.report["run"]["id"], random.Random(7), 0  # noqa: S311 - a test
    args, said = ("rollback", run, *AUTH), None
    while said is None or said.code == -signal.SIGKILL:
        said = struck(bench, chance.randint(1, 9) if kills < 4 else None, *args, "--yes", "--json", "--no-progress")
        kills, args = kills + (said.code == -signal.SIGKILL), ("resume",)
    assert kills >= 3
    assert said.code in {0, 4}, said.err
    agree(said.report, bench.world, bench.record)
    assert set(said.totals()) <= {"reattached", "already_attached", "failed"}
    assert bench.world.useless_attaches() == []


MANY_FAULTS = (
    "lost_before=4%,lost_after=4%,reset_after=3%,http_500_after=4%,http_400_after=4%,business_206=3%,truncated=3%,"
    "garbage=3%,wrong_slug=2%,http_409=4%,http_503_after=2%,http_429=2%:0s,read_500=3%,read_lost=3%,read_garbage=2%"
)


@pytest.mark.parametrize("bench_of_many", [MANY_FAULTS], indirect=True, ids=["many faults"])
def test_whatever_the_provider_does_the_report_is_true(bench_of_many):
    """A third of all requests goes wrong, and each number is what its row says; another rollback mends the rest."""
    bench = bench_of_many
    said = bench.rollback(bench.first, *AUTH)
    assert said.code in {0, 4}, said.notes
    assert said.totals()["reattached"] > len(said.rows) / 2
    again = bench.rollback(bench.first, *AUTH)
    assert again.code in {0, 4}, again.notes
    assert again.totals()["already_attached"] >= said.totals()["reattached"]
    assert bench.world.useless_attaches() == []
