"""Figures for Prometheus: a file for node_exporter's textfile collector, and a Pushgateway."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, push_to_gateway, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from runner.metrics.facts import BOUNDS, Spread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prometheus_client.core import Metric

    from runner.metrics.facts import Family, Figures

TIMEOUT = 4.0
"""Seconds that a Pushgateway may take for each step of a push."""

_NO_FILE_NAME = re.compile(r"[^\w.-]+")


def write(figures: Figures, path: Path) -> None:
    """Write the file whole or not at all, ``{plan}`` in its name replaced; OSError when it cannot be written."""
    plan = _NO_FILE_NAME.sub("_", figures.plan)
    path = path.with_name(path.name.replace("{plan}", plan))
    try:
        write_to_textfile(str(path), _registry(figures))
    except OSError as error:  # which names a file for the moment, and each time another
        raise OSError(f"{path} cannot be written ({error.strerror})") from error


def push(figures: Figures, address: str, job: str) -> None:
    """Replace what the Pushgateway holds of the plan; OSError when it does not take it."""
    try:
        push_to_gateway(address, job, _registry(figures), {"plan": figures.plan}, timeout=TIMEOUT)
    except OSError as error:
        raise OSError(f"the Pushgateway at {address} does not take them ({error})") from error


def _registry(figures: Figures) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(_Figures(figures))
    return registry


@dataclass(eq=False, slots=True)
class _Figures(Collector):
    figures: Figures

    def collect(self) -> Iterator[Metric]:
        return (_metric(family) for family in self.figures.families if family.series)


def _metric(family: Family) -> Metric:
    name, labels = metric_name(family), list(family.series[0][0])
    match family.kind:
        case "gauge":
            gauge = GaugeMetricFamily(name, family.help, labels=labels)
            return _fill(gauge, family)
        case "counter":
            return _fill(CounterMetricFamily(name, family.help, labels=labels), family)
        case "histogram":
            histogram = HistogramMetricFamily(name, family.help, labels=labels)
            for each, spread in family.series:
                if isinstance(spread, Spread):
                    histogram.add_metric(list(each.values()), _cumulative(spread), spread.total)
            return histogram


def _fill(metric: GaugeMetricFamily | CounterMetricFamily, family: Family) -> Metric:
    for labels, value in family.series:
        if not isinstance(value, Spread):
            metric.add_metric(list(labels.values()), value)
    return metric


def _cumulative(spread: Spread) -> list[tuple[str, float]]:
    bounds = [*map(str, BOUNDS), "+Inf"]
    return list(zip(bounds, map(float, accumulate(spread.counts)), strict=True))


def metric_name(family: Family) -> str:
    """Return the name by Prometheus's conventions, without the ``_total`` of a counter."""
    return family.name.replace(".", "_") + {"": "", "s": "_seconds"}[family.unit]
