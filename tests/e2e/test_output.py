"""Reports, logs, the state folder and streams: what is written where, and who may read it."""

import csv
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from html import unescape
from xml.etree import ElementTree as ET

import pytest
from bench import ONE, THREE, TWO, bridge, call, environment, private

from runner.sandbox import TOKEN


def test_state_folder(bench):
    """The ledger, and a folder per run with its five files; all of it private to the user."""
    plan, listed = bench.sales(3)
    bench.world.detach("unpod", "sales", listed[2])
    said = bench.run(plan)
    folder = bench.run_folder(said)
    names = {"report.json", "report.html", "detached.csv", "log.jsonl", "plan.yaml"}
    assert {path.name for path in folder.iterdir()} == names
    assert {path.name for path in bench.state.iterdir()} >= {"ledger.db", "runs"}
    everything = [bench.state, *bench.state.rglob("*")]
    assert {private(path) for path in everything if path.is_dir()} == {0o700}
    assert {private(path) for path in everything if path.is_file()} == {0o600}
    assert (folder / "plan.yaml").read_text() == plan.read_text()
    with (folder / "detached.csv").open(newline="") as file:
        assert [row["number"] for row in csv.DictReader(file)] == listed[:2]
    assert (folder / "report.html").read_text().startswith("<!")


def test_every_report_ending(bench):
    """--report may be repeated, and the ending chooses the format; what was there before is replaced."""
    plan, listed = bench.sales(3)
    bench.faults.script(listed[1], ["business_206"] * 3)
    paths = [bench.folder / f"out.{ending}" for ending in ("json", "csv", "md", "html", "xml")]
    paths[0].write_text("old")
    said = bench.run(plan, *(part for path in paths for part in ("--report", path)))
    assert said.code == 4
    assert json.loads(paths[0].read_text()) == said.report
    with paths[1].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["number"]: row["outcome"] for row in rows} == said.outcomes()
    for path in paths[2:4]:
        assert all(number in path.read_text() for number in listed[1:2])
    suites = ET.parse(paths[4]).getroot()  # noqa: S314 - our own file
    assert len(list(suites.iter("testcase"))) == 3
    assert len(list(suites.iter("failure"))) == 1


def test_every_report_again_is_the_one_that_the_run_wrote(bench):
    """From the ledger, `report` makes each format byte for byte as the run wrote it, and the page shows the plan."""
    plan, listed = bench.sales(3)
    bench.faults.script(listed[1], ["business_206"] * 3)
    forms = {"json": "json", "csv": "csv", "md": "md", "html": "html", "junit": "xml"}
    paths = {form: bench.folder / f"out.{ending}" for form, ending in forms.items()}
    said = bench.run(plan, *(part for path in paths.values() for part in ("--report", path)))
    run_id, folder = said.report["run"]["id"], bench.run_folder(said)
    for form, path in paths.items():
        again = bench.folder / f"again.{form}"
        assert call("report", run_id, "--format", form, "-o", again).code == 0
        assert again.read_bytes() == path.read_bytes()
    for name in ("report.json", "report.html"):
        assert (folder / name).read_bytes() == paths[name.split(".")[1]].read_bytes()
    page = unescape(paths["html"].read_text())
    assert '"name": "test-plan"' in page
    assert "sales" in page


def test_a_report_that_cannot_be_written(bench):
    """What can be told beforehand is refused with nothing sent; a folder that goes away changes no outcome."""
    plan, _ = bench.sales(1)
    away = bench.folder / "away"
    away.mkdir()
    for path, words in (
        ("out.doc", "'out.doc' does not say what to write"),
        ("nowhere/out.csv", "--report: nowhere/out.csv is in a folder that does not exist; make it"),
        (f"{plan}/out.csv", "out.csv is in a folder that does not exist"),
        ("folder.md", "--report: folder.md is a folder; name a file"),
    ):
        (bench.folder / "folder.md").mkdir(exist_ok=True)
        refused = call("run", plan, "--yes", "--report", path)
        assert (refused.code, list(bench.record)) == (2, [])
        assert words in refused.err
    bench.at_detach(1, away.rmdir)
    said = bench.run(plan, "--report", "away/out.csv", "--report", "out.csv")
    assert (said.code, said.totals()) == (0, {"detached": 1})
    assert "error: away/out.csv: cannot write the report there" in said.err
    assert f"`teardown report {said.report['run']['id']} -o FILE` writes it again" in said.err
    assert (bench.folder / "out.csv").exists()


def test_a_run_folder_that_went_away(bench):
    """What became of the numbers stands: the exit code is the run's, and the report can be had again."""
    plan, _ = bench.sales(2)

    def replace():
        folder = next((bench.state / "runs").iterdir())
        shutil.rmtree(folder)
        folder.write_text("")

    bench.at_detach(1, replace)
    said = call("run", plan, "--yes", "--json")
    assert (said.code, said.totals()) == (0, {"detached": 2})
    assert " no report: " in said.err
    assert call("report", said.report["run"]["id"], "--json").report == said.report


@pytest.mark.parametrize("options", [["-v", "-v"], ["--log-format", "json", "--log-level", "debug"], ["-q"]])
def test_stdout_holds_the_report_alone(bench, options):
    """With --json stdout is one JSON document whatever goes to stderr, in the real process."""
    plan, listed = bench.sales(3)
    bench.faults.script(listed[0], ["lost_before"])
    said = bench.process("run", plan, "--yes", "--json", *options)
    assert (said.code, said.totals()) == (0, {"detached": 3})
    assert (said.err == "") == (options == ["-q"])


def test_without_json_stdout_is_empty(bench):
    """Humans read stderr: without --json a run writes nothing to stdout."""
    plan, _ = bench.sales(1)
    said = call("run", plan, "--yes")
    assert (said.code, said.out) == (0, "")
    assert "Succeeded: 1 number planned, and none is left to do." in said.err


def test_secrets_appear_nowhere(bench, monkeypatch):
    """Neither the token nor the secrets that the provider shows get into any file, stream or sentence."""
    secret = "s3cret-t0ken-value"
    plan, _ = bench.sales(3)
    said = call("run", plan, "--yes", "--json", "-vv", "--report", "out.html")
    monkeypatch.setenv("E2E_TOKEN", secret)
    refused = call("run", plan, "--yes", "--json", "-vv", "--log-format", "json")
    assert (said.code, refused.code) == (0, 3)
    written = b"".join(path.read_bytes() for path in bench.folder.rglob("*") if path.is_file())
    shown = f"{said.out}{said.err}{refused.out}{refused.err}".encode()
    for word in (TOKEN, secret, "sandbox-api-key-in-clear", "sandbox-api-secret-in-clear"):
        assert word.encode() not in written + shown


def test_literal_secret_gets_a_warning(bench):
    """A token that stands in the config works, with a warning that does not repeat it."""
    bench.configure(accounts={"unpod-main": {"token": TOKEN}})
    plan, _ = bench.sales(1)
    said = call("run", plan, "--yes")
    assert said.code == 0
    assert "warning: " in said.err
    assert "stands here in the clear" in said.err
    assert TOKEN not in said.err


def test_reason_is_recorded_everywhere(bench):
    """--reason is in the report, the log and the ledger."""
    plan, _ = bench.sales(1)
    said = bench.run(plan, "--reason", "CHG-42, approved by Ana")
    assert said.report["run"]["reason"] == "CHG-42, approved by Ana"
    assert bench.log(said)[0]["reason"] == "CHG-42, approved by Ana"
    with closing(sqlite3.connect(bench.state / "ledger.db")) as ledger:
        assert ledger.execute("SELECT reason FROM run").fetchall() == [("CHG-42, approved by Ana",)]


def test_masked_numbers(bench):
    """log.numbers: masked hides numbers in the log and on the console; the report has them whole."""
    bench.configure(log={"numbers": "masked"})
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], ["lost_before"])
    said = bench.run(plan, "-vv", "--no-progress")
    text = (bench.run_folder(said) / "log.jsonl").read_text()
    assert not [number for number in listed if number in text + said.err]
    assert sorted(said.rows) == listed


def test_no_log_file(bench):
    """log.file: false writes none; everything else is there."""
    bench.configure(log={"file": False})
    plan, _ = bench.sales(1)
    said = bench.run(plan)
    assert {path.name for path in bench.run_folder(said).iterdir()} == {
        "report.json", "report.html", "detached.csv", "plan.yaml"
    }  # fmt: skip


def test_metadata_and_identity(bench):
    """The report says which plan, by which version, on which host and by whom, and hashes the plan."""
    plan = bench.plan(bridge("sales", [ONE]), metadata={"ticket": "CHG-1"}, description="Retire it")
    bench.world.unpod.add_bridge("sales", [ONE])
    run = bench.run(plan).report["run"]
    assert (run["plan"]["metadata"], run["plan"]["description"]) == ({"ticket": "CHG-1"}, "Retire it")
    assert len(run["plan"]["sha256"]) == 64
    assert all(run[key] for key in ("version", "host", "user", "started_at", "finished_at"))
    assert run["started_at"] <= run["finished_at"]


def test_ids_sort_by_time(bench):
    """A later run has a greater id."""
    plan, _ = bench.sales(1)
    ids = [bench.check(plan).report["run"]["id"] for _ in range(3)]
    assert ids == sorted(ids)


def test_a_report_again(bench):
    """``report`` says from the ledger what the run itself said, in every format, to stdout or a file."""
    plan, listed = bench.sales(3)
    bench.faults.script(listed[1], ["business_206"] * 3)
    said = bench.run(plan)
    run = said.report["run"]["id"]
    assert call("report", run, "--json").report == call("report", run, "--format", "json").report == said.report
    starts = {"csv": "number,", "md": "#", "html": "<!", "junit": "<?xml"}
    for form, start in starts.items():
        assert call("report", run, "--format", form).out.lower().startswith(start), form
    plain = call("report", run)
    assert (plain.code, plain.err) == (0, "")
    assert "Failed: 1 still attached, of 3 numbers." in plain.out
    written = call("report", run, "-o", "again.json")
    assert (written.code, written.out) == (0, "")
    assert json.loads((bench.folder / "again.json").read_text()) == said.report
    assert call("report", run, "--format", "csv", "-o", "again.txt").code == 0
    assert (bench.folder / "again.txt").read_text().startswith("number,")
    assert private(bench.folder / "again.txt") == 0o600
    for nowhere in ("again.doc", "nowhere/again.csv"):
        refused = call("report", run, "-o", nowhere)
        assert (refused.code, nowhere in refused.err) == (2, True)


def test_report_of_a_dry_run(bench):
    """A check is recorded as well, and never as if something had been sent."""
    bench.world.unpod.add_bridge("sales", [ONE, TWO])
    said = bench.check(bench.plan(bridge("sales", [ONE, TWO, THREE])))
    again = call("report", said.report["run"]["id"], "--json")
    assert again.totals() == {"would_detach": 2, "already_detached": 1}


def test_a_reader_that_leaves(bench):
    """A closed pipe is no bug: ``teardown report | head`` ends quietly."""
    plan, _ = bench.sales(400)
    run = bench.check(plan).report["run"]["id"]
    process = bench.start("report", run, "--json", stderr=subprocess.PIPE)
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(30) == 0


def test_looking_sends_nothing(bench):
    """status, report, providers, schema and validate make no request at all."""
    plan, _ = bench.sales(1)
    run = bench.run(plan).report["run"]["id"]
    before = len(bench.record)
    for command in (
        ["status"],
        ["status", run],
        ["report", run],
        ["providers"],
        ["schema", "plan"],
        ["validate", plan],
    ):
        assert call(*command).code == 0
    assert len(bench.record) == before


def test_python_m_runner_is_the_command(bench):
    """``python -m runner`` and the installed entry point are the same."""
    script = f"{sys.prefix}/bin/teardown"
    said = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == bench.process("--version").out


def test_a_long_document_reaches_a_slow_reader_whole(bench):
    """Stdout is complete also where Python does not buffer it and a pipe takes only a part at a time."""
    plan, listed = bench.sales(1500)
    code = """
import signal
from runner.cli import main
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
try:
    main()
finally:
    signal.setitimer(signal.ITIMER_REAL, 0)
"""
    words = [sys.executable, "-c", code, "run", str(plan), "--yes", "--json", "--no-progress", "-q", "--rate"]
    with subprocess.Popen(
        [*words, "unpod-main=2000/s"],
        stdout=subprocess.PIPE,
        pipesize=4096,
        env=environment(PYTHONUNBUFFERED="1"),
    ) as process:
        document = b"".join(iter(lambda: os.read(process.stdout.fileno(), 1000), b""))
    assert process.returncode == 0
    assert [row["number"] for row in json.loads(document)["numbers"]] == listed
