"""What a run did over its time, as charts that need no script: what was sent, and how fast it was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from runner.log import stamp
from runner.report.markup import filled, joined, own, some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from runner.goal import Goal
    from runner.records import Pulse, Timeline
    from runner.report.fold import Report

_SLOTS = 150
_CHARTED = 8
"""How many lanes get charts of their own; the table of lanes has all of them."""
_CHART = """<figure>
<figcaption>{title}</figcaption>
<ul class="key">{key}</ul>
<p class="top">{top} {unit}</p>
<svg role="img" aria-label="{title}: {told}" viewBox="0 0 {slots} 100" preserveAspectRatio="none">{marks}</svg>
<p class="times"><span>{start}</span><span>{end} UTC</span></p>
</figure>
"""
_LIMIT = '<path class="limit" d="M0 {:.1f}H{}"/>'


class Series(NamedTuple):
    """One colour of a chart: its class in the style sheet, what it means, and a value a slot."""

    kind: str
    meaning: str
    values: list[float]


class Slots(Struct, frozen=True):
    """What one or more lanes were sent in each slot of a run's time: counts, and latencies in ms."""

    done: list[int]
    throttled: list[int]
    unclear: list[int]
    mean: list[float]
    longest: list[float]

    @classmethod
    def of(cls, pulses: list[Pulse], slots: int) -> Slots:
        """Add up ``pulses``."""
        made = cls([0] * slots, [0] * slots, [0] * slots, [0.0] * slots, [0.0] * slots)
        for pulse in pulses:
            made.done[pulse.slot] += pulse.done
            made.throttled[pulse.slot] += pulse.throttled
            made.unclear[pulse.slot] += pulse.sent - pulse.done - pulse.throttled
            made.mean[pulse.slot] += pulse.total_ms
            made.longest[pulse.slot] = max(made.longest[pulse.slot], pulse.longest_ms)
        for slot, sent in enumerate(made.sent):
            made.mean[slot] /= sent or 1
        return made

    @property
    def sent(self) -> list[int]:
        """How many requests left in each slot."""
        return list(map(sum, zip(self.done, self.throttled, self.unclear, strict=True)))


def charts(report: Report) -> Markup:
    """Return the charts of a run beside each other; nothing where nothing was sent."""
    return some('<div class="charts">\n{}</div>', own("").join(_charts(report)))


def _charts(report: Report) -> Iterator[Markup]:
    """Yield the charts of all lanes together, where there are several, and of each; none when nothing was sent."""
    goal = report.goal
    timeline = report.source.timeline(report.run["id"], _SLOTS)
    sent = {pulse.account for pulse in timeline.pulses}
    lanes = [lane for lane in report.lanes if lane["account"] in sent]
    if len(lanes) > 1:
        yield _requests("All accounts", timeline, Slots.of(timeline.pulses, timeline.slots), 0, goal)
    for lane in lanes[:_CHARTED]:
        pulses = [pulse for pulse in timeline.pulses if pulse.account == lane["account"]]
        slots = Slots.of(pulses, timeline.slots)
        yield _requests(lane["account"], timeline, slots, lane["rate"], goal)
        yield _latency(lane["account"], timeline, slots, goal)


def _requests(name: str, timeline: Timeline, slots: Slots, limit: float, goal: Goal) -> Markup:
    """Chart what was answered how, stacked, and the limit where it is near enough to be seen."""
    series = [
        Series(kind, f"{sum(counts):,} {meaning}", [count / timeline.width for count in counts])
        for kind, meaning, counts in (
            ("done", goal.participle, slots.done),
            ("throttled", "throttled", slots.throttled),
            ("unclear", "refused, or without a clear answer", slots.unclear),
        )
    ]
    peak = max(slots.sent) / timeline.width
    near = limit if limit <= 2 * peak else 0
    return _chart(
        f"{name}: {goal.noun} requests a second", timeline, series, top=max(peak, near), unit="/s", limit=near
    )


def _latency(name: str, timeline: Timeline, slots: Slots, goal: Goal) -> Markup:
    """Chart the mean answer and, behind it, the slowest."""
    slowest = max(slots.longest)
    total = sum(mean * sent for mean, sent in zip(slots.mean, slots.sent, strict=True))
    rest = [longest - mean for longest, mean in zip(slots.longest, slots.mean, strict=True)]
    series = [
        Series("mean", f"mean: {_figure(total / sum(slots.sent))} ms over all", slots.mean),
        Series("slowest", f"slowest: {_figure(slowest)} ms", rest),
    ]
    return _chart(f"{name}: latency of {goal.noun} requests", timeline, series, top=slowest, unit="ms")


def _chart(title: str, timeline: Timeline, series: list[Series], *, top: float, unit: str, limit: float = 0) -> Markup:
    meanings = [(each.kind, each.meaning) for each in series if any(each.values)]
    meanings += [("limit", f"limit: {limit:g}{unit}")] if limit else []
    times = (stamp(timeline.start + slots * timeline.width) for slots in (0, timeline.slots))
    start, end = (time[:19].replace("T", " ") for time in times)
    return filled(
        _CHART,
        title=title,
        key=joined('<li class="{}">{}</li>', meanings),
        told=", ".join(meaning for _, meaning in meanings),
        top=_figure(top),
        unit=unit,
        slots=timeline.slots,
        marks=_bars(series, top) + (filled(_LIMIT, 100 - 100 * limit / top, timeline.slots) if limit else own("")),
        start=start,
        end=end,
    )


def _bars(series: list[Series], top: float) -> Markup:
    """Return the bars of all series, one on the other; a slot is 1 wide, and ``top`` is 100 high."""
    paths, floor = own(""), [100.0] * len(series[0].values)
    for each in series:
        heights = [100 * value / top if top else 0.0 for value in each.values]
        bars = "".join(f"M{x} {floor[x]:.1f}v-{high:.1f}h1V{floor[x]:.1f}" for x, high in enumerate(heights) if high)
        paths += filled('<path class="{}" d="{}"/>', each.kind, bars)
        floor = [base - high for base, high in zip(floor, heights, strict=True)]
    return paths


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits tell enough
