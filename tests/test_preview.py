"""What is said of a run before it begins: per target, per account, and in all."""

import pytest

from runner.cli.asking import describe
from runner.foreseeing import preview_targets
from runner.goal import MOVE
from runner.history import Tab, Target
from runner.model import State
from runner.preview import LanePreview, Preview, TargetPreview, roughly
from runner.providers import Reversal


def target(name="sales", to_detach=0, attached=None, **others):
    """A target of one account."""
    counts = dict.fromkeys(("already", "protected", "elsewhere", "excluded"), 0) | others
    return TargetPreview("unpod-main", name, to_detach, attached=attached, **counts)


def lane(account, seconds):
    """A lane that detaches a hundred numbers."""
    return LanePreview(account, 100, 110, seconds, 10.0, adaptive=False, token_left=None)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (target(to_detach=3), "to detach"),
        (target(to_detach=1, attached=3), "to detach of 3 attached (33.3 %)"),
        (target(to_detach=9_999, attached=10_000), "to detach of 10000 attached (99.9 %)"),
        (target(to_detach=4, attached=4), "to detach of 4 attached (100 %)"),
        (target(attached=0, already=2), "to detach of 0 attached, 2 already detached"),
        (target(protected=1, elsewhere=2, excluded=3), "to detach, 1 protected, 2 attached elsewhere, 3 excluded"),
    ],
)
def test_the_words_for_a_target(seen, words):
    """A target says its share of what is attached, where that was counted, and what is left alone and why."""
    assert seen.words() == words


def test_the_whole_is_described():
    """First all of it, then every target aligned, then every account with requests and time."""
    seen = Preview(
        "retire",
        1,
        (target("sales", 100, 120, protected=20), target(None, 5)),
        (lane("unpod-main", 11.0), lane("videosdk-main", 300.0), LanePreview("idle", 0, 0, 0.0, 1.0, False, None)),
        (),
        (),
    )
    said = []
    describe(seen, said.append)
    assert said == [
        "retire: 105 of 125 numbers to detach, about 5 min",
        "  unpod-main/sales  100 to detach of 120 attached (83.3 %), 20 protected",
        "  unpod-main          5 to detach",
        "  unpod-main     about 110 requests, about 11 s at 10/s",
        "  videosdk-main  about 110 requests, about 5 min at 10/s",
    ]


def test_many_targets_fit_on_a_screen():
    """Of many targets the first dozen are named, and the rest are added up."""
    said = []
    describe(Preview("retire", 1, tuple(target(f"bridge-{n}", 2) for n in range(40)), (), (), ()), said.append)
    assert len(said) == 14
    assert said[-1] == "  and 28 more targets: 56 to detach"


def test_a_ramp_takes_the_time_of_all_lanes():
    """Lanes work side by side, but not where each step of a ramp has only one of them."""
    lanes = (lane("one", 40.0), lane("two", 60.0))
    assert Preview("retire", 1, (target(to_detach=2),), lanes, (), ()).sentence().endswith("to detach, about 60 s")
    assert Preview("retire", 3, (target(to_detach=2),), lanes, (), ()).sentence().endswith("about 100 s, in 3 batches")


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "about 0 s"), (119, "about 119 s"), (120, "about 2 min"), (7200, "about 2 h")]
)
def test_roughly(seconds, said):
    """A long time is told in the largest unit of which there are two."""
    assert roughly(seconds) == said


def test_what_stands_in_the_way_is_described():
    """Drift stands below the sum, how long a token lasts and what a rollback puts back beside its account."""
    reversals = {Reversal("exact"): 1, Reversal("none", ("provider_config_id",)): 2, Reversal("none", ("region",)): 1}
    busy = LanePreview("unpod-main", 4, 6, 2.0, 3.0, False, 7300.0, reversals)
    drift = {"unknown to the account": 1, "attached elsewhere": 2}
    back = "1 exactly as before, 2 not at all (missing: provider_config_id), 1 not at all (missing: region)"
    said = []
    describe(Preview("retire", 1, (target("sales", 4, elsewhere=2),), (busy,), (), (), drift), said.append)
    assert said == [
        "retire: 4 of 6 numbers to detach, about 2 s",
        "  drift: 3 not as the plan says: 2 attached elsewhere, 1 unknown to the account",
        "  unpod-main/sales  4 to detach, 2 attached elsewhere",
        "  unpod-main  about 6 requests, about 2 s at 3/s; the token lasts about 2 h",
        f"  unpod-main  a rollback puts back {back}",
    ]


@pytest.mark.parametrize(
    ("left", "warning"),
    [
        (12.0, None),
        (11.0, None),
        (10.9, "unpod-main: the token ends in 11 s, and the run needs about 11 s; get one that lasts longer"),
        (0.0, "unpod-main: the token has already ended, and the run needs about 11 s; get one that lasts longer"),
    ],
)
def test_a_token_that_ends_too_early(left, warning):
    """It is warned of when it ends before the run is expected to."""
    assert LanePreview("unpod-main", 100, 110, 11.0, 10.0, False, left).expiry_warning() == warning


class Name(str):
    """A target's name that counts how often it is compared."""

    compared = 0
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        Name.compared += 1
        return str.__eq__(self, other)


def test_many_targets_are_summed_up_in_one_pass():
    """Each has its own counts and destinations, whatever their number: none is compared with all others."""
    groups = [Target(no, "main", "unpod", Name(f"b{no // 2}"), False, False) for no in range(400)]
    tabs = [Tab(no, State.PLANNED, True, None, 3) for no in range(400)]
    Name.compared = 0
    seen = preview_targets(groups, tabs, {}, MOVE, moves_to={0: "x", 1: "y", 2: "x", 3: "x"})
    assert [each.moved_to for each in seen[:3]] == [("x", "y"), ("x",), ()]
    assert [each.to_send for each in seen] == [6] * 200
    assert Name.compared < 4 * len(groups)
