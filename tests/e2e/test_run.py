"""``run``: what becomes of every number, against what is true at the provider."""

import pytest
from bench import BRIDGES, FOUR, ONE, THREE, TWO, bridge, call, gateway, numbers

from runner.sandbox import API_KEY, API_SECRET


def test_detaches_at_both_providers(bench):
    """Every number of the plan is detached with one request each, verified, and the report tells all about it."""
    listed = numbers(6)
    bench.world.unpod.add_bridge("sales", listed[:2])
    bench.world.unpod.add_bridge("support", listed[2:4])
    bench.world.videosdk.attach(listed[4], "gw_1")
    bench.world.videosdk.attach(listed[5], "gw_2")
    plan = bench.plan(
        bridge("sales", listed[:2]),
        bridge("support", listed[2:4]),
        gateway([listed[4]], "gw_1"),
        gateway([listed[5]]),
        metadata={"ticket": "CHG-1"},
    )
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"detached": 6})
    assert sorted(entry.number for entry in bench.detaches()) == listed
    assert bench.world.useless_detaches() == []
    run, rows = said.report["run"], said.rows
    assert (run["status"], run["plan"]["metadata"], run["plan"]["path"]) == (
        "succeeded",
        {"ticket": "CHG-1"},
        str(plan),
    )
    assert {row["confirmed_by"] for row in rows.values()} == {"response"}
    assert all(row["verified"] and row["attempts"] == 1 and row["finished_at"] for row in rows.values())
    assert [row["target"] for row in rows.values()] == ["sales", "sales", "support", "support", "gw_1", None]
    assert rows[listed[0]]["before"]["provider_config_id"] == 42
    assert rows[listed[5]]["before"].items() >= {"inbound": "gw_2", "outbound": "gw_2-out"}.items()
    lanes = {lane["account"]: lane for lane in said.report["lanes"]}
    assert {name: (lane["planned"], lane["requests"]) for name, lane in lanes.items()} == {
        "unpod-main": (4, len(bench.world.request_times("unpod"))),
        "videosdk-main": (2, len(bench.world.request_times("videosdk"))),
    }


def test_a_second_run_sends_nothing(bench):
    """What is gone already is looked at and left alone; the second run exits 0 as well."""
    plan, _ = bench.sales()
    assert bench.run(plan).totals() == {"detached": 4}
    sent = len(bench.detaches())
    again = bench.run(plan)
    assert (again.code, again.totals()) == (0, {"already_detached": 4})
    assert len(bench.detaches()) == sent


def test_already_detached_and_why(bench):
    """A number that is free is already detached; one that the account does not know is that with a warning."""
    bench.world.unpod.add_bridge("sales", [ONE])
    bench.world.unpod.add_unassigned(TWO)
    bench.world.videosdk.add_phone(FOUR)
    said = bench.run(bench.plan(bridge("sales", [ONE, TWO, THREE]), gateway([THREE, FOUR])))
    reasons = [(row["outcome"], row["reason"], row["attempts"]) for row in said.report["numbers"]]
    assert reasons == [
        ("detached", None, 1),
        ("already_detached", None, 0),
        ("already_detached", "unknown_to_account", 0),
        ("already_detached", "unknown_to_account", 0),
        ("already_detached", None, 0),
    ]
    assert (said.code, [entry.number for entry in bench.detaches()]) == (0, [ONE])
    assert f"{THREE} is not known to the account; is it a typing error?" in said.err


@pytest.mark.parametrize("habits", ["stay_null", "unassigned"])
def test_rows_that_stay_behind(bench, habits):
    """A row that the bridge keeps without a provider, or as unassigned, is no attached number."""
    bench.world.habits.detached_rows = habits
    plan, _ = bench.sales()
    assert (bench.run(plan).totals(), bench.run(plan).totals()) == ({"detached": 4}, {"already_detached": 4})
    assert len(bench.detaches()) == 4


def test_a_bridge_that_is_not_there(bench):
    """It blocks, and nothing at all is sent, unless its group says that it may be missing."""
    bench.world.unpod.add_bridge("sales", [ONE])
    refused = bench.run(bench.plan(bridge("sales", [ONE]), bridge("gone", [TWO])))
    assert (refused.code, refused.report["run"]["status"], refused.totals()) == (3, "blocked", {"pending": 2})
    assert "target gone is not found; correct the plan, or set if_missing to ok" in refused.notes
    assert bench.detaches() == []
    said = bench.run(bench.plan(bridge("sales", [ONE]), bridge("gone", [TWO], if_missing="ok")))
    assert (said.code, said.outcomes()) == (0, {ONE: "detached", TWO: "already_detached"})
    assert said.rows[TWO]["reason"] == "target_gone"


def test_a_bridge_that_disappears_on_the_way(bench):
    """Its items are settled as gone with their target, and the run succeeds."""
    plan, listed = bench.sales(3)
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    bench.at_detach(2, lambda: bench.world.unpod.remove_bridge("sales"))
    said = bench.run(plan)
    assert (said.code, said.rows[listed[0]]["outcome"]) == (0, "detached")
    assert {said.rows[number]["reason"] for number in listed[1:]} == {"target_gone"}
    assert {said.rows[number]["outcome"] for number in listed[1:]} == {"already_detached"}


def test_numbers_all(bench):
    """``all`` is whatever is attached to the target when the pre-check looks, and nothing else."""
    bench.world.unpod.add_bridge("sales", [ONE, TWO, THREE])
    bench.world.videosdk.attach(ONE, "gw_1")
    bench.world.videosdk.attach(TWO, "gw_2")
    said = bench.run(bench.plan(bridge("sales", "all"), gateway("all", "gw_1")))
    places = [(row["target"], row["number"], row["outcome"]) for row in said.report["numbers"]]
    assert places == [*(("sales", number, "detached") for number in (ONE, TWO, THREE)), ("gw_1", ONE, "detached")]
    assert bench.world.attached("videosdk", "gw_2", TWO)


def test_numbers_all_of_an_empty_bridge(bench):
    """Nothing attached means nothing to do, and that is success."""
    bench.world.unpod.add_bridge("sales")
    said = bench.run(bench.plan(bridge("sales", "all")))
    assert (said.code, said.report["totals"]["planned"], bench.detaches()) == (0, 0, [])


def test_numbers_from_files(bench):
    """Numbers come from a CSV or text file beside the plan."""
    bench.world.unpod.add_bridge("sales", [ONE, TWO, THREE])
    (bench.folder / "a.csv").write_text(f"note,number\nlobby,{ONE}\n")
    (bench.folder / "b.txt").write_text(f"# two\n{TWO}\n")
    groups = [{"account": "unpod-main", "bridge": "sales", "numbers_from": name} for name in ("a.csv", "b.txt")]
    said = bench.run(bench.plan(*groups))
    assert said.outcomes() == {ONE: "detached", TWO: "detached"}
    assert bench.world.attached("unpod", "sales", THREE)


@pytest.mark.parametrize("fault", ["lost_after", "reset_after", "http_500_after", "truncated", "garbage"])
def test_an_answer_that_says_nothing_is_settled_by_a_look(bench, fault):
    """The number is gone although nobody said so: one request, and the look confirms it."""
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], [fault])
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"detached": 2})
    row = said.rows[listed[0]]
    assert (row["confirmed_by"], row["attempts"]) == ("verification", 1)
    assert bench.world.useless_detaches() == []


@pytest.mark.parametrize(
    "fault", ["lost_before", "reset_before", "http_500_before", "http_502_html", "redirect", "wrong_slug"]
)
def test_an_attempt_that_did_nothing_is_made_again(bench, fault):
    """Only after a look that still sees the number attached; then the answer confirms it."""
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], [fault])
    said = bench.run(plan)
    row = said.rows[listed[0]]
    assert (said.code, row["outcome"], row["confirmed_by"], row["attempts"]) == (0, "detached", "response", 2)
    kinds = [entry.kind for entry in bench.record if entry.number == listed[0] or entry.kind == "read"]
    first = kinds.index("detach")
    assert "read" in kinds[first : first + kinds[first + 1 :].index("detach") + 1]


def test_detached_by_somebody_else(bench):
    """A single attempt that was refused because the number was gone by then did not detach it."""
    plan, listed = bench.sales(2)
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    bench.at_detach(1, lambda: bench.world.detach("unpod", "sales", listed[0]))
    said = bench.run(plan)
    row = said.rows[listed[0]]
    assert (said.code, row["outcome"], row["reason"], row["attempts"]) == (0, "already_detached", None, 1)


@pytest.mark.parametrize(("fault", "status"), [("business_206", 206), ("http_500_before", 500)])
def test_known_to_be_still_attached_is_failed(bench, fault, status):
    """Refused or unanswered to the end while looks still see it: failed with the error, exit 4; the rest is done."""
    plan, listed = bench.sales(3)
    bench.faults.script(listed[1], [fault] * 9)
    said = bench.run(plan)
    assert (said.code, said.report["run"]["status"]) == (4, "failed")
    assert said.totals() == {"detached": 2, "failed": 1}
    error = said.rows[listed[1]]["error"]
    assert (error["http_status"], bool(error["code"]), bool(error["message"])) == (status, True, True)
    assert len(bench.world.detach_requests(listed[1])) == (2 if status == 206 else 3)


def test_a_success_that_was_none(bench):
    """A 200 that detached nothing is found out by the look afterwards: failed, never detached."""
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], ["lying_200"])
    said = bench.run(plan)
    assert (said.code, said.rows[listed[0]]["outcome"]) == (4, "failed")
    assert said.rows[listed[0]]["error"]["code"] == "still_attached"


def test_what_no_look_could_settle_is_unknown(bench):
    """The answer is lost and no read works any more: unknown, exit 4, and never pending."""
    plan, listed = bench.sales(1)
    bench.faults.script(listed[0], ["lost_after"])
    bench.at_detach(1, lambda: bench.faults.script_reads(BRIDGES, ["read_garbage"] * 50))
    said = bench.run(plan)
    assert (said.code, said.totals(), said.rows[listed[0]]["attempts"]) == (4, {"unknown": 1}, 1)
    assert len(bench.detaches()) == 1


def test_reads_that_lag_behind(bench):
    """A number that reads still show for a moment after its detach is not reported as failed."""
    bench.world.habits.lag = 0.15
    bench.configure(retry={"max_attempts": 6, "base_delay": "50ms", "max_delay": "200ms"})
    plan, _ = bench.sales(2)
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"detached": 2})
    assert all(row["verified"] for row in said.report["numbers"])


def test_no_verify(bench):
    """With --no-verify nothing is looked at after the last detach, and no row claims that it was."""
    plan, _ = bench.sales(3)
    said = bench.run(plan, "--no-verify")
    assert (said.code, said.totals()) == (0, {"detached": 3})
    assert [entry.kind for entry in bench.record] == ["read", "detach", "detach", "detach"]
    assert not any(row["verified"] for row in said.report["numbers"])


def test_token_from_a_key_and_its_secret(bench, monkeypatch):
    """With api_key and secret a token is made, and neither of them shows up in what is written."""
    monkeypatch.setenv("E2E_SECRET", API_SECRET)
    minted = {"token": None, "api_key": API_KEY, "secret": "${E2E_SECRET}"}
    bench.configure(accounts={"videosdk-main": minted})
    bench.world.videosdk.attach(ONE, "gw_1")
    said = bench.run(bench.plan(gateway([ONE], "gw_1")), "-vv")
    assert (said.code, said.outcomes()) == (0, {ONE: "detached"})
    written = "".join(path.read_text() for path in bench.run_folder(said).iterdir())
    assert API_SECRET not in written + said.out + said.err


def test_a_group_may_name_its_provider(bench):
    """``provider: unpod`` stands for the one account that the config has of it."""
    bench.world.unpod.add_bridge("sales", [ONE])
    said = bench.run(bench.plan({"provider": "unpod", "bridge": "sales", "numbers": [ONE]}))
    assert (said.code, said.rows[ONE]["account"]) == (0, "unpod-main")


def test_two_accounts_of_one_provider(bench):
    """Each is a lane of its own, with its own rate and its own part of the report."""
    bench.configure(accounts={"unpod-eu": {"provider": "unpod", "org_handle": "sandbox", "rate": "500/s"}})
    bench.world.unpod.add_bridge("sales", [ONE])
    bench.world.unpod.add_bridge("other", [TWO])
    plan = bench.plan(bridge("sales", [ONE]), bridge("other", [TWO], account="unpod-eu"))
    said = bench.run(plan)
    lanes = [(lane["account"], lane["planned"], lane["rate"]) for lane in said.report["lanes"]]
    assert (said.code, lanes) == (0, [("unpod-main", 1, 1000.0), ("unpod-eu", 1, 500.0)])


def test_log_tells_the_story(bench):
    """Every event has its keys; the retry, the outcome of every number and the end are there."""
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], ["lost_before"])
    said = bench.run(plan, "--reason", "CHG-7 approved")
    events = bench.log(said)
    assert all({"ts", "level", "event", "run_id"} <= event.keys() for event in events)
    assert {event["run_id"] for event in events} == {said.report["run"]["id"]}
    by_name = {event["event"]: event for event in events}
    assert set(by_name) == {
        "run.started", "precheck.finished", "number.attempt", "number.retry", "number.finished", "run.finished"
    }  # fmt: skip
    assert [events[0]["event"], events[-1]["event"]] == ["run.started", "run.finished"]
    assert by_name["run.started"]["reason"] == "CHG-7 approved"
    assert by_name["run.finished"].items() >= {"status": "succeeded", "exit_code": 0, "detached": 2}.items()
    attempts = [event for event in events if event["event"] == "number.attempt" and event["number"] == listed[0]]
    place = {"account": "unpod-main", "provider": "unpod", "target": "sales", "number": listed[0]}
    assert [(event.items() >= place.items(), event["attempt"], event.get("http_status")) for event in attempts] == [
        (True, 1, None)
    ]
    assert "lost" in attempts[0]["error"]
    finished = {event["number"]: event for event in events if event["event"] == "number.finished"}
    assert {number: event["outcome"] for number, event in finished.items()} == dict.fromkeys(listed, "detached")
    assert [(finished[number]["attempt"], finished[number]["http_status"]) for number in listed] == [(2, 200), (1, 200)]
    assert all(0 < event["latency_ms"] < 1000 * said.report["run"]["duration_s"] for event in finished.values())


def test_a_rehearsal_needs_no_account_of_the_config(bench):
    """With --sandbox a plan runs whose accounts a config does not have, and nothing reaches the one it has."""
    plan = bench.plan({"account": "elsewhere", "bridge": "b", "numbers": ["+14155550101"]})
    said = call("run", plan, "--sandbox", "--yes", "--json")
    assert (said.code, said.totals()) == (0, {"detached": 1})
    assert bench.record == []
