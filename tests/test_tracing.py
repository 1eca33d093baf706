"""Traces: what a collector gets of a run, what a provider is told, and that a run does not depend on either."""

import logging
import re

import pytest
from observers import NOWHERE, NUMBERS, attributes, collecting, lab, until
from opentelemetry.trace import INVALID_SPAN

from runner import Front, Options, otlp
from runner.config import LogSettings, TracingSettings
from runner.tracing import Trace


@pytest.fixture
async def bench(tmp_path):
    """A sandbox with numbers attached."""
    async with lab(tmp_path) as made:
        yield made


@pytest.fixture
async def collector():
    """A collector that decodes what it is sent."""
    async with collecting() as made:
        yield made


async def traced(bench, collector, **options):
    return await bench.run(tracing=TracingSettings(collector.url), **options)


async def test_a_span_for_run_lane_and_request(bench, collector):
    """Requests are below their lane, lanes below their run, and each says what it is about."""
    report = await traced(bench, collector)
    [run], [lane], requests = collector.named("run"), collector.named("lane"), collector.named("GET", "POST")
    assert len(requests) == report.lanes[0]["requests"] == len(bench.headers)
    assert {span.trace_id for span in collector.spans} == {run.trace_id}
    assert (run.parent_span_id, lane.parent_span_id) == (b"", run.span_id)
    assert {span.parent_span_id for span in requests} == {lane.span_id}
    told = attributes(run.attributes)
    assert (told["teardown.plan"], told["teardown.run_id"]) == ("night/shift", report.run["id"])
    assert (told["teardown.exit_code"], told["teardown.numbers.detached"]) == (0, len(NUMBERS))
    assert attributes(lane.attributes)["teardown.requests"] == len(requests)
    assert collector.resource["service.name"] == "teardown"
    assert run.trace_id.hex() in bench.log(report)


async def test_a_rollback_is_traced_as_well(bench, collector):
    """Its requests know the number and the target that they put back."""
    report = await bench.run()
    await bench.roll_back(report, tracing=TracingSettings(collector.url))
    told = [attributes(span.attributes) for span in collector.named("POST")]
    assert sorted(each["teardown.number"] for each in told) == sorted(NUMBERS)
    assert {each["teardown.target"] for each in told} == {"sales"}
    assert {each["url.full"].rsplit("/", 2)[1] for each in told} == {"connect-provider"}


async def test_requests_follow_the_conventions(bench, collector):
    """A request is a client span with the attributes that OpenTelemetry names, and with its number."""
    bench.faults.script(NUMBERS[0], ["http_500_after"])
    await traced(bench, collector)
    assert not any("teardown.number" in attributes(span.attributes) for span in collector.named("GET"))
    posts = [(attributes(span.attributes), span) for span in collector.named("POST")]
    assert sorted(told["teardown.number"] for told, _ in posts) == sorted(NUMBERS)
    for told, span in posts:
        good = told["teardown.number"] != NUMBERS[0]
        assert span.kind == span.SPAN_KIND_CLIENT
        assert told["url.full"] == f"{bench.url}/api/v2/platform/telephony/bridges/sales/disconnect-provider/"
        assert (told["http.request.method"], told["server.address"]) == ("POST", "127.0.0.1")
        assert told["server.port"] == int(bench.url.rpartition(":")[2])
        assert told["http.response.status_code"] == (200 if good else 500)
        assert (told.get("error.type"), span.status.code) == ((None, 0) if good else ("500", 2))


async def test_the_provider_is_told_which_span_asks(bench, collector):
    """Each request has a traceparent that names its own span and trace."""
    await traced(bench, collector)
    told = [header["traceparent"].rpartition("-") for header in bench.headers]
    spans = collector.named("GET", "POST")
    assert sorted(ids for ids, _, _ in told) == sorted(
        f"00-{each.trace_id.hex()}-{each.span_id.hex()}" for each in spans
    )
    assert all(int(flags, 16) & 1 for _, _, flags in told), "or the provider would not sample"


async def test_without_a_collector_nothing_is_sent_along(bench):
    """No traceparent where nobody collects."""
    await bench.run()
    assert bench.headers
    assert not any("traceparent" in headers for headers in bench.headers)


@pytest.mark.parametrize("masked", [True, False])
async def test_numbers_are_masked_as_in_logs(bench, collector, masked):
    """With masked logs no span holds a whole number, wherever it could stand; else its attribute does."""
    bench.faults.script(NUMBERS[0], ["http_400_after"])
    await traced(bench, collector, log=LogSettings(numbers="masked" if masked else "full"))
    text = "".join(map(str, collector.spans))
    assert bool(re.search(r"\+1415555\d{4}", text)) is not masked
    assert len(collector.named("POST")) >= len(NUMBERS)


@pytest.mark.parametrize(("masked", "shown"), [(True, "no +1415•••••01 here"), (False, "no +14155550101 here")])
def test_sentences_of_a_provider_are_masked_too(masked, shown):
    """A number may stand in an error or an address as well."""
    trace = Trace(INVALID_SPAN, INVALID_SPAN, masked=masked)
    assert trace.text("no +14155550101 here") == shown


async def test_a_complaint_is_told_once():
    """OpenTelemetry repeats itself with other numbers; the log gets each sentence once, by what it is about."""
    told, logger = [], logging.getLogger("opentelemetry.exporter.some.metric_exporter")
    with otlp.complaints(lambda *words: told.append(words)):
        for wait in (1, 2):
            logger.warning("retrying in %s s", wait)
        logging.getLogger("opentelemetry.sdk.trace").warning("queue full")
        await until(lambda: len(told) > 1)
    assert told == [("metrics", "retrying in 1 s"), ("tracing", "queue full")]


async def test_whoever_started_the_run_may_be_above_it(bench, collector):
    """The TRACEPARENT of a scheduler becomes the parent of the run's span."""
    trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    await traced(bench, collector, front=Front(environ={"TRACEPARENT": f"00-{trace}-{span}-01"}))
    [run] = collector.named("run")
    assert (run.trace_id.hex(), run.parent_span_id.hex()) == (trace, span)


@pytest.mark.parametrize(
    ("more", "traces", "metrics"),
    [
        ({}, True, True),
        ({"OTEL_TRACES_EXPORTER": "none"}, False, True),
        ({"OTEL_METRICS_EXPORTER": "none"}, True, False),
        ({"OTEL_SDK_DISABLED": "true"}, False, False),
    ],
)
async def test_the_variables_of_opentelemetry_count_as_well(bench, collector, more, traces, metrics):
    """Without a config an endpoint in the environment turns on both, unless its siblings say otherwise."""
    await bench.run(front=Front(environ={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url} | more))
    assert (bool(collector.spans), bool(collector.metrics)) == (traces, metrics)


async def test_a_dry_run_is_traced_and_a_rehearsal_is_not(bench, collector):
    """A check asks the provider; a rehearsal asks nobody."""
    await traced(bench, collector, options=Options(dry_run=True))
    assert [attributes(span.attributes)["teardown.dry_run"] for span in collector.named("run")] == [True]
    await traced(bench, collector, options=Options(sandbox=True))
    assert len(collector.named("run")) == 1


async def test_a_dead_collector_changes_nothing(bench):
    """The report is the same, and the log says once that the trace is lost."""
    report = await bench.run(tracing=TracingSettings(NOWHERE))
    assert (report.exit_code, report.totals["detached"]) == (0, len(NUMBERS))
    assert 1 <= bench.log(report).count("tracing.failed") <= 3


async def test_a_failed_run_is_an_error(bench, collector):
    """The run's span has the exit code, and the status of an error."""
    bench.faults.script(NUMBERS[0], ["business_206"] * 9)
    report = await traced(bench, collector)
    [run] = collector.named("run")
    assert (report.exit_code, attributes(run.attributes)["teardown.exit_code"], run.status.code) == (4, 4, 2)
    assert run.status.message == "failed"
