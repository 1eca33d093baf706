"""What each command imports: the heavy packages only where they are needed, so that the others start at once."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = str(Path(__file__).parents[1] / "config.example.yaml")
PLAN = str(Path(__file__).parents[1] / "plans" / "unpod-bridge.yaml")
NETWORK = {"aiohttp", "aiolimiter", "asyncio", "jwt", "ssl", "structlog", "urllib.request", "yarl"}
SHOWN = {"markupsafe", "rich"}
GRAMMAR = "runner.document.grammar"
READ = {"phonenumbers", GRAMMAR, "yaml"}
STORED = {"orjson", "sqlite3"}
WATCHED = {"opentelemetry", "opentelemetry.sdk", "prometheus_client"}
HEAVY = NETWORK | SHOWN | READ | STORED | WATCHED | {"importlib.metadata", "email", "zipfile"}


def imported(*command, **environ):
    """The heavy ones among the modules that a command imports, as its interpreter tells."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "COV_"))}
    words = [sys.executable, "-X", "importtime", "-m", "runner", *map(str, command)]
    done = subprocess.run(words, env=usual | environ, capture_output=True, text=True, check=False)
    modules = set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE))
    assert done.returncode == 0, done.stderr
    assert "click" in modules, "or nothing was measured"
    return modules & HEAVY


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A state folder and the id of the run in it."""
    state = tmp_path_factory.mktemp("state")
    words = [sys.executable, "-m", "runner", "run", PLAN, "--sandbox", "--yes", "--quiet", "--state-dir", state]
    subprocess.run(words, check=True, capture_output=True)
    return state, next((state / "runs").iterdir()).name


@pytest.fixture(autouse=True)
def _no_config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "command",
    [["--version"], ["--help"], ["run", "--help"], ["status", "--help"], ["completion", "bash"]],
    ids=" ".join,
)
def test_a_command_that_only_tells_about_itself_imports_nothing_heavy(command):
    """Version, help and the script for a shell cost an interpreter and click."""
    assert imported(*command) == set()


def test_completion_imports_nothing_heavy():
    """A shell asks at every tab."""
    assert tab("teardown run --de") == set()


def tab(line, **environ):
    """The heavy ones among the modules that a tab at the end of ``line`` imports."""
    return imported(_TEARDOWN_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(line.count(" ")), **environ)


def test_completion_of_what_is_configured_or_recorded_imports_what_reads_that(ran):
    """Accounts and targets are read without a grammar, run ids as `status` reads them."""
    assert not tab(f"teardown run {PLAN} --only ") & ({"aiohttp", "phonenumbers", GRAMMAR, "structlog"} | SHOWN)
    assert tab("teardown report ", TEARDOWN_STATE_DIR=str(ran[0])) == STORED


def test_an_empty_state_folder_is_told_about_at_once(tmp_path):
    """Nothing was recorded, so nothing that reads records is needed."""
    assert imported("status", "--state-dir", tmp_path / "none") == set()


def test_validate_neither_speaks_to_a_network_nor_opens_a_ledger():
    """It reads the plan, and that is what it imports for."""
    assert imported("validate", PLAN, "--config", CONFIG) == READ


@pytest.mark.parametrize("what", ["plan", "config", "report"])
def test_a_schema_needs_no_more_than_a_grammar(what):
    """No network, no display, no ledger and no numbering plans."""
    assert not imported("schema", what) & (NETWORK | SHOWN | {"sqlite3", "phonenumbers"})


def test_looking_at_a_ledger_needs_no_network_and_no_grammar(ran):
    """Status and report read the ledger, and import rich only where a summary is shown."""
    state, run_id = ran
    at = ("--state-dir", state)
    assert imported("status", *at) <= STORED
    assert imported("status", "--json", *at) <= STORED
    assert imported("report", run_id, "--json", *at) <= STORED
    assert imported("status", run_id, *at) <= STORED | {"rich"}


def test_listing_the_providers_loads_no_client():
    """What a provider can do is known without a connection to it."""
    assert not imported("providers") & {"aiohttp", "yarl", GRAMMAR, "phonenumbers", "rich", "structlog"}


def test_a_run_that_nobody_watches_imports_nothing_for_it(tmp_path):
    """Neither Prometheus nor OpenTelemetry, where nothing names a place for what they send."""
    words = ("run", PLAN, "--sandbox", "--yes", "--quiet", "--state-dir", tmp_path)
    assert not imported(*words) & WATCHED
