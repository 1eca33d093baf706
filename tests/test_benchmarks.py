"""The benchmarks start, measure the same with every client, and print; how fast anything is, is not tested here."""

import json
import math
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cost import Field, cost
from benchmarks.counts import modules
from benchmarks.ledger import ledger
from benchmarks.measure import Size, interleaved, ratios, run, show, spread
from benchmarks.memory import memory
from benchmarks.rate import rate
from benchmarks.runs import prepared, teardown
from benchmarks.server import busiest
from benchmarks.serving import serving
from benchmarks.workload import Workload

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch, uncovered):
    """Processes find the package where `make bench` starts them; no other client is there to be measured."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PATH", "")


@pytest.mark.parametrize("question", [cost, ledger, memory, rate])
def test_a_question_is_answered(question):
    """It gives rows with the same columns, figures to compare, and a section that can be read."""
    answer = question(Size(numbers=20, repeats=1, runs=2))
    assert answer.rows
    assert {tuple(row) for row in answer.rows} == {tuple(answer.rows[0])}
    assert all(map(math.isfinite, answer.figures.values()))
    assert show(answer).startswith(f"## {answer.title}\n\n| ")


def test_a_script_prints_its_table_and_keeps_its_figures(tmp_path):
    """Its figures are beside the others as JSON, with the machine that they hold for."""
    command = [sys.executable, "-m", "benchmarks.startup", "--repeats", "1", "--results", tmp_path]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    kept = json.loads((tmp_path / "startup.json").read_text(encoding="utf-8"))
    assert all(name in said for name in kept["figures"])
    assert kept["machine"]["cores"] >= 1


@pytest.mark.parametrize("provider", ["unpod", "videosdk"])
def test_the_bare_loop_sends_what_the_runner_sends(provider):
    """Line for line, headers in any order: the ratio compares the same requests."""
    load = Workload(provider, 1)
    with serving(1) as server, prepared(load, server) as folder:
        _, seen = teardown(load, server, folder)
        server.reset()
        run(Field(load, server, folder).script("bare.py"))
        assert sorted(server.counts()["sample"].splitlines()) == sorted(seen["sample"].splitlines())
        assert server.counts()["detaches"] == 1


def test_a_run_that_goes_wrong_is_not_measured():
    """Numbers that were not detached stop a measurement with what is wrong."""
    load = Workload("unpod", 5)
    with serving(5) as server, prepared(load, server) as folder, pytest.raises(SystemExit, match="'detaches': 3"):
        teardown(load, server, folder, "--limit", "3")


def test_memory_is_the_childs_own():
    """A small process that a large one starts is small."""
    assert run([sys.executable, "-c", ""]).peak_kib < resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2


def test_a_command_that_fails_stops_the_measurement():
    """What it said last is in the message."""
    with pytest.raises(SystemExit, match=r"ended with 3:\nno luck"):
        run([sys.executable, "-c", "import sys; print('no luck', file=sys.stderr); sys.exit(3)"])


def test_the_server_counts_the_busiest_second():
    """A window begins anywhere, and a second later belongs to the next one."""
    assert busiest([0.0, 0.5, 1.0, 1.4, 1.49, 3.0]) == 4
    assert busiest([]) == 0


def test_turns_are_interleaved():
    """Every client has its turn before any has another, and is compared within its turn."""
    turns = []
    used = interleaved({name: lambda name=name: turns.append(name) or len(turns) for name in "ab"}, 2)
    assert turns == ["a", "b", "a", "b"]
    assert ratios(used["b"], used["a"]) == [2, 4 / 3]
    assert (spread([2, 1, 3]), spread([1.0, 1.0], 0)) == ("2.00 (1.00 to 3.00)", "1")


def test_imports_of_a_command_are_named():
    """What a bare interpreter loads as well is not among them."""
    named = modules("--version")
    assert "runner.cli.main" in named
    assert "encodings.utf_8" not in named
