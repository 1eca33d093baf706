"""The machine fails: a full disk, clocks that jump, a terminal that goes; no outcome is lost and nothing is untrue."""

import io
import json
import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest
from bench import RETRY, agree, bridge, call, environment, finish, numbers

from runner.begin import Options
from runner.config import Account, SecretRef, Settings
from runner.ledgerfile import LedgerFile
from runner.operate import Front, start
from runner.plan import load
from runner.policy import Rate, RetryPolicy
from runner.progress import NoProgress
from runner.sandbox import ORG_HANDLE, TOKEN, World, serve
from runner.state import StateFolder


def with_files_up_to(size):
    """Give what lets a process write no file beyond ``size`` bytes: to SQLite and to us it looks like a full disk."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return {"preexec_fn": limit}


@pytest.mark.parametrize("kib", [4, 30, 60, 90, 130, 180, 240])
def test_a_disk_that_fills_up(bench, kib):
    """Wherever the disk is full, the run stops before it sends what it cannot record; a resume tells the truth."""
    listed = numbers(400)
    bench.world.unpod.add_bridge("sales", listed)
    plan = bench.plan(bridge("sales", listed))
    # Coverage writes a file of its own, which is not what is tried here.
    uncovered = {"env": environment(COVERAGE_PROCESS_START=None, COVERAGE_PROCESS_CONFIG=None)}
    said = finish(bench.start("run", plan, "--yes", "--no-progress", **with_files_up_to(kib * 1024), **uncovered))
    assert said.code in {0, 2, 5}, said.err
    assert "Traceback" not in said.err
    if said.code == 2:
        assert bench.detaches() == []
    if said.code:
        assert "error: " in said.err
    if said.code == 5:
        assert "nothing more was sent" in said.err
        said = bench.resume()
        assert (said.code, said.totals()) == (0, {"detached": 400})
    assert bench.world.useless_detaches() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system that is too small")
def test_a_file_system_that_is_too_small(bench, tmp_path):
    """The same on a real file system without room: said in a sentence, and nothing sent that is not recorded."""
    small = tmp_path / "small"
    small.mkdir()
    options = ["-t", "tmpfs", "-o", "size=200k,mode=0700", "tmpfs"]
    mounted = subprocess.run(["mount", *options, small], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.decode().strip()}")
    try:
        listed = numbers(400)
        bench.world.unpod.add_bridge("sales", listed)
        said = bench.process("run", bench.plan(bridge("sales", listed)), "--yes", "--no-progress", "--state-dir", small)
        assert said.code == 5
        assert "full" in said.err
        assert "Traceback" not in said.err
        assert bench.world.useless_detaches() == []
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_state_folder_of_somebody_else(bench, tmp_path):
    """A state folder that belongs to another user is refused before anything is sent."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    os.chown(theirs, 4242, 4242)
    plan, _ = bench.sales(1)
    said = call("run", plan, "--yes", "--state-dir", theirs)
    assert (said.code, bench.detaches()) == (2, [])
    assert "belongs to user 4242" in said.err


class JumpyClock:
    """A wall clock that somebody keeps setting: an hour ahead, two back, and so on."""

    def __init__(self):
        self.now, self.reads = 1_800_000_000.0, 0

    def __call__(self):
        self.reads += 1
        self.now += 0.01 + (3600.0 if self.reads % 7 == 0 else 0) - (7200.0 if self.reads % 13 == 0 else 0)
        return self.now


async def test_a_clock_that_jumps(tmp_path):
    """Times in the report may be odd when the clock is, outcomes are not, and the run keeps its pace."""
    listed = numbers(120)
    (tmp_path / "plan.yaml").write_text(
        json.dumps({"version": 1, "name": "jumps", "teardown": [{"account": "u", "bridge": "b", "numbers": listed}]})
    )
    plan = load(tmp_path / "plan.yaml", {"u": "unpod"})
    front = Front(console=io.StringIO(), progress=NoProgress(io.StringIO()), clock=JumpyClock())
    async with serve(World.from_plan(plan.groups)) as server:
        token = SecretRef.literal(TOKEN)
        account = Account("u", "unpod", server.url, org_handle=ORG_HANDLE, rate=Rate(100), token=token)
        settings = Settings(accounts={"u": account}, retry=RetryPolicy(base_delay=0.01, max_delay=0.05))
        report = await start(plan, settings, StateFolder(tmp_path / "state"), Options(), front)
        assert report.exit_code == 0
        assert server.world.busiest_second("unpod") <= 100
        agree(
            {"numbers": list(report.numbers()), "totals": report.totals} | _rest(report),
            server.world,
            server.world.record,
        )


def _rest(report):
    return {"schema": "teardown.report/1", "run": report.run, "lanes": report.lanes, "targets": report.targets}


def test_nothing_is_left_open(bench):
    """A run leaves no socket and no file behind in the process that did it."""
    plan, _ = bench.sales(20)
    bench.run(plan)
    before = _open_files()
    for count in range(3):
        listed = numbers(20, 1000 + 100 * count)
        bench.world.unpod.add_bridge(f"b{count}", listed)
        bench.run(bench.plan(bridge(f"b{count}", listed)))
    assert _open_files() <= before + 1


def _open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_terminal_that_goes_away_in_the_middle(bench):
    """Writing to a terminal that is gone ends nothing: the run finishes and its report is there."""
    plan, listed = bench.sales(30)
    bench.configure(retry=RETRY, accounts={"unpod-main": {"rate": "20/s"}})
    reading, writing = os.pipe()
    process = bench.start("run", plan, "--yes", "-vv", stderr=writing, stdout=subprocess.DEVNULL)
    os.close(writing)
    os.read(reading, 10)
    os.close(reading)
    assert process.wait(60) == 0
    run = json.loads(call("status", "--json").out)["runs"][0]["id"]
    assert LedgerFile(bench.state / "ledger.db").run(run).ending == "finished"
    assert not any(bench.world.attached("unpod", "sales", number) for number in listed)


def test_secrets_stay_in_memory(bench, monkeypatch):
    """After a run full of faults no file, line or error holds the token, its parts, or a secret that reads returned."""
    secret = "s3cr3t-T0ken-value"
    monkeypatch.setenv("E2E_TOKEN", secret)
    plan, (first, *_) = bench.sales(6)
    bench.faults.script(first, ["garbage", "http_400_after"])
    said = bench.process("run", plan, "--yes", "--json", "-vv", env=environment(E2E_TOKEN=secret))
    written = b"".join(path.read_bytes() for path in bench.state.rglob("*") if path.is_file())
    for text in (said.out, said.err, written.decode("latin-1")):
        assert secret not in text
        assert "sandbox-twilio-key" not in text
        assert "api_secret" not in text
