"""``discover``: what is attached in an account, as a plan that detaches exactly that."""

import re

import pytest
import yaml
from bench import BRIDGES, ONE, THREE, TWO, call, environment, numbers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def listed(text):
    """Return the numbers of a plan by target."""
    groups = yaml.safe_load(text)["teardown"]
    return {group.get("bridge", group.get("gateway")): [f"+{n}" for n in group["numbers"]] for group in groups}


def listed_in(said):
    """Return all numbers of a plan on stdout."""
    return [number for found in listed(said.out).values() for number in found]


def attached(world):
    """Return the numbers that are truly attached, by provider and target."""
    state = world.state()
    bridges = {slug: set(found) for slug, found in state["unpod"]["bridges"].items() if found}
    pairs = {number for number, pair in state["videosdk"]["numbers"].items() if pair["inbound"] or pair["outbound"]}
    return bridges, pairs


def test_shows_every_bridge_with_its_numbers(bench):
    """All pages and all targets; beside each number what the provider says of it, and above it the bridge's name."""
    for index in range(120):
        bench.world.unpod.add_bridge(f"bridge-{index}", numbers(2, 10 * index))
    said = call("discover", "unpod-main")
    assert said.code == 0
    assert listed(said.out) == {f"bridge-{index}": numbers(2, 10 * index) for index in range(120)}
    assert "    bridge: bridge-7    # Bridge 7: 2 attached\n" in said.out
    assert f"      - {numbers(1, 70)[0]}    # ASSIGNED, active\n" in said.out
    assert "# 240 numbers at 120 targets of unpod-main (unpod), as `teardown discover` saw them.\n" in said.out
    assert said.out.endswith("# 240 numbers in all; left out: nothing\n")
    assert said.err == "unpod-main: 240 numbers attached\n"
    assert {entry.method for entry in bench.record} == {"GET"}


def test_shows_every_number_with_its_gateways(bench):
    """All pages of the list, each number at its inbound gateway, or at its outbound one where it has no other."""
    first, second = numbers(130), numbers(3, 500)
    for number in first:
        bench.world.videosdk.attach(number, "gw_a")
    bench.world.videosdk.add_pair("gw_b")
    for number in second:
        bench.world.videosdk.connect(number, (None, "gw_b-out"))
    bench.world.videosdk.add_phone(numbers(1, 900)[0])
    said = call("discover", "videosdk-main")
    assert (said.code, listed(said.out)) == (0, {"gw_a": first, "gw_b-out": second})
    assert f"      - {first[0]}    # Sandbox number, inbound gw_a, outbound gw_a-out, ACTIVE\n" in said.out
    assert said.out.endswith("# 133 numbers in all; left out:\n#   1 not attached to anything\n")


@pytest.mark.parametrize("account", ["unpod-main", "videosdk-main"])
def test_narrowed_to_a_target(bench, account):
    """``--target`` gives these alone; at VideoSDK either gateway of a pair may be named."""
    for index, target in enumerate(("one", "two", "three")):
        bench.world.unpod.add_bridge(target, numbers(2, 10 * index))
        for number in numbers(2, 10 * index):
            bench.world.videosdk.attach(number, target)
    second = "two" if account == "unpod-main" else "two-out"
    said = call("discover", account, "--target", "one", "--target", second)
    assert (said.code, listed(said.out)) == (0, {"one": numbers(2), second: numbers(2, 10)})


def test_narrowed_to_numbers(bench):
    """``--match`` takes whole numbers and beginnings, and what it leaves out is counted at the end."""
    bench.world.unpod.add_bridge("sales", ["+442071838750", "+442071838751", ONE, TWO])
    said = call("discover", "unpod-main", "--match", "+4420*", "--match", TWO)
    assert listed(said.out) == {"sales": ["+442071838750", "+442071838751", TWO]}
    assert said.out.endswith("# 3 numbers in all; left out:\n#   1 not matched by --match\n")
    assert "left out: 1 not matched by --match" in said.err


def test_leaves_out_what_may_not_go(bench):
    """What the config protects, and what is no E.164 number, is counted and not listed."""
    bench.configure(guards={"protect": [TWO]})
    bench.world.unpod.add_bridge("sales", [ONE, TWO, "+12345"])
    said = call("discover", "unpod-main")
    assert listed(said.out) == {"sales": [ONE]}
    assert "#   1 no E.164 numbers, which no plan can name\n#   1 protected by the config's guards\n" in said.out


@pytest.mark.parametrize(
    "faults", [["read_500"] * 9, ["read_lost"] * 9, ["read_truncated"] * 9, ["read_garbage"] * 9, ["http_503"] * 99]
)
@pytest.mark.parametrize("path", [BRIDGES, f"{BRIDGES}two/"])
def test_a_failed_read_makes_no_plan(bench, path, faults):
    """However late it fails: nothing on stdout, no file, and a sentence; once is not for good."""
    bench.configure(retry={"max_throttle_wait": "100ms"})
    for target in ("one", "two"):
        bench.world.unpod.add_bridge(target, [ONE])
    bench.faults.script_reads(path, faults)
    said = call("discover", "unpod-main")
    assert (said.code, said.out) == (3, "")
    assert "unpod-main: no plan was made, as a failed read is no evidence" in said.err


def test_a_read_that_fails_once_is_repeated(bench):
    """Reads are as patient as a pre-check's."""
    bench.world.unpod.add_bridge("sales", [ONE])
    bench.faults.script_reads(BRIDGES, ["read_500", "read_garbage"])
    assert listed(call("discover", "unpod-main").out) == {"sales": [ONE]}


def test_a_list_that_shifts_while_it_is_read(bench):
    """One number leaves and one comes while the second page is fetched: the one that slipped between is found."""
    listed, phones = numbers(150), bench.world.videosdk.phones
    for number in listed:
        bench.world.videosdk.attach(number, "gw_a")

    def shift(entry):
        if "page=2" in entry.path and listed[0] in phones:
            del phones[listed[0]]
            bench.world.videosdk.attach(*numbers(1, 900), "gw_a")

    bench.world.on_request.append(shift)
    said = call("discover", "videosdk-main")
    assert (said.code, set(phones) - set(listed_in(said))) == (0, set())


def test_nothing_attached_makes_no_plan(bench):
    """An empty plan would mean nothing: exit 3 and a sentence that says what was left out; a file stays unwritten."""
    bench.world.unpod.add_bridge("sales", [ONE])
    bench.world.unpod.detach("sales", ONE)
    bench.world.videosdk.add_phone(ONE)
    for account, more in (("unpod-main", ""), ("videosdk-main", "; left out: 1 not attached to anything")):
        said = call("discover", account, "-o", "plan.yaml")
        assert (said.code, said.out) == (3, "")
        assert said.err == f"error: {account}: no plan was made, as there is nothing to detach{more}\n"
    assert not (bench.folder / "plan.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["nobody"], 2, "there is no account 'nobody' in the config; it has: unpod-main, videosdk-main"),
        (["unpod-main", "--match", "0049*"], 2, "--match: '0049*' is no number"),
        (["unpod-main", "--match", ""], 2, "--match: '' is no number"),
        (["unpod-main", "--target", " "], 2, "--target is blank"),
        (["unpod-main", "--overwrite"], 2, "--overwrite: goes with -o only"),
        (
            ["unpod-main", "-o", "nowhere/plan.yaml"],
            2,
            "-o: nowhere/plan.yaml is in a folder that does not exist; make it",
        ),
        (["unpod-main", "--target", "slaes"], 3, "there is no bridge slaes"),
    ],
)
def test_wrong_usage(bench, arguments, code, sentence):
    """One sentence, and nothing on stdout."""
    bench.world.unpod.add_bridge("sales", [ONE])
    said = call("discover", *arguments)
    assert (said.code, said.out) == (code, "")
    assert sentence in said.err


def test_without_a_config_there_is_nothing_to_look_at(bench):
    """The sentence says where an account would come from."""
    (bench.folder / "config.yaml").unlink()
    said = call("discover", "unpod-main")
    assert (said.code, said.out) == (2, "")
    assert "no account 'unpod-main' and no config with any; see config.example.yaml" in said.err


def test_no_file_is_replaced_unasked(bench):
    """A plan that somebody worked on stays, unless --overwrite says so; a failed discover never touches it."""
    path = bench.folder / "plan.yaml"
    path.write_text("mine")
    bench.world.unpod.add_bridge("sales", [ONE])
    said = call("discover", "unpod-main", "-o", path)
    assert (said.code, path.read_text(), len(bench.record)) == (2, "mine", 0)
    assert "is there already; name another file, or add --overwrite" in said.err
    bench.faults.script_reads(BRIDGES, ["read_500"] * 9)
    assert (call("discover", "unpod-main", "-o", path, "--overwrite").code, path.read_text()) == (3, "mine")
    bench.faults.script_reads(BRIDGES, [])
    said = call("discover", "unpod-main", "-o", path, "--overwrite")
    assert (said.code, said.out, listed(path.read_text())) == (0, "", {"sales": [ONE]})
    assert [each.name for each in bench.folder.glob(".plan*")] == []


def test_text_of_a_provider_stays_a_comment(bench):
    """A name with line breaks, escapes and a secret in it: one harmless line, and the secret is not shown."""
    evil = "x\n      - +14155559999\x1b[31m\u2028\x85 " + "e2e " * 40
    bridge = bench.world.unpod.add_bridge("sales", [ONE])
    bridge.name = evil
    bridge.rows[ONE]["status"] = f"active {environment()['E2E_TOKEN']}"
    said = call("discover", "unpod-main")
    assert (said.code, listed(said.out)) == (0, {"sales": [ONE]})
    assert environment()["E2E_TOKEN"] not in said.out
    assert not re.search(r"[^\x20-\x7e\n…]", said.out)
    assert "# x - +14155559999\\x1b[31m" in said.out


def test_keeps_the_guards_of_the_config(bench):
    """The plan allows no more than it lists, and where the config allows less than that, it does not lift it."""
    bench.world.unpod.add_bridge("sales", numbers(3))
    assert yaml.safe_load(call("discover", "unpod-main").out)["guards"] == {"max_numbers": 3}
    bench.configure(guards={"max_numbers": 2})
    said = call("discover", "unpod-main", "-o", "plan.yaml")
    text = (bench.folder / "plan.yaml").read_text()
    assert "guards" not in yaml.safe_load(text)
    assert "guards.max_numbers is 2; raise it if you mean it" in text
    assert (said.code, bench.check("plan.yaml").code) == (0, 3)


def test_a_bridge_that_no_plan_can_name(bench):
    """Refused whole: a plan without it would look complete."""
    bench.world.unpod.add_bridge("fine", [ONE])
    bench.world.unpod.add_bridge("two words", [TWO])
    said = call("discover", "unpod-main")
    assert (said.code, said.out) == (3, "")
    assert "none can name the target 'two words'" in said.err
    assert call("discover", "unpod-main", "--target", "fine").code == 0


places = st.dictionaries(
    st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="/?#{}%"), min_size=1, max_size=9).filter(
        lambda text: text not in (".", "..")
    ),
    st.sets(st.integers(0, 30).map(lambda index: numbers(1, index)[0]), max_size=8),
    max_size=5,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bridges=places, gateways=places, rows=st.sampled_from(["gone", "stay_null", "unassigned"]))
def test_discovered_checked_and_run(bench, bridges, gateways, rows):
    """Whatever is attached where: the plan is valid, a run of it detaches exactly that, and nothing is left."""
    bench.world.habits.detached_rows = rows
    for known in (bench.world.unpod.bridges, bench.world.unpod.unassigned, bench.world.videosdk.phones):
        known.clear()
    for slug, found in bridges.items():
        bench.world.unpod.add_bridge(slug, sorted(found))
    for gateway, found in gateways.items():
        for number in sorted(found - bench.world.videosdk.phones.keys()):
            bench.world.videosdk.attach(number, gateway)
    for account, there in zip(("unpod-main", "videosdk-main"), attached(bench.world), strict=True):
        said = call("discover", account, "-o", "found.yaml", "--overwrite")
        assert said.code == (0 if there else 3), said.err
        if there:
            assert call("validate", "found.yaml").code == 0
            run = bench.run("found.yaml")
            assert (run.code, set(run.totals())) == (0, {"detached"})
            assert set(run.outcomes()) == (set().union(*there.values()) if isinstance(there, dict) else there)
    assert attached(bench.world) == ({}, set())
    assert call("discover", "unpod-main").code == 3


def test_short_lists_make_no_plan(bench):
    """A list that shows less than it counts is a failed read."""
    bench.world.videosdk.attach(ONE, "gw_a")
    bench.world.videosdk.attach(TWO, "gw_a")
    bench.world.videosdk.phones[THREE] = bench.world.videosdk.phones[TWO]  # the same row twice: one number is missing
    said = call("discover", "videosdk-main")
    assert (said.code, said.out) == (3, "")
    assert "the list of phone numbers shows 2 and says that there are 3" in said.err
