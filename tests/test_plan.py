"""Plans: what a good one says, and how its parts come together."""

import gc
import hashlib
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
import yaml

from runner import plan
from runner.errors import InputError
from runner.policy import Batch, Guards, Window

ACCOUNTS = {"unpod-main": "unpod", "videosdk-main": "videosdk"}
WHOLE = """\
version: 1
name: sales-eu-decommission
description: Retire the EU sales bridges
metadata: {ticket: 20417, owner: {team: voice-platform, on: [call, NO]}}
window: {not_before: 2026-11-22T01:00:00+01:00, not_after: 2026-11-22T05:00:00+01:00}
guards:
  max_numbers: 500
  max_percent: 50
  min_remaining: 2
  protect: ["+14155550100", +4420*]
  batches: [1, 5, 20%]
  stop_after_failures: 20
  stop_after_failure_ratio: 0.1
  on_drift: skip
teardown:
  - account: unpod-main
    bridge: sales-bridge-001
    note: all of sales
    numbers:
      - +14155550101
      - number: +14155550102
        note: switchboard
  - account: unpod-main
    bridge: support-bridge
    numbers_from: numbers/support.csv
    if_missing: ok
  - account: videosdk-main
    gateway: gw_7f3a
    numbers: [+14155550103]
  - account: unpod-main
    bridge: old-bridge
    numbers: all
    reattach: {provider_config_id: 42}
"""
SHORT = "version: 1\nname: x\nteardown:\n"
ONE = SHORT + "  - {account: unpod-main, bridge: b, numbers: [+14155550101]}\n"


@pytest.fixture
def write(tmp_path):
    """A function that writes a file and returns its path."""

    def put(text, name="plan.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
        return path

    return put


def refused(path, *args, **kwargs):
    """The problems of the plan at ``path``, without its folder."""
    with pytest.raises(InputError) as caught:
        plan.load(path, *args, **kwargs)
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def test_a_whole_plan_is_read(write):
    """Every key of the grammar arrives where it belongs."""
    csv = 'Name,Number,note\r\nA,+14155550105,"x, y"\r\n\r\nB, +14155550106 ,\r\n'
    path, file = write(WHOLE), write(csv, "numbers/support.csv")
    read = plan.load(path, ACCOUNTS)
    zone = datetime(2026, 11, 22, tzinfo=UTC)
    assert read.name == "sales-eu-decommission"
    assert read.description == "Retire the EU sales bridges"
    assert read.metadata == {"ticket": "20417", "owner": {"team": "voice-platform", "on": ["call", "NO"]}}
    assert read.path == str(path)
    assert read.text == WHOLE
    assert read.sha256 == hashlib.sha256(WHOLE.encode() + hashlib.sha256(file.read_bytes()).digest()).hexdigest()
    assert read.window == Window(zone, zone + timedelta(hours=4))
    ramp = (Batch(1), Batch(5), Batch(20, percent=True))
    assert read.guards == Guards(500, 50.0, 2, ("+14155550100", "+4420*"), ramp, 20, 0.1, "skip")
    assert read.warnings == ()
    assert read.listed == 5
    sales, support, video, old = read.groups
    assert (sales.account, sales.provider, sales.target) == ("unpod-main", "unpod", "sales-bridge-001")
    assert sales.numbers == ("+14155550101", "+14155550102")
    assert sales.notes == {"+14155550102": "switchboard"}
    assert (sales.note, sales.if_missing, sales.place) == ("all of sales", False, f"{path}:16:5")
    assert support.numbers == ("+14155550105", "+14155550106")
    assert support.notes == {"+14155550105": "x, y"}
    assert support.if_missing
    assert (video.provider, video.target) == ("videosdk", "gw_7f3a")
    assert old.numbers is None
    assert old.reattach == {"provider_config_id": 42}


def test_without_files_the_hash_is_the_file_s(write):
    """The hash of a plan without number files is what sha256sum prints."""
    assert plan.load(write(ONE)).sha256 == hashlib.sha256(ONE.encode()).hexdigest()


def test_a_number_moved_between_files_changes_the_hash(write):
    """The same bytes split otherwise over the files are another plan."""
    groups = "".join(f"  - {{account: unpod-main, bridge: {b}, numbers_from: {b}.txt}}\n" for b in "ab")
    path = write(SHORT + groups)
    hashes = set()
    for first, second in (
        ("+14155550101\n", "+14155550102\n+14155550103\n"),
        ("+14155550101\n+14155550102\n", "+14155550103\n"),
    ):
        write(first, "a.txt")
        write(second, "b.txt")
        hashes.add(plan.load(path).sha256)
    assert len(hashes) == 2


def test_what_the_plan_sets_wins_and_protection_adds_up(write):
    """The config's guards are defaults, but a plan cannot lift what the config protects."""
    write("# never\n\n+442079460000\n+4930*\n", "keep.txt")
    path = write(ONE + "guards: {max_numbers: 20000, protect_from: keep.txt}\n")
    read = plan.load(path, default_guards=Guards(max_numbers=5, min_remaining=1, protect=("+14155550100",)))
    assert read.guards == Guards(
        max_numbers=20000, min_remaining=1, protect=("+14155550100", "+442079460000", "+4930*")
    )


def test_a_group_may_name_the_provider_alone(write):
    """`provider` means the one account of it, and without a config the account of that name."""
    path = write(SHORT + "  - {provider: unpod, bridge: b, numbers: [+14155550101]}\n")
    assert plan.load(path, ACCOUNTS).groups[0].account == "unpod-main"
    assert (plan.load(path).groups[0].account, plan.load(path).warnings) == ("unpod", ())
    assert refused(path, {"a": "unpod", "b": "unpod"}) == [
        "plan.yaml:4:16: the config has the accounts a, b at unpod; write `account` to say which"
    ]
    assert refused(path, {}) == ["plan.yaml:4:16: the config has no account at unpod; add one"]


def test_account_and_provider_may_agree(write):
    """Both may be given as long as they say the same."""
    path = write(SHORT + "  - {account: unpod-main, provider: unpod, bridge: b, numbers: [+14155550101]}\n")
    assert plan.load(path, ACCOUNTS).groups[0].provider == "unpod"
    [problem] = refused(path, {"unpod-main": "videosdk"})
    assert problem == "plan.yaml:4:37: the account 'unpod-main' is at videosdk; correct one of the two"


def test_an_unknown_account_is_a_warning_only_without_a_config(write):
    """Without a config the kind of target tells the provider, with one warning for each account."""
    path = write(
        SHORT
        + "  - {account: u, bridge: b, numbers: [+14155550101]}\n"
        + "  - {account: u, bridge: c, numbers: [+14155550101]}\n"
        + "  - {account: v, numbers: [+14155550101]}\n"
    )
    read = plan.load(path)
    assert [group.provider for group in read.groups] == ["unpod", "unpod", "videosdk"]
    assert [problem.message for problem in read.warnings] == [
        "there is no config with the account 'u'; it is taken for unpod's",
        "there is no config with the account 'v'; it is taken for videosdk's",
    ]
    assert len(refused(path, ACCOUNTS)) == 3


def test_the_same_number_may_stand_at_two_targets(write):
    """Only a number that stands twice at one target is a duplicate."""
    groups = "".join(f"  - {{account: unpod-main, bridge: {b}, numbers: [+14155550101]}}\n" for b in "ab")
    assert plan.load(write(SHORT + groups)).listed == 2


def test_a_number_stands_once_where_a_detach_takes_it_off_everywhere(write):
    """A VideoSDK detach clears both directions, so that its account has a number to do only once."""
    groups = "".join(f"  - {{account: videosdk-main, gateway: {g}, numbers: [+14155550101]}}\n" for g in ("in", "out"))
    (problem,) = refused(write(SHORT + groups), ACCOUNTS)
    assert "+14155550101 is listed twice at videosdk-main, first at" in problem


def test_doubtful_numbers_are_warned_of(write):
    """A number that its numbering plan does not know is accepted with a warning at its place."""
    read = plan.load(write(SHORT + "  - account: unpod-main\n    bridge: b\n    numbers: [+9990000000]\n"), ACCOUNTS)
    assert [problem.place.rpartition("/")[2] for problem in read.warnings] == ["plan.yaml:6:15"]
    assert "no country code" in read.warnings[0].message


def test_many_doubtful_numbers_are_counted(write):
    """Beyond twenty, doubtful numbers are only counted."""
    numbers = ", ".join(f"+99900000{n:02}" for n in range(25))
    read = plan.load(write(SHORT + f"  - {{account: unpod-main, bridge: b, numbers: [{numbers}]}}\n"), ACCOUNTS)
    assert len(read.warnings) == 21
    assert any(problem.message.startswith("5 more numbers") for problem in read.warnings)


def test_more_numbers_than_the_guard_allows_is_a_warning(write):
    """The guard counts what would be detached, which only the pre-check knows; until then it is a warning."""
    numbers = "numbers: [+14155550101, +14155550102]"
    read = plan.load(
        write(SHORT + f"  - {{account: unpod-main, bridge: b, {numbers}}}\nguards: {{max_numbers: 1}}\n"), ACCOUNTS
    )
    assert [problem.message for problem in read.warnings] == [
        "the plan lists 2 numbers and `max_numbers` is 1; a run refuses to start when more than that would be detached"
    ]


def test_a_whole_account_is_warned_of(write):
    """`all` without a gateway is everything in the account, and says so."""
    read = plan.load(write(SHORT + "  - {account: videosdk-main, numbers: all}\n"), ACCOUNTS)
    assert (read.groups[0].numbers, read.groups[0].target) == (None, None)
    assert [problem.message for problem in read.warnings] == [
        "this takes every number of the whole account 'videosdk-main'"
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_number_files_may_come_from_a_spreadsheet(write, delimiter):
    """A byte order mark, another delimiter and further columns do no harm."""
    rows = [["Owner", "NUMBER", "Note"], ["a", "+14155550101", "x"], ["b", "+14155550102", ""], ["", "", ""]]
    write("\ufeff" + "\r\n".join(delimiter.join(row) for row in rows), "n.csv")
    read = plan.load(write(SHORT + "  - {account: unpod-main, bridge: b, numbers_from: n.csv}\n"))
    assert read.groups[0].numbers == ("+14155550101", "+14155550102")
    assert read.groups[0].notes == {"+14155550101": "x"}


def test_quoted_numbers_and_words_are_read_alike(write):
    """Quotes, anchors and null as text change nothing in what a plan says."""
    text = 'version: "1"\nname: "x"\nteardown:\n  - &g {account: unpod-main, bridge: b, numbers: ["+14155550101"]}\n'
    read = plan.load(write(text + "  - {<<: *g, bridge: c}\n"), ACCOUNTS)
    assert [(group.target, group.numbers) for group in read.groups] == [
        ("b", ("+14155550101",)),
        ("c", ("+14155550101",)),
    ]


def test_the_collector_is_left_as_it_was(write):
    """Reading a plan holds the garbage collector off only while it reads."""
    plan.load(write(ONE))
    assert gc.isenabled()
    gc.disable()
    try:
        plan.load(write(ONE))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_schema_accepts_what_the_reader_accepts():
    """The JSON Schema is valid, takes the whole plan as an editor sees it, and refuses unknown keys."""
    schema = plan.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    whole = yaml.load(WHOLE, Loader=yaml.BaseLoader)  # noqa: S506 - it makes nothing but text
    whole |= {"version": 1, "guards": yaml.safe_load(WHOLE)["guards"]}
    assert list(validator.iter_errors(whole)) == []
    whole["teardown"][0]["numbers"][0] = 14155550101
    assert validator.is_valid(whole)
    assert not validator.is_valid(whole | {"colour": "red"})
    assert not validator.is_valid(whole | {"teardown": []})
    assert not validator.is_valid(whole | {"description": None})


def test_every_key_of_the_schema_is_described():
    """An editor can say of each key what it is for."""
    schema = plan.json_schema()
    models = [schema, *schema["$defs"].values()]
    bare = [name for model in models for name, field in model["properties"].items() if "description" not in field]
    assert bare == []
