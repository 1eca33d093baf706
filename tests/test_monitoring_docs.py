"""Alert rules, dashboard and page about figures: they ask only for what a run writes, and Prometheus takes them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from observers import lab

from runner.config import MetricsSettings

ROOT = Path(__file__).parents[1]
ALERTS = ROOT / "docs" / "alerts.yml"
DASHBOARD = json.loads((ROOT / "docs" / "grafana" / "dashboard.json").read_text("utf-8"))
PAGE = (ROOT / "docs" / "metrics.md").read_text("utf-8")

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")


def promtool(*words, cwd=None):
    """What promtool says, and whether it is content."""
    done = subprocess.run(["promtool", *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def expressions():
    """Every query of the dashboard, with its variables filled in."""
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    queries += [each["expr"] for each in DASHBOARD["annotations"]["list"]]
    return [query.replace("$__rate_interval", "1m") for query in queries]


def asked(text):
    """The metrics that a text names."""
    return set(re.findall(r"\bteardown_[a-z_]+", text))


@pytest.fixture
async def names(tmp_path):
    """What a run that succeeded writes."""
    async with lab(tmp_path) as bench:
        await bench.run(metrics=MetricsSettings(tmp_path / "figures.prom"))
    return set(re.findall(r"^(teardown_\w+)", (tmp_path / "figures.prom").read_text(), re.MULTILINE))


async def test_every_metric_that_is_asked_for_is_written(names):
    """Rules, dashboard and page name no metric that does not exist, and the page names all."""
    variables = [each["definition"] for each in DASHBOARD["templating"]["list"] if "definition" in each]
    assert len(asked("".join(expressions()))) > 10
    assert asked("".join([*expressions(), *variables])) <= names
    assert asked(ALERTS.read_text("utf-8")) <= names
    base = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}
    assert asked(PAGE) == base


@needs_promtool
def test_prometheus_takes_the_rules(tmp_path):
    """They are well formed, and each fires in the cases where it should and in no other."""
    shutil.copy(ALERTS, tmp_path / "alerts.rules.yml")
    shutil.copy(ROOT / "tests" / "alerts.yml", tmp_path)
    promtool("check", "rules", "alerts.rules.yml", cwd=tmp_path)
    promtool("test", "rules", "alerts.yml", cwd=tmp_path)


def test_every_alert_has_its_case():
    """No rule is without a case in which it fires."""
    rules = {rule["alert"] for group in yaml.safe_load(ALERTS.read_text("utf-8"))["groups"] for rule in group["rules"]}
    cases = yaml.safe_load((ROOT / "tests" / "alerts.yml").read_text("utf-8"))["tests"]
    assert {each["alertname"] for case in cases for each in case["alert_rule_test"] if "exp_alerts" in each} == rules


@needs_promtool
def test_prometheus_understands_the_dashboard(tmp_path):
    """Every query is one, as a recording rule would be."""
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(expressions())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", "rules.yml", cwd=tmp_path)
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
