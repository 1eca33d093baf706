"""A trace of a run for OpenTelemetry: a span for the run, one for each lane, one for each request.

Everything here wraps what a run has anyway, so that a run without a trace does nothing more for it. Imported only where
the extra ``otel`` is installed, and asked for.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from runner import otlp
from runner.aside import aside
from runner.errors import RequestError
from runner.log import mask, mask_text
from runner.version import VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AsyncExitStack

    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue
    from yarl import URL

    from runner.channel import Line
    from runner.lanes import Lane
    from runner.providers import Attacher, Before, Detacher
    from runner.records import RunRecord
    from runner.report import Report
    from runner.transport import Reply

_PATIENCE = 6.0
_PROPAGATOR = TraceContextTextMapPropagator()

_detaching: ContextVar[tuple[str | None, str] | None] = ContextVar("detaching", default=None)
"""Target and number that this task detaches or puts back at the moment, of several the first."""


@asynccontextmanager
async def tracing(collector: str, record: RunRecord, *, masked: bool, parent: str | None) -> AsyncIterator[Trace]:
    """Yield the trace of a run, which goes to ``collector``.

    ``parent`` is the ``traceparent`` of whoever started the run. Spans that the collector has not taken some seconds
    after the run are lost; see `otlp.complaints`.
    """
    provider = _provider(collector)
    trace = _begin(provider.get_tracer("teardown", VERSION), record, masked=masked, parent=parent)
    try:
        yield trace
    finally:
        trace.span.end()
        with suppress(TimeoutError):
            await aside(provider.shutdown, _PATIENCE)


@dataclass(frozen=True, slots=True)
class Trace:
    """The span of a run, and those below it; with ``masked`` phone numbers are shown as a masked log shows them."""

    tracer: Tracer
    span: Span
    masked: bool

    @property
    def id(self) -> str:
        """The trace's id in hexadecimal digits, as every tool shows it."""
        return f"{self.span.get_span_context().trace_id:032x}"

    def ended(self, report: Report) -> None:
        """Note on the run's span what became of the run."""
        self.span.set_attribute("teardown.status", report.status)
        self.span.set_attribute("teardown.exit_code", report.exit_code or 0)
        self.span.set_attributes({f"teardown.numbers.{name}": count for name, count in report.totals.items()})
        if report.exit_code:
            self.span.set_status(StatusCode.ERROR, report.status)

    def follow(self, stack: AsyncExitStack, lane: Lane) -> None:
        """Trace the requests of ``lane`` until ``stack`` is left."""
        about = {"teardown.account": lane.account, "teardown.provider": lane.spec.name}
        span = self.tracer.start_span("lane", _below(self.span), attributes=about)
        stack.callback(_lane_ended, span, lane)
        channel, make = lane.channel, lane.spec.detacher
        channel.transport = _TracedTransport(channel.transport, self, _below(span), about)
        lane.spec = replace(lane.spec, detacher=lambda http: _TracedDetacher(make(http)))
        if way_back := lane.spec.reattaching:
            attacher = way_back.attacher
            way_back = replace(way_back, attacher=lambda http: _TracedAttacher(attacher(http)))
            lane.spec = replace(lane.spec, reattaching=way_back)

    def text(self, text: str) -> str:
        """Return ``text`` as it may be shown."""
        return mask_text(text) if self.masked else text


def _provider(collector: str) -> TracerProvider:
    provider = TracerProvider(resource=otlp.resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(collector, timeout=otlp.TIMEOUT)))
    return provider


def _begin(tracer: Tracer, record: RunRecord, *, masked: bool, parent: str | None) -> Trace:
    about: dict[str, AttributeValue] = {
        "teardown.run_id": record.id,
        "teardown.plan": record.plan_name,
        "teardown.plan_sha256": record.plan_sha256,
        "teardown.dry_run": record.dry_run,
    }
    context = _PROPAGATOR.extract({"traceparent": parent}) if parent else None
    return Trace(tracer, tracer.start_span("run", context, attributes=about), masked)


def _below(span: Span) -> Context:
    return set_span_in_context(span, Context())


def _lane_ended(span: Span, lane: Lane) -> None:
    tally = lane.channel.tally
    counts = {"requests": tally.requests, "retries": tally.retries, "throttled": tally.throttled}
    span.set_attributes({f"teardown.{name}": count for name, count in counts.items()})
    if lane.stopped:
        span.set_status(StatusCode.ERROR, lane.stopped.message)
    span.end()


class _TracedTransport:
    """A transport that makes a span for each request, and tells the provider which."""

    def __init__(self, transport: Line, trace: Trace, context: Context, about: Mapping[str, str]) -> None:
        self._transport, self._trace, self._context, self._about = transport, trace, context, about

    async def request(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: object = None,
        *,
        connected: Callable[[], None] = lambda: None,
    ) -> Reply:
        """As `Transport.request`."""
        span = self._trace.tracer.start_span(method, self._context, SpanKind.CLIENT, self._attributes(method, url))
        carrier = dict(headers)
        _PROPAGATOR.inject(carrier, _below(span))
        try:
            reply = await self._transport.request(method, url, carrier, body, connected=connected)
        except RequestError as error:
            self._failed(span, error)
            raise
        else:
            span.set_attribute("http.response.status_code", reply.status)
            return reply
        finally:
            span.end()

    def _attributes(self, method: str, url: URL) -> dict[str, AttributeValue]:
        trace, subject = self._trace, _detaching.get()
        attributes: dict[str, AttributeValue] = {
            **self._about,
            "http.request.method": method,
            "url.full": trace.text(str(url)),
            "server.address": url.host or "",
            "server.port": url.port or 0,
        }
        if subject:
            target, number = subject
            attributes["teardown.number"] = mask(number) if trace.masked else number
            attributes |= {"teardown.target": target} if target else {}
        return attributes

    def _failed(self, span: Span, error: RequestError) -> None:
        span.set_attribute("error.type", str(error.status or error.code))
        if error.status:
            span.set_attribute("http.response.status_code", error.status)
        span.set_status(StatusCode.ERROR, self._trace.text(str(error)))


class _TracedDetacher:
    """A detacher whose requests know which number they are about; a look may be shared, and is about many."""

    def __init__(self, detacher: Detacher) -> None:
        self.survey, self.trace, self.look = detacher.survey, detacher.trace, detacher.look
        self._detach = detacher.detach

    async def detach(self, target: str | None, number: str) -> None:
        """As `Detacher.detach`."""
        before = _detaching.set((target, number))
        try:
            await self._detach(target, number)
        finally:
            _detaching.reset(before)


class _TracedAttacher:
    """An attacher whose requests know which number they are about."""

    def __init__(self, attacher: Attacher) -> None:
        self._attach = attacher.attach

    async def attach(self, numbers: Sequence[str], before: Before) -> int:
        """As `Attacher.attach`."""
        known = _detaching.set((before.get("bridge"), numbers[0]))
        try:
            return await self._attach(numbers, before)
        finally:
            _detaching.reset(known)
