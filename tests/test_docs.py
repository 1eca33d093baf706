"""What the documents promise about commands, exit codes, the example config and the example plans."""

import asyncio
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from runner import Front, Guards, Options, Rate, RetryPolicy, StateFolder, load_config, load_plan, start
from runner.cli.codes import EXIT_CODES
from runner.cli.main import teardown
from runner.config import LogSettings
from runner.policy import Gate
from runner.rehearsal import rehearsal

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "config.example.yaml"
PLANS = sorted((ROOT / "plans").glob("*.yaml"))
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *PLANS]
COMMANDS = teardown.list_commands(None)
PACE = ["--rate", "--concurrency"]
SELECTION = ["--limit", "--only", "--exclude"]
OUTPUT = ["--reason", "--report", "--json", "--no-progress"]
SENDING = ["--yes", "--deadline", "--no-verify"]
PROMISED = {
    "discover": ["--target", "--match", "-o", "--overwrite"],
    "run": ["--expect-hash", *PACE, *SELECTION, *OUTPUT, *SENDING, "--dry-run", "--sandbox", "--wait"],
    "check": ["--out", "--detailed-exitcode", *PACE, *SELECTION, *OUTPUT, "--sandbox"],
    "resume": [*PACE, *OUTPUT, *SENDING, "--retry-failed"],
    "rollback": [*PACE, *SELECTION, *OUTPUT, *SENDING, "--dry-run", "--reattach", "--partial"],
    "status": ["--json"],
    "report": ["--format", "--json", "-o"],
}
GLOBAL = ["--config", "--state-dir", "--log-format", "--log-level", "-q", "-v", "--no-color"]


def commands():
    """Every ``teardown …`` line that a page shows without its output, or a plan in its comment."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^```(?:sh|bash)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        lines = [line for block in blocks for line in block.splitlines()]
        lines += re.findall(r"# .*(teardown run .*)$", text, re.MULTILINE) if page in PLANS else []
        yield from (line for line in lines if line.startswith("teardown "))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(command):
    """It can be read, says what the command does, and has every option that is promised."""
    said = CliRunner().invoke(teardown, [command, "--help"])
    assert said.exit_code == 0
    assert f"Usage: teardown {command}" in said.output
    words = set(re.findall(r"(?<![\w-])--?[\w-]+", said.output))
    assert [option for option in (*PROMISED.get(command, ()), *GLOBAL) if option not in words] == []


def test_help_names_every_command():
    """The first page one sees has each with a line of explanation."""
    said = CliRunner().invoke(teardown, ["--help"])
    assert all(re.search(rf"^  {command} +\S+", said.output, re.MULTILINE) for command in COMMANDS)


def test_help_loads_nothing_heavy():
    """It answers at once: no network client, no templates, no display."""
    code = "import sys\nfrom runner.cli.main import teardown\nteardown.main(['run', '--help'], standalone_mode=False)\n"
    code += "heavy = ('aiohttp', 'rich', 'structlog', 'yaml', 'markupsafe')\n"
    code += "print([name for name in heavy if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.endswith("\n[]\n")


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_shown_can_be_typed(line):
    """Commands and options that the documents show exist."""
    words = shlex.split(re.split(r" \| | && | [0-9]?[<>]", line)[0], comments=True)
    context = teardown.make_context("teardown", words[1:], ignore_unknown_options=True, allow_interspersed_args=False)
    name, command, rest = teardown.resolve_command(context, words[1:])
    assert command is not None
    command.make_context(name, rest, parent=context)


def test_exit_codes():
    """The help explains every exit code of the contract, and no other."""
    assert list(EXIT_CODES) == ["0", "1", "2", "3", "4", "5", "11", "75", "130", "143"]
    said = CliRunner().invoke(teardown, ["--help"])
    assert re.findall(r"^ +(\d+) ", said.output.split("Exit codes:")[1], re.MULTILINE) == list(EXIT_CODES)


def test_example_config_loads():
    """It needs only what it refers to, warns of nothing, and shows the defaults as they are."""
    settings = load_config(EXAMPLE, {})
    assert (settings.warnings, list(settings.accounts)) == ((), ["unpod-main", "videosdk-main", "videosdk-minted"])
    assert (settings.retry, settings.guards, settings.log) == (RetryPolicy(), Guards(), LogSettings())
    assert {(each.rate, each.concurrency, each.timeout) for each in settings.accounts.values()} == {
        (Rate(10), 16, 30.0)
    }


def test_example_config_shows_every_setting(tmp_path):
    """What is commented out there is a setting that loads as well."""
    (tmp_path / "protected.csv").write_text("number\n+14155550199\n", encoding="utf-8")
    path = tmp_path / "config.yaml"
    path.write_text(
        re.sub(r"^( *)# (?= *(?:- )?\w+:)", r"\1", EXAMPLE.read_text("utf-8"), flags=re.MULTILINE), encoding="utf-8"
    )
    settings = load_config(path, {})
    guards = settings.guards
    assert guards.protect == ("+14155550100", "+4420*", "+14155550199")
    assert [batch.size for batch in guards.batches] == [1, 5, 20]
    assert (guards.stop_after_failures, guards.stop_after_failure_ratio) == (20, 0.1)
    assert guards.gate == Gate("https://status.example.com/voice", on_fail="pause")
    metrics, collector = settings.metrics, "http://localhost:4318"
    assert metrics.textfile == tmp_path / "metrics" / "teardown-{plan}.prom"
    assert (metrics.pushgateway, metrics.otlp) == ("http://localhost:9091", collector)
    assert settings.tracing.endpoint == collector
    assert [recipient.events for recipient in settings.notify] == [{"finish", "guard"}]


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
async def test_example_plans_run_offline(path, tmp_path):
    """Each loads without a config and detaches, or moves, everything it may in a sandbox of its own."""
    plan = load_plan(path)
    assert all("there is no config with the account" in str(warning) for warning in plan.warnings)
    async with rehearsal(plan, None, faults=None, seed=0) as settings:
        rates = dict.fromkeys(settings.accounts, Rate(1000))
        options = Options(rates=rates, sandbox=True)
        report = await asyncio.wait_for(start(plan, settings, StateFolder(tmp_path), options, Front()), 30)
    assert report.exit_code == 0
    done = report.totals["moved" if plan.moves else "detached"]
    assert done + report.totals["skipped"] == report.totals["planned"] >= plan.listed


@pytest.mark.usefixtures("uncovered")
def test_the_demo_does_what_the_readme_says(tmp_path):
    """The recipe of `make demo`, at a rate that needs no waiting: 200 numbers, a summary and a page."""
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    make = ["make", "--no-print-directory", "--dry-run", "--old-file=.venv/runtime.stamp", "demo"]
    recipe = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folder = tmp_path / "not-there-yet"
    recipe = recipe.replace(".venv/bin/teardown", f"{sys.executable} -m runner").replace(".demo", str(folder))
    command = re.sub(r"=\d+/s", "=500/s", recipe)
    said = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (said.returncode, "Succeeded: 200 numbers planned" in said.stderr) == (0, True), said.stderr
    assert f"What became of every number: {folder}/report.html" in said.stdout
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8")


def test_example_plans_show_what_they_claim():
    """The comment of each names the command that runs it."""
    for path in PLANS:
        assert f"teardown run plans/{path.name} --sandbox --yes" in path.read_text(encoding="utf-8")
    assert os.fspath(PLANS[0]).endswith("decommission-200.yaml")
    assert load_plan(PLANS[0]).listed == 200
