"""Figures of a run: what Prometheus and OpenTelemetry get, that it equals the report, and that no run depends on it."""

import io
import json
import shutil
import socket
import subprocess
import urllib.request
from contextlib import closing, contextmanager

import pytest
from observers import NOWHERE, NUMBERS, attributes, collecting, lab, until
from prometheus_client.parser import text_string_to_metric_families

from runner import Front, Options
from runner.config import MetricsSettings
from runner.metrics.facts import BOUNDS, Spread
from runner.progress import NoProgress
from runner.tally import Tally

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
needs_gateway = pytest.mark.skipif(not shutil.which("prometheus-pushgateway"), reason="no Pushgateway is installed")


@pytest.fixture
async def bench(tmp_path):
    """A sandbox with numbers attached."""
    async with lab(tmp_path) as made:
        yield made


@pytest.fixture
def file(tmp_path):
    """Where figures are written, with the plan in its name."""
    return tmp_path / "teardown-{plan}.prom"


def written(file):
    """The samples of a figures file, by name and by labels."""
    return samples(file.with_name("teardown-night_shift.prom").read_text())


def samples(text):
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def complaints(text):
    """What promtool has to say of figures."""
    return subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=True
    ).stderr


def only(found, name):
    """The value of a metric that has one series."""
    [(_, value)] = found[name]
    return value


async def test_the_file_says_what_the_report_says(bench, file):
    """Counts by outcome, lanes, exit code and times are those of the report."""
    bench.faults.script(NUMBERS[0], ["http_500_after"])
    bench.faults.script(NUMBERS[1], ["business_206"] * 9)
    report = await bench.run(metrics=MetricsSettings(file))
    found, [lane] = written(file), report.lanes
    outcomes = {labels["outcome"]: value for labels, value in found["teardown_run_numbers"]}
    assert outcomes == {name: count for name, count in report.totals.items() if name != "planned"}
    assert outcomes["failed"] == 1
    assert (only(found, "teardown_run_exit_code"), only(found, "teardown_run_in_progress")) == (4, 0)
    assert only(found, "teardown_lane_numbers") == len(NUMBERS)
    for name in ("requests", "retries", "throttled"):
        [(labels, value)] = found[f"teardown_lane_{name}_total"]
        assert (labels, value) == ({"plan": "night/shift", "account": "main", "provider": "unpod"}, lane[name])
    assert only(found, "teardown_lane_retries_total") > 0
    buckets = [value for _, value in found["teardown_request_duration_seconds_bucket"]]
    assert buckets == sorted(buckets)
    assert buckets[-1] == only(found, "teardown_request_duration_seconds_count")
    assert buckets[-1] == sum(Spread.of(bench.tally(report)).counts) > 0
    assert only(found, "teardown_run_duration_seconds") == pytest.approx(report.run["duration_s"], abs=0.001)
    [(info, _)] = found["teardown_run_info"]
    assert (info["run_id"], info["status"]) == (report.run["id"], "failed")


async def test_no_series_names_a_number_or_outlives_its_run(bench, file):
    """Labels have few values: a run's id stands in one place only, a phone number nowhere."""
    report = await bench.run(metrics=MetricsSettings(file))
    text = file.with_name("teardown-night_shift.prom").read_text()
    assert not any(number.strip("+") in text for number in NUMBERS)
    assert text.count(report.run["id"]) == 1


@needs_promtool
async def test_names_and_units_are_as_prometheus_wants_them(bench, file):
    """``promtool check metrics`` finds nothing."""
    await bench.run(metrics=MetricsSettings(file))
    text = file.with_name("teardown-night_shift.prom").read_text()
    assert complaints(text) == ""


async def test_figures_are_written_while_a_run_goes_on(bench, file):
    """Before its end a run is in progress, has no exit code, and counts what is still pending."""
    seen = []

    async def confirm(_preview):
        await until(file.with_name("teardown-night_shift.prom").exists)
        seen.append(written(file))
        return True

    front = Front(environ={}, confirm=confirm)
    await bench.run(metrics=MetricsSettings(file, interval=0.001), front=front)
    [during] = seen
    assert only(during, "teardown_run_in_progress") == 1
    assert "teardown_run_exit_code" not in during
    assert {labels["outcome"]: value for labels, value in during["teardown_run_numbers"]}["pending"] == len(NUMBERS)
    assert {labels["status"] for labels, _ in during["teardown_run_info"]} == {"running"}
    assert only(written(file), "teardown_run_in_progress") == 0


async def test_the_last_success_outlives_a_failure(bench, file):
    """It is taken from the ledger: no later failure makes anybody forget it."""
    bench.faults.script(NUMBERS[0], ["business_206"] * 9)
    await bench.run(numbers=NUMBERS[1:2], options=Options(sandbox=True))
    await bench.run(metrics=MetricsSettings(file))
    assert "teardown_run_last_success_timestamp_seconds" not in written(file)
    await bench.run(metrics=MetricsSettings(file), numbers=NUMBERS[1:])
    success = only(written(file), "teardown_run_last_success_timestamp_seconds")
    assert success == only(written(file), "teardown_run_end_timestamp_seconds")
    bench.faults.script(NUMBERS[0], ["business_206"] * 9)
    report = await bench.run(metrics=MetricsSettings(file))
    assert report.exit_code == 4
    assert only(written(file), "teardown_run_last_success_timestamp_seconds") == success


async def test_a_rollback_is_no_success_of_its_plan(bench, file):
    """Its figures stand under the plan's name, and when the plan last succeeded stays as it was."""
    report = await bench.run(metrics=MetricsSettings(file))
    success = only(written(file), "teardown_run_last_success_timestamp_seconds")
    await bench.roll_back(report, metrics=MetricsSettings(file))
    assert only(written(file), "teardown_run_last_success_timestamp_seconds") == success
    counts = {labels["outcome"]: count for labels, count in written(file)["teardown_run_numbers"]}
    assert counts["reattached"] == len(NUMBERS)


async def test_what_is_not_for_real_leaves_no_figures(bench, file, tmp_path):
    """Neither a dry run nor a rehearsal replaces what is known of the last real run."""
    for options in (Options(dry_run=True), Options(sandbox=True)):
        await bench.run(metrics=MetricsSettings(file), options=options)
    assert list(tmp_path.glob("*.prom")) == []


async def test_what_cannot_be_written_changes_nothing(bench, tmp_path):
    """A missing folder, a dead gateway and a dead collector are warnings in the log; the report stands."""
    settings = MetricsSettings(tmp_path / "none" / "teardown.prom", NOWHERE, otlp=NOWHERE)
    report = await bench.run(metrics=settings)
    assert (report.exit_code, report.totals["detached"]) == (0, len(NUMBERS))
    events = [json.loads(line) for line in bench.log(report).splitlines()]
    failed = [event for event in events if event["event"] == "metrics.failed"]
    assert {event["to"] for event in failed} == {"textfile", "pushgateway", "otlp"}
    assert {event["level"] for event in failed} == {"warning"}


async def test_the_same_failure_is_told_once(bench, tmp_path):
    """A run that publishes often says once that it cannot."""
    console = io.StringIO()

    async def confirm(_preview):
        await until(lambda: "metrics.failed" in console.getvalue())
        return True

    settings = MetricsSettings(tmp_path / "none" / "teardown.prom", interval=0.001)
    progress = NoProgress(console)
    report = await bench.run(metrics=settings, front=Front(environ={}, confirm=confirm, progress=progress))
    sentence = f"{settings.textfile} cannot be written (No such file or directory)"
    assert bench.log(report).count("metrics.failed") == bench.log(report).count(sentence) == 1


async def test_a_collector_gets_the_same_figures(bench, file):
    """Over OTLP there are the same instruments with the same values, by OpenTelemetry's names and units."""
    async with collecting() as collector:
        report = await bench.run(metrics=MetricsSettings(file, otlp=collector.url))
    found = written(file)
    names = {name.replace(".", "_") + {"s": "_seconds", "": ""}[each.unit] for name, each in collector.metrics.items()}
    plain = {name.removesuffix("_total") for name in found if not name.endswith(("_bucket", "_count", "_sum"))}
    assert names == plain | {"teardown_request_duration_seconds"}
    outcomes = {
        attributes(point.attributes)["outcome"]: point.as_int for point in collector.series("teardown.run.numbers")
    }
    assert outcomes == {name: count for name, count in report.totals.items() if name != "planned"}
    [spread] = collector.series("teardown.request.duration")
    assert (spread.count, tuple(spread.explicit_bounds)) == (report.lanes[0]["requests"], BOUNDS)
    assert spread.sum == pytest.approx(only(found, "teardown_request_duration_seconds_sum"))
    [requests] = collector.series("teardown.lane.requests")
    assert requests.as_int == report.lanes[0]["requests"]
    assert collector.metrics["teardown.lane.requests"].sum.is_monotonic


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


@contextmanager
def gateway(folder):
    """A Pushgateway that holds nothing, not even what Debian's keeps for the next one; and its address."""
    address = f"127.0.0.1:{free_port()}"
    kept = f"--persistence.file={folder / 'pushed'}"
    command = ["prometheus-pushgateway", f"--web.listen-address={address}", kept]
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield f"http://{address}"
        finally:
            process.kill()
            process.wait()


def fetched(url):
    """What a URL shows, None as long as nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - of a process that this test started
            return answer.read().decode()
    except OSError:
        return None


@needs_gateway
async def test_a_pushgateway_files_them_under_job_and_plan(bench, tmp_path):
    """The real one takes them, replaces them with the next run's, and keeps another plan's apart."""
    with gateway(tmp_path) as url:
        await until(lambda: fetched(f"{url}/-/ready"))
        await bench.run(metrics=MetricsSettings(pushgateway=url, job="night"))
        await bench.run(metrics=MetricsSettings(pushgateway=url, job="night"), numbers=NUMBERS[:3])
        found = samples(fetched(f"{url}/metrics"))
    outcomes = {labels["outcome"]: value for labels, value in found["teardown_run_numbers"]}
    assert outcomes == {name: 3 * (name == "already_detached") for name in outcomes}
    assert {(labels["job"], labels["plan"]) for labels, _ in found["teardown_run_numbers"]} == {
        ("night", "night/shift")
    }


def test_a_spread_loses_no_answer():
    """Every latency of a tally is in one bucket, the slow ones in the last; the sum is within a few per cent."""
    tally, latencies = Tally(), [0.4, 3.0, 7.0, 80.0, 80.0, 700.0, 45_000.0]
    for latency in latencies:
        tally.timed(latency)
    spread = Spread.of(tally)
    assert spread.counts == (2, 1, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 1)
    assert spread.total == pytest.approx(sum(latencies) / 1000, rel=0.03)
    assert (spread.low, spread.high) == (pytest.approx(0.0004, rel=0.03), 45.0)
    assert Spread.of(Tally()) == Spread((0,) * 13, 0, 0.0, 0.0)
