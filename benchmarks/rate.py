"""Is a rate kept, and used? What the server saw: the most requests in any second, and how long the detaching took."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Answer, Size, ask, spread
from benchmarks.runs import prepared, teardown
from benchmarks.serving import serving
from benchmarks.workload import Workload

if TYPE_CHECKING:
    from collections.abc import Mapping

RATES = {10: 20, 50: 12, 100: 10, 500: 8, 2000: 6}
"""Requests per second, and for how many seconds: the slower, the longer, or the two ends weigh too much."""

_LEAST_SECONDS = 2


def rate(size: Size) -> Answer:
    """Detach at each rate for some seconds; in a busy second every request counts, looks included."""
    rates = [each for each in RATES if _count(each, size) >= _LEAST_SECONDS * each]
    rows = list(map(partial(_row, size=size), rates))
    shown = [{name: value for name, value in row.items() if not name.startswith("_")} for row in rows]
    figures = {f"{row['rate']} {name[1:]}": value for row in rows for name, value in row.items() if name[0] == "_"}
    title = f"A rate, as the server sees it, median of {size.repeats} (least to most)"
    notes = [f"Left out: {each}/s, for which so few numbers say nothing." for each in RATES if each not in rates]
    return Answer("rate", title, shown, figures, notes)


def _count(per_second: int, size: Size) -> int:
    return min(size.of(RATES[per_second] * per_second), RATES[per_second] * per_second)


def _row(per_second: int, size: Size) -> Mapping[str, Any]:
    count = _count(per_second, size)
    seen = []
    for _ in range(size.repeats):
        load = Workload("unpod", count)
        with serving(count) as server, prepared(load, server, rate=f"{per_second}/s") as folder:
            seen.append(teardown(load, server, folder)[1])
    busiest = [float(each["busiest_second"]) for each in seen]
    stretch = [each["detaching_s"] / ((count - 1) / per_second) for each in seen]
    return {
        "rate": f"{per_second}/s",
        "numbers": count,
        "busiest second": spread(busiest, 0),
        "time against N/rate": spread(stretch, 3),
        "_busiest": max(busiest),
        "_stretch": max(stretch),
    }


if __name__ == "__main__":
    ask(rate)
