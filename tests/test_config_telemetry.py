"""Where figures and traces go, as a config says it."""

import sys
from pathlib import Path

import pytest

from runner import config
from runner.config import MetricsSettings
from runner.errors import InputError

CONFIG = """\
metrics: {textfile: out/teardown.prom, pushgateway: 'http://gateway:9091/', job: night, interval: 5s}
tracing: {endpoint: 'http://collector:4318'}
"""


@pytest.fixture
def load(tmp_path):
    """A function that loads a config from its text; what it refuses is a list of problems, without the file's name."""
    path = tmp_path / "config.yaml"

    def read(text, **environ):
        path.write_text(text)
        try:
            return config.load(path, environ)
        except InputError as error:
            return [str(problem).removeprefix(f"{path}:") for problem in error.problems]

    return read


def test_what_is_set_arrives(load, tmp_path):
    """Paths are relative to the config, addresses may be plain http, and a variable overrides."""
    settings = load(CONFIG, TEARDOWN_METRICS__JOB="day")
    expected = MetricsSettings(tmp_path / "out" / "teardown.prom", "http://gateway:9091", "day", None, 5.0)
    assert (settings.metrics, settings.tracing.endpoint) == (expected, "http://collector:4318")
    home = load("metrics: {textfile: ~/teardown.prom}\n").metrics
    assert home.textfile == Path("~/teardown.prom").expanduser()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("metrics: {textfile: teardown.txt}", "1:21: `textfile`: has to end in .prom"),
        ("metrics: {pushgateway: 'ftp://x'}", "1:24: `pushgateway`: is not the address of an API"),
        ("metrics: {pushgateway: 'http://u:p@x'}", "1:24: `pushgateway`: holds a user name or password"),
        ("metrics: {interval: 10ms}", "1:21: `interval` must be at least 1"),
        ("metrics: {text: x}", "1:11: `metrics` has no key 'text'; did you mean `textfile`?"),
        ("metrics: 1", "1:10: `metrics` must be a mapping"),
        ("tracing: {endpoint: 'http://x/?a=1'}", "1:21: `endpoint`: holds a query"),
        ("tracing: {metrics: 1}", "1:11: `tracing` has no key 'metrics'"),
    ],
)
def test_what_cannot_be_used_is_located(load, text, problem):
    """Each mistake is one sentence with its place and the mend."""
    [told] = load(text)
    assert told.startswith(problem)


def test_a_missing_package_is_a_problem_of_the_config(load, monkeypatch):
    """Whatever needs an extra that is not installed says which, at its own place, all at once."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    assert load(CONFIG) == [
        "1:21: `textfile` needs a package that is missing; pip install 'teardown[metrics]'",
        "1:53: `pushgateway` needs a package that is missing; pip install 'teardown[metrics]'",
        "2:21: `endpoint` needs a package that is missing; pip install 'teardown[otel]'",
    ]
