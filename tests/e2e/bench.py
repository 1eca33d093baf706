"""The command line on a bench: a sandbox in a thread, a config that leads to it, and what both have to agree on."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from truth import agree

from runner.cli import main
from runner.sandbox import ORG_HANDLE, serve

PATIENCE = 30
BRIDGES = "/api/v2/platform/telephony/bridges/"
RETRY = {"max_attempts": 3, "base_delay": "10ms", "max_delay": "50ms", "max_throttle_wait": "5s"}
OUTCOMES = ("detached", "already_detached", "skipped", "failed", "unknown", "pending")


def numbers(count, first=0):
    """Give so many fictional numbers, from the ``first`` on."""
    return [f"+1415555{index:04d}" for index in range(first, first + count)]


ONE, TWO, THREE, FOUR = numbers(4, 101)


def bridge(slug, listed, **more):
    """Give a group of the plan: numbers on a bridge of unpod-main."""
    return {"account": "unpod-main", "bridge": slug, "numbers": listed} | more


def gateway(listed, target=None, **more):
    """Give a group of the plan: numbers of videosdk-main, at a gateway where one is named."""
    return {"account": "videosdk-main", "numbers": listed} | ({"gateway": target} if target else {}) | more


@contextmanager
def serving(world, **options):
    """Serve ``world`` from a thread while the block runs."""
    ready = Future()

    async def work():
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        try:
            async with serve(world, **options) as server:
                ready.set_result((server, lambda: loop.call_soon_threadsafe(over.set)))
                await over.wait()
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    try:
        server, stop = ready.result(PATIENCE)
        try:
            yield server
        finally:
            stop()
    finally:
        thread.join(PATIENCE)


@dataclass(frozen=True)
class Said:
    """What a command came to: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def report(self):
        """The document on stdout, where nothing else may stand."""
        assert self.out, self.err
        return json.loads(self.out)

    @property
    def rows(self):
        """The rows of the report by number."""
        return {row["number"]: row for row in self.report["numbers"]}

    def outcomes(self):
        """Outcomes by number."""
        return {number: row["outcome"] for number, row in self.rows.items()}

    def totals(self):
        """The outcomes that occurred, and how often."""
        return {name: count for name, count in self.report["totals"].items() if count and name != "planned"}

    @property
    def notes(self):
        """All sentences about why the run ended as it did."""
        return "\n".join(self.report["run"]["notes"])


def call(*args):
    """Run a command in this process, as its entry point does."""
    out, err, argv, hangup = io.StringIO(), io.StringIO(), sys.argv, signal.getsignal(signal.SIGHUP)
    sys.argv = ["teardown", *map(str, args)]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as left:
        return Said(left.code or 0, out.getvalue(), err.getvalue())
    finally:
        sys.argv = argv
        signal.signal(signal.SIGHUP, hangup)
    raise AssertionError("the command did not exit")


class Bench:
    """A sandbox with nothing in it, an empty state folder, and a config with an account of each provider."""

    def __init__(self, folder, server, faults):
        self.folder, self.server, self.faults = folder, server, faults
        self.world, self.record = server.world, server.world.record
        self.state = folder / "state"
        self._plans = 0
        self.configure()

    def configure(self, *, retry=None, accounts=None, **more):
        """Write the config; ``accounts`` adds to what the account of a name has, or is a new one; None takes out."""
        unpod = {"provider": "unpod", "org_handle": ORG_HANDLE}
        each = {"unpod-main": unpod, "videosdk-main": {"provider": "videosdk"}}
        for name, extra in (accounts or {}).items():
            each[name] = each.get(name, {}) | extra
        common = {"base_url": self.server.url, "token": "${E2E_TOKEN}", "rate": "1000/s", "concurrency": 4}
        whole = {
            name: {key: value for key, value in (common | account).items() if value is not None}
            for name, account in each.items()
        }
        config = {"accounts": whole, "retry": RETRY | (retry or {})}
        (self.folder / "config.yaml").write_text(json.dumps(config | more, indent=1))

    def plan(self, *groups, name="test-plan", **more):
        """Write a plan of these groups, and return its path."""
        self._plans += 1
        path = self.folder / f"plan{self._plans}.yaml"
        path.write_text(json.dumps({"version": 1, "name": name, **more, "teardown": list(groups)}, indent=1))
        return path

    def sales(self, count=4, **guards):
        """Attach so many numbers to the bridge ``sales``, and return the plan to detach them and the numbers."""
        listed = numbers(count, 101)
        self.world.unpod.add_bridge("sales", listed)
        return self.plan(bridge("sales", listed), **({"guards": guards} if guards else {})), listed

    def run(self, plan, *options):
        """Run a plan, and hold its report against what is true in the sandbox and what was sent."""
        return self._checked("run", plan, "--yes", *options)

    def check(self, plan, *options):
        """Check a plan in the same way; nothing may have been sent."""
        said = self._checked("check", plan, *options)
        assert not self.record or {entry.method for entry in self.record[self._before :]} <= {"GET"}
        return said

    def resume(self, *options):
        """Go on with a run in the same way."""
        return self._checked("resume", "--yes", *options)

    def rollback(self, said, *options):
        """Put back the run that ``said`` is the report of, in the same way."""
        return self._checked("rollback", said.report["run"]["id"], "--yes", *options)

    def _checked(self, *args):
        self._before = len(self.record)
        said = call(*args, "--json")
        if said.out:
            agree(said.report, self.world, self.record[self._before :])
            assert said.code == said.report["run"]["exit_code"]
            assert said.report == json.loads((self.run_folder(said) / "report.json").read_text())
        return said

    def newest(self):
        """Return the id of the newest run."""
        return json.loads(call("status", "--json").out)["runs"][0]["id"]

    def run_folder(self, said):
        """Return the folder of the run that a report is about."""
        return self.state / "runs" / said.report["run"]["id"]

    def log(self, said):
        """Return the events of the run's log."""
        return [json.loads(line) for line in (self.run_folder(said) / "log.jsonl").read_text().splitlines()]

    def detaches(self):
        """Return every detach request that has arrived."""
        return [entry for entry in self.record if entry.kind == "detach"]

    def attaches(self):
        """Return every attach request that has arrived."""
        return [entry for entry in self.record if entry.kind == "attach"]

    def at_detach(self, nth, work, kind="detach"):
        """Do ``work`` when the ``nth`` detach request (or of another ``kind``) arrives, before it is served."""
        left = iter(range(1, nth + 1))

        def hook(entry):
            if entry.kind == kind and next(left, None) == nth:
                work()

        self.world.on_request.append(hook)

    def slow_down(self, listed, seconds):
        """Let each detach request for the numbers ``listed`` take so long."""
        self.faults.seconds["slow"] = seconds
        for number in listed:
            self.faults.script(number, ["slow"] * 5)

    def start(self, *args, **options):
        """Start the real command as a process."""
        command = [sys.executable, "-m", "runner", *map(str, args)]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, **pipes | options)

    def struck(self, number, nth, *args, kind="detach"):
        """Run the real command to its end; the signal ``number`` reaches it with its ``nth`` detach request."""
        started = []
        self.at_detach(nth, lambda: started[0].send_signal(number), kind=kind)
        started.append(self.start(*args))
        return finish(started[0])

    @contextmanager
    def at_work(self, nth, plan):
        """Run ``plan`` in a process that is killed after the block, which begins with its ``nth`` detach request."""
        arrived = threading.Event()
        self.at_detach(nth, arrived.set)
        process = self.start("run", plan, "--yes")
        try:
            assert arrived.wait(PATIENCE), "the run did not get so far"
            yield process
        finally:
            process.kill()
            finish(process)

    def process(self, *args, **options):
        """Run the real command as a process to its end."""
        return finish(self.start(*args, **options))


def finish(process):
    """Wait for a process, and return what it came to; its code is negative when a signal killed it."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Said(process.returncode, out, err)


def private(path):
    """Return the permission bits of a file or folder."""
    return path.stat().st_mode & 0o777


def environment(**more):
    """Return this process's environment with changes; None takes a variable out."""
    return {name: value for name, value in (os.environ | more).items() if value is not None}


def root():
    """Return the repository's folder."""
    return Path(__file__).parents[2]
