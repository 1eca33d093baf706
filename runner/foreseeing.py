"""From what a pre-check found to a preview: sums by target, estimates by lane, and what forbids the run."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from runner.model import State
from runner.preview import LanePreview, Preview, TargetPreview

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runner.begin import Rules
    from runner.goal import Goal
    from runner.history import Tab, Target
    from runner.lanes import Lane
    from runner.policy import Guards
    from runner.precheck import Findings

_NOWHERE: Mapping[int, str] = {}
_NONE: Mapping[tuple[str, str | None], int] = {}


def foresee(
    plan: str,
    lanes: Mapping[Lane, list[Target]],
    tabs: Iterable[Tab],
    findings: Mapping[str, Findings],
    rules: Rules,
    *,
    goal: Goal,
    objections: Iterable[str] = (),
    moves_to: Mapping[int, str],
    verify: bool,
    now: float,
) -> Preview:
    """Return what a run of ``plan`` would do, from what each lane's pre-check found; ``now`` is since the epoch.

    ``objections`` are what a saved check has against it; ``moves_to`` says where the numbers of a target are moved to,
    by its number.
    """
    every = [each for group in lanes.values() for each in group]
    lacking = {(name, target): count for name, found in findings.items() for target, count in found.lacking.items()}
    targets = preview_targets(
        every, tabs, census(findings), goal, moves_to=moves_to, lacking=lacking, without_place=adrift(findings)
    )
    counts = {lane: sum(each.to_send for each in targets if each.account == lane.account) for lane in lanes}
    ahead = tuple(
        preview_lane(lane, count, findings[lane.account], goal, verify=verify, now=now)
        for lane, count in counts.items()
    )
    drift = sum((found.drift for found in findings.values()), Counter[str]())
    blocks = [f"{name}: {text}" for name, found in findings.items() for text in found.blocks]
    warnings = [f"{name}: {text}" for name, found in findings.items() for text in found.warnings]
    blocks += objections
    blocks += guarded(rules.guards, targets, goal)
    blocks += filter(None, [rules.window.refuses(datetime.fromtimestamp(now, UTC))])
    warnings += filter(None, [lane.expiry_warning() for lane in ahead])
    batches = len(rules.guards.ramp(sum(counts.values())))
    return Preview(plan, batches, targets, ahead, tuple(blocks), tuple(warnings), drift, goal)


def census(findings: Mapping[str, Findings]) -> dict[tuple[str, str | None], int]:
    """Return how many numbers are attached in all, by account and target, where that was counted."""
    return {(name, target): count for name, found in findings.items() for target, count in found.census.items()}


def adrift(findings: Mapping[str, Findings]) -> dict[tuple[str, str | None], int]:
    """Return how many numbers an earlier process left attached to nothing, by account and target."""
    return {(name, target): count for name, found in findings.items() for target, count in found.adrift.items()}


def preview_targets(
    targets: Iterable[Target],
    tabs: Iterable[Tab],
    counted: Mapping[tuple[str, str | None], int],
    goal: Goal,
    *,
    moves_to: Mapping[int, str] = _NOWHERE,
    lacking: Mapping[tuple[str, str | None], int] = _NONE,
    without_place: Mapping[tuple[str, str | None], int] = _NONE,
) -> tuple[TargetPreview, ...]:
    """Return one preview per account and target, groups of the same target added up, in plan order."""
    places = {target.no: (target.account, target.target) for target in targets}
    sums: dict[tuple[str, str | None], Counter[str]] = {place: Counter() for place in places.values()}
    destinations: defaultdict[tuple[str, str | None], dict[str, None]] = defaultdict(dict)
    for no, at in places.items():
        if no in moves_to:
            destinations[at][moves_to[no]] = None
    for tab in tabs:
        key = "to_send" if tab.seen else (tab.reason if tab.state is State.SKIPPED else str(tab.state))
        sums[places[tab.target]][key or ""] += tab.count
    return tuple(
        TargetPreview(
            *place,
            to_send=counts["to_send"],
            already=counts[goal.already],
            protected=counts["protected"],
            elsewhere=counts["attached_elsewhere"] + counts["not_attached"],
            excluded=counts["excluded"],
            in_call=counts["in_call"],
            attached=counted.get(place),
            goal=goal,
            moved_to=tuple(destinations[place]),
            lacking=lacking.get(place, 0),
            unsettled=counts[State.PLANNED] - lacking.get(place, 0),
            adrift=without_place.get(place, 0),
        )
        for place, counts in sums.items()
    )


def preview_lane(lane: Lane, to_send: int, found: Findings, goal: Goal, *, verify: bool, now: float) -> LanePreview:
    """Return the estimate of a lane: its looks so far stand for those of the verification."""
    looks = lane.channel.tally.requests
    ahead = to_send * goal.requests + (looks - found.once if verify and to_send else 0)
    pacer = lane.channel.pacer
    rate, ends = pacer.rate.per_second, lane.channel.token.expires_at
    left, reversals = None if ends is None else ends - now, dict(found.reversals)
    return LanePreview(
        lane.account, to_send, looks + ahead, ahead / rate, rate, pacer.adaptive, left, reversals, found.calls
    )


def guarded(guards: Guards, targets: Iterable[TargetPreview], goal: Goal) -> list[str]:
    """Return why the guards forbid a run that would do what ``targets`` say."""
    targets = list(targets)
    total = sum(target.leaving for target in targets)
    refusals = []
    if total > guards.max_numbers:
        refusals.append(f"{total} numbers would be {goal.participle}, and guards.max_numbers is {guards.max_numbers}")
    for target in targets:
        if guards.needs_census and target.attached is not None:
            refusals += filter(None, [guards.refuse(target.place, target.leaving, target.attached)])
    return refusals
