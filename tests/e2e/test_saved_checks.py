"""``check --out`` and ``run FILE``: just what was looked at is done, once, or nothing is sent."""

import hashlib
import json
import re
import shutil
import signal

import jsonschema
import pytest
from bench import BRIDGES, FOUR, ONE, PATIENCE, THREE, TWO, bridge, call, finish, gateway, numbers, private
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.sandbox import TOKEN
from runner.saved import json_schema


def save(bench, plan, *options, name="approved.json"):
    """Check a plan, save that, and return the file and its hash."""
    path = bench.folder / name
    said = call("check", plan, "--out", path, *options)
    assert said.code == 0, said.err
    return path, said.out.strip()


def saved_sales(bench, count=4, **guards):
    """Attach so many numbers to the bridge ``sales``, and return the saved check of them, its hash and the numbers."""
    plan, listed = bench.sales(count, **guards)
    return *save(bench, plan), listed


def items(path):
    """Return the items of a saved check as number and outcome."""
    return [(item["number"], item["outcome"]) for item in json.loads(path.read_text())["items"]]


def refused(bench, path, *options, code=3):
    """Run a saved check that may not be run, and return what was said; nothing but reads may have been sent."""
    before = len(bench.detaches())
    said = call("run", path, "--yes", *options)
    assert (said.code, len(bench.detaches()) - before) == (code, 0), said.err
    return said.err


def test_holds_all_that_was_seen(bench):
    """Every item with what the pre-check saw of it, by the published schema, private, and without a secret."""
    bench.world.unpod.add_bridge("sales", [ONE])
    bench.world.unpod.add_bridge("other", [THREE])
    bench.world.unpod.add_unassigned(TWO)
    bench.world.videosdk.attach(FOUR, "gw_a")
    plan = bench.plan(
        bridge("sales", [ONE, TWO]),
        bridge("other", "all", reattach={"provider_config_id": 7}),
        gateway([FOUR]),
        guards={"protect": [THREE]},
    )
    path, sha256 = save(bench, plan)
    saved = json.loads(path.read_text())
    jsonschema.validate(saved, json_schema())
    assert items(path) == [
        (ONE, "would_detach"),
        (TWO, "already_detached"),
        (THREE, "skipped"),
        (FOUR, "would_detach"),
    ]
    assert saved["items"][0]["before"]["provider_config_id"] == 42
    ids = {"phone_number_id": "pn_000001", "inbound": "gw_a", "outbound": "gw_a-out"}
    assert ids.items() <= saved["items"][3]["before"].items()
    assert saved["estimate"][0]["rollback"] == [{"how": "exact", "missing": [], "numbers": 1}]
    assert (saved["items"][2]["reason"], saved["groups"][1]["all"]) == ("protected", True)
    assert saved["groups"][1]["reattach"] == {"provider_config_id": 7}
    assert [lane["account"] for lane in saved["estimate"]] == ["unpod-main", "videosdk-main"]
    assert saved["plan"]["text"] == plan.read_text()
    assert private(path) == 0o600
    assert not re.search(f"{TOKEN}|in-clear", path.read_text())
    assert saved["sha256"] == sha256


def test_its_hash_can_be_had_by_others(bench):
    """It is said on stdout and stderr, stands in the last line, and is that of all bytes above it."""
    plan, _ = bench.sales(2)
    said = call("check", plan, "--out", "approved.json")
    text = (bench.folder / "approved.json").read_bytes()
    above, _, last = text.rpartition(b"]")
    sha256 = hashlib.sha256(above).hexdigest()
    assert (said.out, last) == (f"{sha256}\n", f',"sha256":"{sha256}"}}\n'.encode())
    assert f"teardown run approved.json --expect-hash {sha256}" in said.err
    said = call("check", plan, "--out", "approved.json", "--json")
    assert said.report["totals"]["would_detach"] == 2


@pytest.mark.parametrize("sandbox", [False, True])
def test_is_run_just_as_it_is(bench, sandbox):
    """What it lists is detached and nothing else, whatever the plan says by now; the report names plan and hash."""
    bench.world.unpod.add_bridge("sales", [ONE, TWO, THREE])
    bench.world.unpod.add_unassigned(FOUR)
    plan = bench.plan(bridge("sales", [ONE, TWO, FOUR]), guards={"protect": [TWO]})
    options = ["--sandbox"] if sandbox else []
    path, sha256 = save(bench, plan, *options)
    digest = hashlib.sha256(plan.read_bytes()).hexdigest()
    plan.write_text("gone")
    said = call("run", path, "--yes", "--json", "--expect-hash", sha256.upper(), *options)
    others = "detached" if sandbox else "already_detached"
    assert said.outcomes() == {ONE: "detached", TWO: "skipped", FOUR: others}
    assert (said.code, said.rows[TWO]["reason"]) == (0, "protected")
    assert said.report["run"]["plan"]["sha256"] == digest
    assert said.report["run"]["check"] == sha256
    assert json.loads((bench.run_folder(said) / "check.json").read_text())["sha256"] == sha256
    assert len(bench.detaches()) == (0 if sandbox else 1)


def test_the_rules_of_the_plan_are_kept(bench):
    """Guards and window go with the check: a ramp is climbed, and the window is known."""
    plan, listed = bench.sales(4, batches=[1, "50%"], stop_after_failures=2)
    path, _ = save(bench, plan)
    said = bench.run(path)
    assert ("batch 3 of 3" in said.err, said.totals()) == (True, {"detached": 4})
    bench.world.unpod.add_bridge("sales", listed)
    window = {"not_before": "2020-11-22T01:00:00+01:00"}
    path, _ = save(bench, bench.plan(bridge("sales", listed), window=window))
    assert json.loads(path.read_text())["rules"]["window"] == window


def test_a_selection_is_kept(bench):
    """What --only and --limit leave alone in the check is left alone in its run, at each of its places."""
    bench.world.unpod.add_bridge("sales", [ONE, TWO, THREE])
    bench.world.unpod.add_bridge("other", [ONE])
    path, _ = save(bench, bench.plan(bridge("other", [ONE]), bridge("sales", [ONE, TWO, THREE])), "--limit", "2")
    said = bench.run(path)
    outcomes = [(row["target"], row["number"], row["outcome"]) for row in said.report["numbers"]]
    assert outcomes == [
        ("other", ONE, "detached"),
        ("sales", ONE, "detached"),
        ("sales", TWO, "skipped"),
        ("sales", THREE, "skipped"),
    ]


def test_is_run_once(bench):
    """A second run is refused before anything is asked, says which run it was, and leaves nothing to resume."""
    path, _, listed = saved_sales(bench)
    first = bench.run(path)
    assert first.totals() == {"detached": 4}
    for number in listed:
        bench.world.unpod.attach("sales", number)
    before = len(bench.record)
    assert f"was already run, as run {first.report['run']['id']}" in refused(bench, path)
    assert call("check", path).code == 3
    assert len(bench.record) == before
    assert call("resume", "--yes").code == 2
    assert len(json.loads(call("status", "--json").out)["runs"]) == 2


def test_one_of_two_wins(bench):
    """Two processes begin at once: one does all of it, the other sends nothing, and neither can a third."""
    path, _, listed = saved_sales(bench, 20)
    runs = [bench.start("run", path, "--yes", "--json") for _ in range(2)]
    codes = sorted(finish(process).code for process in runs)
    assert codes in ([0, 3], [0, 75])
    assert sorted(entry.number for entry in bench.detaches()) == listed
    assert "already run" in refused(bench, path)


def test_another_run_used_it_meanwhile(bench):
    """What counts is the moment before the first detach: a run that was held back until then is refused as well."""
    path, _, listed = saved_sales(bench, 2)
    bench.configure(hooks={"start": "false", "required": True})
    first = bench.run(path)
    assert (first.code, first.totals()) == (3, {"pending": 2})
    bench.configure()
    for number in listed:
        bench.faults.script(number, ["business_206"] * 9)  # so that all is as it was, for whoever looks
    second = bench.run(path)
    assert (second.code, second.totals()) == (4, {"failed": 2})
    sent = len(bench.detaches())
    late = call("resume", first.report["run"]["id"], "--yes", "--json")
    assert (late.code, len(bench.detaches())) == (3, sent)
    assert f"the saved check was run meanwhile, as run {second.report['run']['id']}" in late.notes


def test_a_no_uses_nothing_up(bench):
    """A run that sent nothing leaves the check to be run."""
    path, _, _ = saved_sales(bench)
    bench.configure(hooks={"start": "false", "required": True})
    assert bench.run(path).code == 3
    bench.configure()
    assert bench.run(path).totals() == {"detached": 4}


ALTERATIONS = {
    "a number": lambda text: text.replace(numbers(1, 101)[0], numbers(1, 999)[0]),
    "a guard": lambda text: text.replace('"max_numbers":10000', '"max_numbers":99999'),
    "an outcome": lambda text: text.replace('"already_detached"', '"would_detach"', 1),
    "what was seen": lambda text: text.replace('"provider_config_id":42', '"provider_config_id":43', 1),
    "an item less": lambda text: re.sub(r"^{.before.*0102.*\n", "", text, flags=re.MULTILINE),
    "an item twice": lambda text: re.sub(r"^({.before.*0102.*\n)", r"\1\1", text, flags=re.MULTILINE),
    "two items the other way round": lambda text: re.sub(r"\n(.*0101.*\n)(.*0102.*\n)", r"\n\2\1", text),
    "the hash": lambda text: re.sub(r'"sha256":"([0-9a-f]{64})"\}\n', f'"sha256":"{"0" * 64}"}}\n', text),
    "blanks": lambda text: json.dumps(json.loads(text), indent=1),
    "a key": lambda text: text.replace('{"before"', '{"also":1,"before"', 1),
    "line ends": lambda text: text.replace("\n", "\r\n"),
    "a line at its end": lambda text: text + "\n",
    "the time": lambda text: re.sub(r'"checked_at":"20[0-9]+', '"checked_at":"2099', text),
}
DAMAGES = {
    "cut short": lambda text: text[: len(text) // 2],
    "its last byte": lambda text: text[:-2],
    "its begin alone": lambda text: text[:40],
    "not UTF-8": lambda text: text.replace('"sales"', '"\udcff"', 1),
    "another format": lambda text: text.replace("teardown.check/1", "teardown.check/9"),
}


@pytest.mark.parametrize("change", ALTERATIONS.values(), ids=ALTERATIONS)
def test_altered_and_refused(bench, change):
    """Whatever was changed: exit 3 before anything is asked, and a sentence with the mend."""
    bench.world.unpod.add_unassigned(FOUR)
    _, listed = bench.sales(3)
    path, _ = save(bench, bench.plan(bridge("sales", [*listed, FOUR])))
    text = path.read_text()
    path.write_bytes(change(text).encode())
    assert path.read_bytes() != text.encode()
    before = len(bench.record)
    assert "approved.json was altered after it was saved; save a new check by" in refused(bench, path)
    assert len(bench.record) == before


@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES)
def test_damaged_and_refused(bench, change):
    """What does not parse is wrong input: exit 2."""
    path, _, _ = saved_sales(bench)
    path.write_bytes(change(path.read_text()).encode("utf-8", "surrogateescape"))
    before = len(bench.record)
    assert "save a new check by" in refused(bench, path, code=2)
    assert len(bench.record) == before


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), how=st.sampled_from(["set", "insert", "cut"]))
def test_no_byte_may_change(bench, where, byte, how):
    """One byte more, less or other, wherever it is: nothing is sent, and nothing is a bug."""
    if not (bench.folder / "approved.json").exists():
        saved_sales(bench, 2)
        shutil.copy(bench.folder / "approved.json", bench.folder / "good.json")
    good = (bench.folder / "good.json").read_bytes()
    at = int(where * len(good))
    bad = good[:at] + (b"" if how == "cut" else bytes([byte])) + good[at + (how != "insert") :]
    (bench.folder / "approved.json").write_bytes(bad)
    if bad != good:
        said = call("run", "approved.json", "--yes")
        assert said.code in (2, 3), said.err
        assert "bug" not in said.err
    assert bench.detaches() == []


def test_bound_to_its_hash(bench):
    """Another hash is refused, although the file is sound; so is what is no hash, and one for a plan."""
    path, sha256, _ = saved_sales(bench)
    assert f"has the SHA-256 {sha256}, and not the expected one" in refused(bench, path, "--expect-hash", "0" * 64)
    assert "64 digits" in refused(bench, path, "--expect-hash", "beef", code=2)
    plan = bench.plan(bridge("sales", numbers(1, 101)))
    assert "is no saved check; it goes with what" in refused(bench, plan, "--expect-hash", sha256, code=2)


def _moved(bench, first):
    bench.world.unpod.detach("sales", first)
    bench.world.unpod.add_bridge("other", [first])


DRIFTS = {
    "gone": (lambda bench, first: bench.world.unpod.detach("sales", first), "was attached when the check was saved"),
    "attached": (lambda bench, _: bench.world.unpod.attach("sales", FOUR), f"{FOUR} at sales was not attached when"),
    "elsewhere": (_moved, "is not attached to target sales but to other"),
    "another configuration": (
        lambda bench, first: bench.world.unpod.bridges["sales"].rows[first]["provider_configuration"].update(id=43),
        "is not as the check saw it: provider_config_id was 42 and is 43",
    ),
    "the bridge": (lambda bench, _: bench.world.unpod.remove_bridge("sales"), "target sales is not found"),
    "one more where all was meant": (
        lambda bench, _: bench.world.unpod.add_bridge("whole", ["+14155559999"]),
        "unpod-main/whole has 3 numbers, and had 2 when the check was saved",
    ),
    "protected": (
        lambda bench, first: bench.configure(guards={"protect": [first]}),
        "was attached when the check was saved, and is protected now",
    ),
}


@pytest.mark.parametrize(("drift", "sentence"), DRIFTS.values(), ids=DRIFTS)
def test_drifted_and_refused(bench, drift, sentence):
    """Whatever is another than it was: blocked with a report, and nothing is sent, by a resume either."""
    bench.world.unpod.add_bridge("whole", numbers(2, 700))
    bench.world.unpod.add_unassigned(FOUR)
    _, listed = bench.sales(3)
    path, _ = save(bench, bench.plan(bridge("sales", [*listed, FOUR]), bridge("whole", "all")))
    drift(bench, listed[0])
    said = call("run", path, "--yes", "--json")
    assert (said.code, said.report["run"]["status"], bench.detaches()) == (3, "blocked", [])
    assert sentence in said.notes
    assert not set(said.totals()) - {"pending", "already_detached", "skipped"}
    again = call("resume", said.report["run"]["id"], "--yes", "--json")
    assert (again.code, bench.detaches()) == (3, [])
    assert call("check", path).code == 3


def test_drift_that_was_undone(bench):
    """A run that was blocked leaves the check to be run, once all is as it was."""
    path, _, listed = saved_sales(bench)
    configuration = bench.world.unpod.bridges["sales"].rows[listed[0]]["provider_configuration"]
    configuration["id"] = 43
    assert call("run", path, "--yes").code == 3
    configuration["id"] = 42
    assert bench.run(path).outcomes() == dict.fromkeys(listed, "detached")


def test_drift_beside_the_list_is_none(bench):
    """Numbers that the plan does not name may come and go."""
    path, _, listed = saved_sales(bench)
    bench.world.unpod.add_bridge("sales", ["+14155559999"])
    assert bench.run(path).outcomes() == dict.fromkeys(listed, "detached")


def test_who_shares_a_gateway_pair_is_none(bench):
    """Others may come and go at a number's gateways, and rules name it; another address behind them is drift."""
    account = bench.world.videosdk
    for number in (ONE, TWO):
        account.attach(number, "gw_a")
    path, _ = save(bench, bench.plan(gateway([ONE])))
    other, _ = save(bench, bench.plan(gateway([TWO])), name="other.json")
    account.attach(THREE, "gw_a")
    account.rules.append({"id": "r1", "name": "night", "type": "inbound", "numbers": [ONE]})
    assert bench.run(path).outcomes() == {ONE: "detached"}
    account.gateways["outbound"]["gw_a-out"]["address"] = "sip.elsewhere.example:5061"
    assert f"{TWO} is not as the check saw it: address was" in refused(bench, other)


def test_a_closed_gate_does_not_use_it_up(bench):
    """A gate that stops the run before anything was sent leaves the check to be run."""
    mark = bench.folder / "well"
    path, _, listed = saved_sales(bench, gate={"command": ["test", "-e", str(mark)]})
    assert call("run", path, "--yes").code == 3
    mark.touch()
    assert bench.run(path).outcomes() == dict.fromkeys(listed, "detached")


def test_what_is_deleted_at_its_end(bench):
    """A plan that wants its target deleted does so from a saved check too, asked for as ever."""
    bench.world.unpod.add_bridge("sales", [ONE])
    path, _ = save(bench, bench.plan(bridge("sales", [ONE], then="delete_target")))
    assert "wants its target deleted, which --yes does not cover" in refused(bench, path, code=2)
    assert bench.run(path, "--delete-targets").code == 0
    assert "sales" not in bench.world.unpod.bridges


def test_a_target_with_nothing_to_detach_uses_it_up(bench):
    """Where only a target is to be deleted, the check is run once as well."""
    bench.world.unpod.add_bridge("sales", [])
    bench.world.unpod.add_unassigned(ONE)
    path, _ = save(bench, bench.plan(bridge("sales", [ONE], then="delete_target")))
    assert bench.run(path, "--delete-targets").code == 0
    assert "sales" not in bench.world.unpod.bridges
    assert "was already run" in refused(bench, path, "--delete-targets")


def test_a_call_is_no_drift(bench):
    """A number that is in a call by now is left alone where the plan says so, and the others are detached."""
    for number in (ONE, TWO):
        bench.world.videosdk.attach(number, "gw_a")
    path, _ = save(bench, bench.plan(gateway([ONE, TWO]), guards={"live_calls": "skip"}))
    bench.world.videosdk.begin_call(ONE)
    assert bench.run(path).outcomes() == {ONE: "skipped", TWO: "detached"}


def test_an_account_at_another_address(bench):
    """Another world may look the same: refused."""
    path, _, _ = saved_sales(bench)
    bench.configure(accounts={"unpod-main": {"base_url": bench.server.url.replace("127.0.0.1", "localhost")}})
    assert "was saved when account unpod-main was at" in refused(bench, path)


@pytest.mark.parametrize("where", ["plan", "config"])
def test_too_old(bench, where):
    """``guards.max_check_age`` of the plan as it was, or of the config as it is, bounds its age."""
    guard = {"max_check_age": "1ms"}
    path, _, _ = saved_sales(bench, **(guard if where == "plan" else {}))
    bench.configure(**({"guards": guard} if where == "config" else {}))
    assert re.search(r"approved.json is \d+ s old, and guards.max_check_age is 0.001 s", refused(bench, path))


def test_young_enough(bench):
    """An age limit that is kept forbids nothing."""
    path, _, _ = saved_sales(bench, max_check_age="1h")
    assert bench.run(path).totals() == {"detached": 4}


def test_a_rehearsal_is_no_approval(bench):
    """What a sandbox said is not run for real; a real check can be rehearsed as often as one likes, and then run."""
    plan, listed = bench.sales()
    path, _ = save(bench, plan, "--sandbox")
    assert "was saved by a rehearsal; it can be run with --sandbox only" in refused(bench, path)
    path, sha256 = save(bench, plan)
    for _ in range(2):
        said = call("run", path, "--sandbox", "--yes", "--json", "--expect-hash", sha256, "--faults", "lost_after=30%")
        assert said.totals() == {"detached": 4}
    assert bench.detaches() == []
    assert bench.run(path).outcomes() == dict.fromkeys(listed, "detached")


def test_resumed_where_it_was_killed(bench):
    """A run of a saved check that was killed goes on with the same list, and needs the file no more."""
    path, _, listed = saved_sales(bench, 8)
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    bench.slow_down(listed[3:4], PATIENCE)
    with bench.at_work(4, path):
        pass
    path.unlink()
    bench.world.unpod.add_bridge("sales", ["+14155559999"])
    said = bench.resume()
    assert (said.code, said.outcomes()) == (0, dict.fromkeys(listed, "detached"))
    assert bench.world.attached("unpod", "sales", "+14155559999")
    assert bench.world.useless_detaches() == []


def test_resumed_where_all_was_under_way(bench):
    """Where all was sent and nothing recorded, what a look finds gone is the run's own work, and no drift."""
    path, _, listed = saved_sales(bench, 1)
    assert bench.struck(signal.SIGKILL, 1, "run", path, "--yes").code == -signal.SIGKILL
    said = bench.resume()
    assert (said.code, said.outcomes()) == (0, dict.fromkeys(listed, "detached"))


def test_interrupted_and_resumed(bench):
    """The same after a signal: the check stays used up by its run."""
    path, _, _ = saved_sales(bench, 8)
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    assert bench.struck(signal.SIGINT, 3, "run", path, "--yes").code == 130
    assert "was already run" in refused(bench, path)
    assert bench.resume().totals() == {"detached": 8}


@pytest.mark.parametrize("forged", [False, True])
def test_a_copy_that_was_altered_is_not_resumed(bench, forged):
    """What the run keeps of its check is held to the hash that the ledger knows, also where the file's is made anew."""
    path, _, _ = saved_sales(bench)
    bench.configure(hooks={"start": "false", "required": True})
    said = bench.run(path)
    bench.configure()
    kept = bench.run_folder(said) / "check.json"
    altered = kept.read_bytes().replace(b'"would_detach"', b'"skipped"', 1)
    if forged:
        above = altered.rpartition(b"]")[0]
        altered = above + f'],"sha256":"{hashlib.sha256(above).hexdigest()}"}}\n'.encode()
    kept.write_bytes(altered)
    again = call("resume", "--yes")
    assert (again.code, bench.detaches()) == (3, [])
    assert ("not the expected one" if forged else "was altered") in again.err


@pytest.mark.parametrize("faults", ["lost_after", "lost_before", "http_500_after", "http_400_after", "lying_200"])
def test_true_under_faults(bench, faults):
    """Its run settles lost and wrong answers as any other does."""
    path, _, listed = saved_sales(bench, 6)
    for number in listed[::2]:
        bench.faults.script(number, [faults])
    said = bench.run(path)
    assert said.code == (4 if "failed" in said.totals() else 0)
    if said.code:
        said = bench.resume("--retry-failed")
    assert (said.code, set(said.totals())) == (0, {"detached"} | set(said.totals()) & {"already_detached"})


def test_a_failed_read_is_no_drift(bench):
    """A look that cannot be had blocks by itself, and is not called drift."""
    path, _, _ = saved_sales(bench)
    bench.faults.script_reads(f"{BRIDGES}sales/", ["read_500"] * 9)
    said = call("run", path, "--yes", "--json")
    assert (said.code, bench.detaches()) == (3, [])
    assert "a failed read is no evidence" in said.notes
    assert "check was saved" not in said.notes


def test_only_a_good_check_is_saved(bench):
    """One that is blocked leaves no file, and one that was there before as it was."""
    path, sha256, _ = saved_sales(bench)
    plan = bench.plan(bridge("sales", [*numbers(4, 101), "+14155559999"]), bridge("nowhere", [ONE]))
    said = call("check", plan, "--out", path)
    assert (said.code, said.out) == (3, "")
    assert "nothing was saved in" in said.err
    assert json.loads(path.read_text())["sha256"] == sha256


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["check", "PLAN", "--out", "PLAN"], "is there already and is no saved check"),
        (["check", "PLAN", "--out", ""], "is a folder; name a file"),
        (["check", "PLAN", "--out", "nowhere/file"], "is in a folder that does not exist"),
        (["check", "SAVED", "--out", "other.json"], "--out: SAVED is a saved check, which is run as it is"),
        (["run", "absent.yaml", "--yes", "--expect-hash", "0" * 64], "absent.yaml: the file does not exist"),
        (["run", "SAVED", "--yes", "--limit", "1"], "--limit: SAVED is a saved check"),
        (["run", "SAVED", "--yes", "--only", "unpod-main"], "--only: SAVED is a saved check"),
        (["run", "SAVED", "--yes", "--exclude", "unpod-main"], "--exclude: SAVED is a saved check"),
    ],
)
def test_wrong_usage(bench, arguments, sentence):
    """One sentence, exit 2, and nothing is asked."""
    path, _, _ = saved_sales(bench)
    named = {"PLAN": str(bench.folder / "plan1.yaml"), "SAVED": str(path)}
    before = len(bench.record)
    said = call(*(named.get(each, each) for each in arguments))
    assert (said.code, said.out, len(bench.record) - before) == (2, "", 0)
    assert sentence.replace("SAVED", str(path)) in said.err


def test_detailed_exit_codes(bench):
    """0 when nothing is left to do, 11 when something is, 3 when it is blocked, 2 for a plan that is none."""
    plan, listed = bench.sales(2)
    assert [call("check", plan).code, call("check", plan, "--detailed-exitcode").code] == [0, 11]
    path, _ = save(bench, plan)
    assert call("check", path, "--detailed-exitcode").code == 11
    bench.run(path)
    assert call("check", plan, "--detailed-exitcode").code == 0
    bench.world.unpod.add_bridge("other", listed)
    assert call("check", plan, "--detailed-exitcode").code == 3
    plan.write_text("no plan")
    assert call("check", plan, "--detailed-exitcode").code == 2


def test_its_schema_is_published(bench):
    """``teardown schema check`` prints it, and it takes nothing that teardown does not write."""
    schema = json.loads(call("schema", "check").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    path, _, _ = saved_sales(bench)
    saved = json.loads(path.read_text())
    jsonschema.validate(saved, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(saved | {"more": 1}, schema)


def test_all_kinds_of_groups_in_a_rehearsal(bench):
    """Bridges, gateways, ``all``, what may be missing, what is protected: checked and run in a sandbox, no config."""
    (bench.folder / "config.yaml").unlink()
    groups = bridge("sales", [ONE, TWO]), bridge("whole", "all"), gateway([THREE], "gw_1"), gateway([FOUR])
    plan = bench.plan(*groups, bridge("late", [ONE], if_missing="ok"), guards={"protect": [TWO]})
    path, sha256 = save(bench, plan, "--sandbox")
    said = call("run", path, "--sandbox", "--yes", "--json", "--expect-hash", sha256)
    assert (said.code, said.totals()) == (0, {"detached": 14, "skipped": 1})


def test_validated_offline(bench):
    """``validate`` says whether a saved check is as it was written, and its hash."""
    path, sha256, _ = saved_sales(bench)
    before = len(bench.record)
    said = call("validate", path)
    assert (said.code, said.out) == (0, f"{path} is a saved check of 4 numbers, as it was written; SHA-256 {sha256}\n")
    path.write_text(path.read_text().replace("sales", "slaes"))
    assert call("validate", path).code == 3
    path.write_text(path.read_text()[:-9])
    assert call("validate", path).code == 2
    assert len(bench.record) == before


bridges = st.sampled_from(["one", "two"])
places = st.tuples(bridges, st.sampled_from(numbers(5)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    there=st.sets(places),
    listed=st.sets(places, min_size=1),
    changes=st.tuples(st.sets(places), st.sets(places)),
    whole=bridges,
)
def test_just_what_was_seen_or_nothing(bench, there, listed, changes, whole):
    """Whatever changes between check and run: the run detaches just what the check listed, or it sends nothing."""
    (came, went), world = changes, bench.world.unpod
    world.bridges.clear()
    world.unassigned.clear()
    for slug in ("one", "two"):
        world.add_bridge(slug, sorted(number for place, number in there if place == slug))
    groups = [
        bridge(slug, "all" if slug == whole else sorted(number for place, number in listed if place == slug))
        for slug in ("one", "two")
    ]
    plan = bench.plan(*(group for group in groups if group["numbers"]))
    (bench.folder / "approved.json").unlink(missing_ok=True)
    if call("check", plan, "--out", "approved.json").code:
        return  # drift already
    wanted = {
        (group["bridge"], number)
        for group in groups
        for slug, number in there
        if slug == group["bridge"] and (group["numbers"] == "all" or number in group["numbers"])
    }
    for slug, number in went & there:
        world.detach(slug, number)
    for slug, number in came - there:
        world.attach(slug, number)
    left = {(slug, number) for slug, known in world.bridges.items() for number in known.rows}
    said = call("run", "approved.json", "--yes")
    now = {(slug, number) for slug, known in world.bridges.items() for number in known.rows}
    assert (said.code, left - now) in ((0, wanted), (3, set())), said.err
    touched = {(slug, number) for slug, number in went | came if slug == whole or (slug, number) in listed}
    if not touched & (there ^ left):
        assert said.code == 0, said.err
