"""Rates, patience, guards and windows: the arithmetic that a run goes by."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.policy import AUTO, Batch, Guards, Rate, RetryPolicy, Window, parse_duration, parse_rate

DOC = (Path(__file__).parents[1] / "docs" / "guards.md").read_text(encoding="utf-8")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

# -- durations and rates


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("15m", 900),
        ("2h", 7200),
        ("1d", 86_400),
        ("45", 45),
        (" 1.5 h ", 5400),
        ("0s", 0),
    ],
)
def test_durations_are_read_in_seconds(text, seconds):
    """A number and its unit, seconds when there is none."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "5 weeks", "1h30m", "1e3s", ".5s", "5S", "inf"])
def test_what_is_no_duration_is_refused_with_the_mend(text):
    """The sentence shows what was written and how to write it."""
    with pytest.raises(ValueError, match="is not a duration; write it like 500ms, 30s, 15m or 2h"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "rate", "per_second"),
    [
        ("10/s", Rate(10, 1), 10),
        ("300/min", Rate(300, 60), 5),
        ("300 / minute", Rate(300, 60), 5),
        ("30/m", Rate(30, 60), 0.5),
        ("1000/h", Rate(1000, 3600), 1000 / 3600),
        ("2.5/sec", Rate(2.5, 1), 2.5),
        ("7/hour", Rate(7, 3600), 7 / 3600),
    ],
)
def test_rates_are_read(text, rate, per_second):
    """So many in a second, a minute or an hour."""
    assert Rate.parse(text) == rate
    assert rate.per_second == pytest.approx(per_second)


@pytest.mark.parametrize("text", ["", "10", "0/s", "0.0/min", "-1/s", "10/day", "ten/s", "10/s/s", "/s", "10 per s"])
def test_what_is_no_rate_is_refused_with_the_mend(text):
    """Zero is no rate either: nothing would ever leave."""
    with pytest.raises(ValueError, match="is not a rate; write it like 10/s or 300/min, above zero"):
        Rate.parse(text)


def test_auto_stands_for_a_rate():
    """Where a rate may be found, ``auto`` says so; anything else is a rate or refused, with both mends."""
    assert parse_rate(" auto ") == AUTO
    assert parse_rate("5/s") == Rate(5)
    with pytest.raises(ValueError, match="write it like 10/s or 300/min, above zero; or auto"):
        parse_rate("Auto")


# -- retries


@pytest.mark.parametrize(("tries", "seconds"), [(1, 0.5), (2, 1), (3, 2), (6, 16), (7, 30), (8, 30), (10**6, 30)])
def test_backoff_doubles_up_to_its_bound(tries, seconds):
    """The longest wait doubles with every try and never exceeds ``max_delay``."""
    assert RetryPolicy().backoff(tries, 1.0) == seconds


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_backoff_is_spread_over_its_whole_range(tries, roll):
    """Full jitter: any wait from nothing to the longest one."""
    policy = RetryPolicy()
    assert policy.backoff(tries, roll) == pytest.approx(roll * policy.backoff(tries, 1.0))


def test_refusals_and_silence_have_their_own_patience():
    """Two refusals are enough, one where only one attempt is allowed; silence is borne for all tries together."""
    assert [RetryPolicy(max_attempts=each).max_refusals for each in (1, 2, 6)] == [1, 2, 2]
    assert RetryPolicy(max_attempts=4, max_delay=10).patience == 40


# -- windows


def test_a_window_without_sides_is_always_open():
    """It opens now and never closes."""
    assert (Window().opens_in(NOON), Window().closes_in(NOON)) == (0, math.inf)


def test_a_window_tells_how_long_it_takes():
    """Seconds until it opens and closes, across time zones; what is past is not awaited."""
    later = NOON.astimezone(tz=datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo) + timedelta(hours=1)
    assert Window(not_before=later).opens_in(NOON) == 3600
    assert Window(not_before=NOON).opens_in(later) == 0
    assert Window(not_after=later).closes_in(NOON) == 3600
    assert Window(not_after=NOON).closes_in(later) == -3600


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (None, None, None),
        (0, 1, None),
        (-1, 1, None),
        (1, 2, "opens at 2026-11-22 13:00:00+00:00; run it then, or with --wait"),
        (-2, -1, "closed at 2026-11-22 11:00:00+00:00; change its not_after"),
        (None, 0, "closed at 2026-11-22 12:00:00+00:00; change its not_after"),
    ],
)
def test_outside_its_window_a_run_does_not_start(before, after, sentence):
    """Before it opens and once it has closed there is a sentence with the mend; its first moment is inside."""
    sides = [None if hours is None else NOON + timedelta(hours=hours) for hours in (before, after)]
    why = Window(*sides).refuses(NOON)
    assert why == (sentence and f"the plan's window {sentence}")


# -- guards


@pytest.mark.parametrize(
    ("share", "detaching", "attached", "allowed"),
    [
        (50, 5, 10, True),
        (50, 6, 10, False),
        (50, 1, 1, False),
        (33.3, 1, 3, False),
        (100, 10, 10, True),
        (0, 0, 10, True),
        (0, 1, 10, False),
        (50, 0, 0, True),
        (50, 1, 0, False),
    ],
)
def test_max_percent_bounds_the_share_of_a_target(share, detaching, attached, allowed):
    """Exactly the share is allowed, more is not; nothing to detach is always allowed."""
    why = Guards(max_percent=share).refuse("sales", detaching, attached)
    assert (why is None) == allowed


@given(st.integers(1, 1000), st.integers(1, 5000))
@example(28, 2750)
def test_max_percent_is_exact(tenths, attached):
    """No rounding lets one number too many through, or stops one too few: 2.8 % of 2750 is 77."""
    guards, most = Guards(max_percent=float(f"{tenths // 10}.{tenths % 10}")), tenths * attached // 1000
    assert guards.refuse("sales", most, attached) is None
    assert guards.refuse("sales", most + 1, attached)


def test_a_refusal_names_the_counts_and_the_guard():
    """The sentence says what would happen, where, and which rule forbids it."""
    assert (
        Guards(max_percent=50).refuse("sales", 6, 10)
        == "6 of 10 numbers at sales would be detached, and guards.max_percent is 50"
    )
    assert (
        Guards(min_remaining=5).refuse("sales", 6, 10)
        == "4 of 10 numbers at sales would remain, and guards.min_remaining is 5"
    )


@pytest.mark.parametrize(("detaching", "allowed"), [(0, True), (7, True), (8, False), (10, False)])
def test_min_remaining_keeps_some(detaching, allowed):
    """A target keeps at least so many; one that has fewer already may be left alone."""
    assert (Guards(min_remaining=3).refuse("sales", detaching, 10) is None) == allowed
    assert Guards(min_remaining=3).refuse("sales", 0, 1) is None


@pytest.mark.parametrize(
    ("guards", "needed"),
    [
        (Guards(), False),
        (Guards(max_percent=99.9), True),
        (Guards(min_remaining=1), True),
        (Guards(max_numbers=1), False),
    ],
)
def test_targets_are_counted_only_when_a_guard_needs_it(guards, needed):
    """A census costs requests: only a share or a remainder asks for one."""
    assert guards.needs_census is needed


@pytest.mark.parametrize(("failures", "tripped"), [(0, False), (19, False), (20, True), (21, True)])
def test_stop_after_failures_counts_up_to_and_including(failures, tripped):
    """The run stops with the twentieth failure, not after it."""
    why = Guards(stop_after_failures=20).tripped_by(failures, 1000)
    assert (why is not None) == tripped
    assert not tripped or why == f"{failures} items have failed, and guards.stop_after_failures is 20"


@pytest.mark.parametrize(
    ("failures", "finished", "tripped"),
    [(2, 19, False), (19, 19, False), (2, 20, True), (1, 20, False), (9, 100, False), (10, 100, True)],
)
def test_the_ratio_counts_from_twenty_finished_items_on(failures, finished, tripped):
    """A tenth is enough, but not among the first nineteen."""
    assert (Guards(stop_after_failure_ratio=0.1).tripped_by(failures, finished) is not None) == tripped


@given(st.integers(1, 99), st.integers(20, 1000))
@example(7, 100)
def test_the_ratio_is_exact(per_cent, finished):
    """No rounding moves the item at which the run stops: 7 of 100 is 0.07."""
    guards, first = Guards(stop_after_failure_ratio=float(f"0.{per_cent:02}")), -(-per_cent * finished // 100)
    assert guards.tripped_by(first, finished)
    assert guards.tripped_by(first - 1, finished) is None


def test_the_ratio_names_the_counts():
    """The sentence says how many of how many."""
    why = Guards(stop_after_failure_ratio=0.1).tripped_by(3, 30)
    assert why == "3 of 30 items have failed, and guards.stop_after_failure_ratio is 0.1"


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_guards_that_are_not_set_do_nothing(failures, finished):
    """Without a limit no number of failures stops a run."""
    assert Guards().tripped_by(failures, finished) is None


# -- ramps


@pytest.mark.parametrize(
    ("text", "batch"), [("5", Batch(5)), (" 20% ", Batch(20, percent=True)), ("100%", Batch(100, percent=True))]
)
def test_batches_are_read(text, batch):
    """A number of items, or a share of them."""
    assert Batch.parse(text) == batch


@pytest.mark.parametrize("text", ["", "0", "0%", "101%", "-1", "5.5", "20 %", "%", "all"])
def test_what_is_no_batch_is_refused_with_the_mend(text):
    """Nothing, more than everything, and half an item are no batches."""
    with pytest.raises(ValueError, match="is not a batch; write a number of items like 5, or a share like 20%"):
        Batch.parse(text)


@pytest.mark.parametrize(
    ("texts", "total", "sizes"),
    [
        (["1", "5", "20%"], 26, [1, 5, 5, 5, 5, 5]),
        (["1", "5", "20%"], 4, [1, 3]),
        (["20%"], 3, [1, 1, 1]),
        (["33%"], 10, [3, 3, 3, 1]),
        (["100%"], 7, [7]),
        (["10"], 7, [7]),
        ([], 7, [7]),
        (["1"], 0, []),
        ([], 0, []),
    ],
)
def test_a_ramp_repeats_its_last_step(texts, total, sizes):
    """One, then five, then fifths, and the last batch is what is left; without batches all is one."""
    assert Guards(batches=tuple(map(Batch.parse, texts))).ramp(total) == sizes


BATCHES = st.lists(st.builds(Batch, st.integers(1, 100), st.booleans()), max_size=5).map(tuple)


@given(BATCHES, st.integers(0, 500))
def test_a_ramp_covers_everything_once(batches, total):
    """However it is ramped, every item is in exactly one batch, and no batch is empty."""
    sizes = Guards(batches=batches).ramp(total)
    assert sum(sizes) == total
    assert all(size > 0 for size in sizes)


# -- what the documents say of it


def told(first):
    """Give the rows of the table in docs/guards.md whose first column has that head."""
    lines = DOC.split(f"| {first} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("row", told("`max_percent` | `min_remaining`"))
def test_the_documented_refusals(row):
    """Each example of docs/guards.md goes or is refused as it says there."""
    percent, remaining, sending, attached, verdict = row
    guards = Guards(max_percent=float(percent), min_remaining=int(remaining))
    refused = guards.refuse("unpod-main/sales", int(sending), int(attached))
    assert bool(refused) is {"goes": False, "refused": True}[verdict]


@pytest.mark.parametrize("row", told("`stop_after_failures` | `stop_after_failure_ratio`"))
def test_the_documented_stops(row):
    """Each example of docs/guards.md goes on or stops as it says there."""
    failures, ratio, failed, finished, verdict = row
    guards = Guards(
        stop_after_failures=int(failures) if failures else None,
        stop_after_failure_ratio=float(ratio) if ratio else None,
    )
    assert bool(guards.tripped_by(int(failed), int(finished))) is {"goes on": False, "stops": True}[verdict]


@pytest.mark.parametrize("row", told("`batches`"))
def test_the_documented_ramps(row):
    """Each example of docs/guards.md is cut as it says there."""
    batches, total, sizes = row
    guards = Guards(batches=tuple(map(Batch.parse, batches.split(", "))))
    assert guards.ramp(int(total)) == [int(size) for size in sizes.split(", ")]
