"""``check`` and ``--dry-run``: what a run would do, without anything being sent."""

import time

import jsonschema
import jwt
import pytest
from bench import ONE, THREE, TWO, bridge, call, gateway

from runner.report import json_schema
from runner.sandbox import API_KEY, API_SECRET


def test_says_what_a_run_would_do(bench):
    """Items that would be detached, how many requests and about how long; nothing but reads is sent."""
    bench.configure(accounts={"unpod-main": {"rate": "2/s"}})
    bench.world.unpod.add_bridge("sales", [ONE, TWO])
    bench.world.unpod.add_unassigned(THREE)
    said = bench.check(bench.plan(bridge("sales", [ONE, TWO, THREE])))
    assert (said.code, said.totals()) == (0, {"would_detach": 2, "already_detached": 1})
    assert (said.report["run"]["status"], said.report["run"]["dry_run"]) == ("dry_run", True)
    assert "  unpod-main/sales  2 to detach of 2 attached (100 %), 1 already detached" in said.err
    assert "  unpod-main  about 8 requests, about 2 s at 2/s" in said.err


def test_dry_run_is_the_same(bench):
    """``run --dry-run`` needs no --yes, sends only reads, and its report is the one of check."""
    plan, _ = bench.sales(2)
    dry, check = call("run", plan, "--dry-run", "--json"), bench.check(plan)
    assert (dry.code, dry.outcomes()) == (check.code, check.outcomes()) == (0, dry.outcomes())
    assert {entry.method for entry in bench.record} == {"GET"}


def test_rehearsed_twice_and_run_for_real(bench):
    """A check leaves no lock and no mark behind: the run after it does everything, and nothing is to be resumed."""
    plan, listed = bench.sales(2)
    bench.check(plan)
    assert call("resume", "--yes").code == 2
    said = bench.run(plan)
    assert (said.code, said.outcomes()) == (0, dict.fromkeys(listed, "detached"))
    assert "unfinished" not in said.err


@pytest.mark.parametrize("command", [("check",), ("run", "--dry-run")])
@pytest.mark.parametrize("guards", [{}, {"max_numbers": 1}])
def test_exits_3_where_a_run_would(bench, command, guards):
    """What would block the run blocks its rehearsal too: drift here, or a guard."""
    bench.world.unpod.add_bridge("sales", [ONE, TWO])
    bench.world.unpod.add_bridge("other", [THREE])
    listed = [ONE, TWO] if guards else [ONE, TWO, THREE]
    said = call(command[0], bench.plan(bridge("sales", listed), guards=guards), *command[1:], "--json")
    assert (said.code, said.report["run"]["status"]) == (3, "blocked")
    jsonschema.validate(said.report, json_schema())
    assert {entry.method for entry in bench.record} == {"GET"}


def test_drift_is_told_with_its_place(bench):
    """Each number attached elsewhere is named with where it is, and with the mend."""
    bench.world.unpod.add_bridge("sales", [ONE])
    bench.world.unpod.add_bridge("other", [TWO])
    bench.world.videosdk.attach(THREE, "gw_2")
    bench.world.videosdk.add_pair("gw_1")
    said = bench.check(bench.plan(bridge("sales", [ONE, TWO]), gateway([THREE], "gw_1")))
    assert said.code == 3
    assert f"{TWO} is not attached to target sales but to other; correct the plan" in said.notes
    assert f"{THREE} is not attached to target gw_1 but to gw_2, gw_2-out; correct the plan" in said.notes
    assert "test-plan: 1 of 3 numbers to detach" in said.err
    assert "unpod-main/sales    1 to detach of 1 attached (100 %), 1 not settled\n" in said.err


def test_drift_is_summed_up(bench):
    """What is not as the plan says is counted by what it is instead; what is just detached already is no drift."""
    bench.world.unpod.add_bridge("sales", [ONE])
    bench.world.unpod.add_bridge("other", [TWO])
    bench.world.unpod.add_unassigned(THREE)
    listed = [ONE, TWO, THREE, "+14155559999"]
    found = "1 at a target that is not found, 1 attached elsewhere, 1 unknown to the account"
    for on_drift, code in (("block", 3), ("skip", 0)):
        groups = bridge("sales", listed), bridge("nowhere", [ONE], if_missing="ok")
        said = bench.check(bench.plan(*groups, guards={"on_drift": on_drift}))
        assert (said.code, f"  drift: 3 not as the plan says: {found}\n" in said.err) == (code, True)
    assert "drift:" not in bench.check(bench.plan(bridge("sales", [ONE, THREE]))).err


def test_says_what_a_rollback_puts_back(bench):
    """How many numbers, and what is missing for the others."""
    bench.world.unpod.add_bridge("sales", [ONE, TWO])
    plan = bench.plan(bridge("sales", [ONE, TWO]))
    assert "  unpod-main  a rollback puts back 2 exactly as before\n" in bench.check(plan).err
    del bench.world.unpod.bridges["sales"].rows[TWO]["provider_configuration"]
    missing = "  unpod-main  a rollback puts back 1 exactly as before, 1 not at all (missing: provider_config_id)\n"
    assert missing in bench.check(plan).err


def test_warns_of_a_token_that_ends_too_early(bench):
    """A token whose end is known and comes before the run's is warned of."""
    token = jwt.encode({"apikey": API_KEY, "exp": int(time.time()) + 12}, API_SECRET)
    bench.configure(accounts={"videosdk-main": {"token": token, "rate": "1/s"}})
    listed = [ONE, TWO, THREE, *(f"+1415555{n}" for n in range(2000, 2010))]
    for number in listed:
        bench.world.videosdk.attach(number, "gw_1")
    said = bench.check(bench.plan(gateway(listed, "gw_1")))
    assert said.code == 0
    assert "the token ends in" in said.err
    assert token not in said.err + said.out


def test_a_read_that_fails_is_no_evidence(bench):
    """When the look cannot be had, nothing is settled and nothing would be sent: blocked."""
    plan, _ = bench.sales(2)
    bench.world.revoked.add("unpod")
    said = bench.check(plan)
    assert (said.code, said.totals()) == (3, {"pending": 2})
    assert "a failed read is no evidence" in said.notes
    assert "test-plan: 0 of 2 numbers to detach" in said.err
    assert "unpod-main/sales  0 to detach, 2 not settled\n" in said.err


def test_a_read_that_fails_once_is_repeated(bench):
    """Reads are patient: an error, a lost answer and a broken one do not block."""
    plan, _ = bench.sales(2)
    bench.faults.script_reads("/api/v2/platform/telephony/bridges/", ["read_500", "read_truncated"])
    said = bench.check(plan)
    assert (said.code, said.totals()) == (0, {"would_detach": 2})


def test_sandbox_needs_no_config(bench):
    """``check --sandbox`` and ``run --sandbox`` work with no config and no token at all."""
    (bench.folder / "config.yaml").unlink()
    plan = bench.plan(bridge("sales", [ONE, TWO]), gateway([THREE], "gw_1"), bridge("other", "all"))
    check = call("check", plan, "--sandbox", "--json")
    assert (check.code, check.report["totals"]["would_detach"]) == (0, 13)
    run = call("run", plan, "--sandbox", "--yes", "--json")
    assert (run.code, run.totals(), run.report["run"]["sandbox"]) == (0, {"detached": 13}, True)
    assert len(bench.record) == 0


def test_the_environment_alone_is_a_config(bench, monkeypatch):
    """Without a file, variables set guards and accounts all the same, for a rehearsal and offline."""
    (bench.folder / "config.yaml").unlink()
    plan = bench.plan(bridge("sales", [ONE, TWO]))
    monkeypatch.setenv("TEARDOWN_GUARDS__MAX_NUMBERS", "1")
    assert call("check", plan, "--sandbox").code == 3
    monkeypatch.setenv("TEARDOWN_GUARDS__MAX_NUMBERS", "few")
    for words in (("check", plan, "--sandbox"), ("validate", plan)):
        said = call(*words)
        assert (said.code, "TEARDOWN_GUARDS__MAX_NUMBERS: `max_numbers`: 'few' is not" in said.err) == (2, True)
    monkeypatch.delenv("TEARDOWN_GUARDS__MAX_NUMBERS")
    for key, value in {"PROVIDER": "unpod", "TOKEN": "${UNPOD_TOKEN}", "ORG_HANDLE": "acme"}.items():
        monkeypatch.setenv(f"TEARDOWN_ACCOUNTS__UNPOD_MAIN__{key}", value)
    said = call("validate", plan)
    assert (said.code, "warning" in said.err) == (0, False)


def test_sandbox_with_faults(bench):
    """--faults strike the rehearsal; without --sandbox they are refused, and so is one that is unknown."""
    plan = bench.plan(bridge("sales", [ONE, TWO]))
    said = call("run", plan, "--sandbox", "--yes", "--json", "--faults", "lost_after=100%")
    assert (said.code, {row["confirmed_by"] for row in said.report["numbers"]}) == (0, {"verification"})
    refused = call("run", plan, "--yes", "--faults", "lost_after=100%")
    assert (refused.code, refused.err) == (2, "error: --faults: goes with --sandbox only\n")
    assert call("check", plan, "--sandbox", "--faults", "sun=1").code == 2
