"""Figures for an OpenTelemetry collector: the same instruments, sent as they stand."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from runner import otlp
from runner.metrics.facts import BOUNDS, Spread
from runner.version import VERSION

if TYPE_CHECKING:
    from runner.metrics.facts import Family, Figures, Labels

_CUMULATIVE = AggregationTemporality.CUMULATIVE


def send(figures: Figures, endpoint: str) -> None:
    """Send all figures to ``endpoint``; OpenTelemetry's own logger says what went wrong, see `otlp.complaints`."""
    metrics = [_metric(family, figures) for family in figures.families if family.series]
    scope = ScopeMetrics(InstrumentationScope("teardown", VERSION), metrics, "")
    _exporter(endpoint).export(MetricsData([ResourceMetrics(otlp.resource(), [scope], "")]))


@lru_cache(maxsize=1)
def _exporter(endpoint: str) -> OTLPMetricExporter:
    return OTLPMetricExporter(endpoint, timeout=otlp.TIMEOUT)


def _metric(family: Family, figures: Figures) -> Metric:
    spreads = [_spread(labels, value, figures) for labels, value in family.series if isinstance(value, Spread)]
    values = [_value(labels, value, figures) for labels, value in family.series if not isinstance(value, Spread)]
    data: Sum | Gauge | Histogram
    match family.kind:
        case "gauge":
            data = Gauge(values)
        case "counter":
            data = Sum(values, _CUMULATIVE, is_monotonic=True)
        case "histogram":
            data = Histogram(spreads, _CUMULATIVE)
    return Metric(family.name, family.help, family.unit, data)


def _value(labels: Labels, value: float, figures: Figures) -> NumberDataPoint:
    return NumberDataPoint(labels, _ns(figures.started_at), _ns(figures.at), value)


def _spread(labels: Labels, spread: Spread, figures: Figures) -> HistogramDataPoint:
    return HistogramDataPoint(
        labels,
        _ns(figures.started_at),
        _ns(figures.at),
        count=sum(spread.counts),
        sum=spread.total,
        bucket_counts=spread.counts,
        explicit_bounds=BOUNDS,
        min=spread.low,
        max=spread.high,
    )


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
