"""Runs from Python: what a script that imports the package can rely on."""

import asyncio
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runner import (
    Account,
    BusyError,
    Front,
    Group,
    Guards,
    InputError,
    Options,
    Plan,
    Rate,
    RetryPolicy,
    Settings,
    StateFolder,
    TeardownError,
    Window,
    find_resumable,
    resume,
    start,
)
from runner.config import Hook, Hooks, SecretRef
from runner.errors import LedgerError, RecordingFailed
from runner.sandbox import ORG_HANDLE, TOKEN, Faults, World, serve

LISTED = tuple(f"+1415555{index:04d}" for index in range(101, 113))


class Lab:
    """A sandbox on the test's own loop, settings that lead to it, and a plan of one bridge, all made in code."""

    def __init__(self, server, faults, folder):
        self.world, self.faults, self.state = server.world, faults, StateFolder(folder / "state")
        account = Account("main", "unpod", server.url, ORG_HANDLE, rate=Rate(1000), concurrency=2)
        account = replace(account, token=SecretRef.literal(TOKEN))
        self.settings = Settings({"main": account}, RetryPolicy(3, 0.01, 0.05, 5.0))
        self.plan = Plan(
            name="in-code",
            description=None,
            metadata={},
            path="nowhere.yaml",
            sha256="0" * 64,
            text="made in code\n",
            guards=Guards(),
            window=None,
            groups=(Group("main", "unpod", "sales", LISTED, {}, if_missing=False, reattach={}, place=""),),
            warnings=(),
        )

    async def start(self, plan=None, front=None, **options):
        return await start(plan or self.plan, self.settings, self.state, Options(**options), front or Front())

    async def resume(self, report, **options):
        return await resume(report.run["id"], self.settings, self.state, Options(**options), Front())

    def at_detach(self, nth, work):
        """Do ``work`` when the ``nth`` detach request arrives."""
        left = iter(range(1, nth + 1))
        hook = lambda entry: work() if entry.kind == "detach" and next(left, None) == nth else None  # noqa: E731
        self.world.on_request.append(hook)

    def attached(self):
        return [number for number in LISTED if self.world.attached("unpod", "sales", number)]


@pytest.fixture
async def lab(tmp_path):
    """Give a sandbox in which everything of the plan is attached."""
    world, faults = World(), Faults()
    world.unpod.add_bridge("sales", LISTED)
    async with serve(world, faults=faults) as server:
        yield Lab(server, faults, tmp_path)


async def test_look_then_run(lab):
    """A dry run changes nothing; the run detaches all; its rows and totals agree with each other and the world."""
    looked = await lab.start(dry_run=True)
    assert (looked.status, looked.totals["would_detach"], lab.attached()) == ("dry_run", 12, list(LISTED))
    report = await lab.start(reason="CHG-1")
    assert (report.status, report.exit_code, report.totals["detached"], lab.attached()) == ("succeeded", 0, 12, [])
    assert [row["number"] for row in report.numbers()] == list(LISTED)
    assert report.run["reason"] == "CHG-1"
    assert (lab.state.run_folder(report.run["id"]) / "plan.yaml").read_text() == "made in code\n"


async def test_confirm_decides(lab):
    """It is given what the pre-check saw; without its yes nothing is sent, and the run is blocked."""
    asked = []

    async def no(preview):
        asked.append((preview.to_detach, [(target.account, target.target) for target in preview.targets]))
        return False

    report = await lab.start(front=Front(confirm=no))
    assert (report.status, report.exit_code, report.totals["pending"]) == ("blocked", 3, 12)
    assert asked == [(12, [("main", "sales")])]
    assert lab.attached() == list(LISTED)


async def test_the_clock_is_given(lab):
    """Windows and times go by the clock of the front, so that nobody has to wait for them."""
    opens = datetime(2031, 5, 1, 1, tzinfo=UTC)
    plan = replace(lab.plan, window=Window(opens, opens + timedelta(hours=4)))
    at = [opens.timestamp() - 1, opens.timestamp() + 5 * 3600, opens.timestamp() + 60]
    codes = []
    for now in at:
        report = await lab.start(plan, Front(clock=lambda now=now: now))
        codes.append(report.exit_code)
    assert codes == [3, 3, 0]
    assert report.run["started_at"] == "2031-05-01T01:01:00.000Z"
    assert report.run["id"].startswith("20310501T010100000Z-")


async def test_interrupted_from_the_loop(lab):
    """``started`` hands out the run; its interrupt drains as a signal does, and a resume finishes it."""
    runs = []
    lab.at_detach(4, lambda: runs[0].interrupt(signal.SIGTERM))
    report = await lab.start(front=Front(started=runs.append))
    assert (report.status, report.exit_code, report.run["signal"]) == ("interrupted", 143, 15)
    assert 3 <= report.totals["detached"] <= 5
    finished = await lab.resume(report)
    assert (finished.run["id"], finished.exit_code, finished.totals["detached"]) == (report.run["id"], 0, 12)
    assert lab.world.useless_detaches() == []
    assert sum(entry.kind == "detach" for entry in lab.world.record) == 12


async def test_cancelled(lab):
    """Cancelling is as safe as killing: the lane is free at once, and the resume sends nothing twice."""
    lab.faults.script(LISTED[0], ["hang_after"])
    arrived = asyncio.Event()
    lab.at_detach(5, arrived.set)
    task = asyncio.create_task(lab.start())
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    record = find_resumable(lab.state, None, retry_failed=False)
    report = await resume(record.id, lab.settings, lab.state, Options(), Front())
    assert (report.exit_code, report.totals["detached"], lab.attached()) == (0, 12, [])
    assert lab.world.useless_detaches() == []


async def test_one_run_per_account_in_one_process_too(lab):
    """A second run on the same account is refused while the first one is alive, and not afterwards."""
    refused = []

    async def second(_preview):
        with pytest.raises(BusyError, match="account main is held by run"):
            await lab.start()
        refused.append(True)
        return True

    assert (await lab.start(front=Front(confirm=second))).exit_code == 0
    assert refused == [True]
    assert (await lab.start()).totals["already_detached"] == 12


async def test_what_cannot_be_used(lab):
    """Everything that is wrong is told at once, before anything is sent, as one kind of error."""
    elsewhere = replace(lab.plan.groups[0], account="nobody")
    plan = replace(lab.plan, groups=(*lab.plan.groups, elsewhere))
    with pytest.raises(InputError) as told:
        await lab.start(plan, rates={"ghost": Rate(1)})
    assert [str(problem) for problem in told.value.problems] == [
        "there is no account 'nobody' in the config; add it under accounts",
        "--rate: the plan uses no account 'ghost'",
    ]
    with pytest.raises(InputError, match="leave nothing of the plan"):
        await lab.start(exclude=("main",))
    with pytest.raises(InputError, match="nothing to resume"):
        find_resumable(lab.state, None, retry_failed=True)
    assert issubclass(InputError, TeardownError)
    assert list(lab.world.record) == []


async def test_a_secret_is_read_when_it_is_used(lab):
    """A reference that leads nowhere is an InputError; the repr of settings shows no secret."""
    assert TOKEN not in repr(lab.settings)
    account = replace(lab.settings.accounts["main"], token=SecretRef("env", "NOT_SET_ANYWHERE", "config.yaml:4:12"))
    lab.settings = replace(lab.settings, accounts={"main": account})
    with pytest.raises(InputError, match="NOT_SET_ANYWHERE is not set or blank"):
        await lab.start(front=Front(environ={}))


@pytest.mark.parametrize(
    ("error", "raised", "told"),
    [
        (RuntimeError("of some library: secret"), RuntimeError, "Broken off: a bug in teardown (RuntimeError)"),
        (LedgerError("the disk is full"), RecordingFailed, "Broken off: the disk is full; nothing more was sent; "),
    ],
)
async def test_a_run_that_breaks_off_is_told_as_failure(lab, tmp_path, error, raised, told):
    """Hooks hear of a run without a report, after its lanes are free, and the error stays what it was."""
    write = "import os, sys; open(sys.argv[1], 'a').write('{TEARDOWN_HOOK} {TEARDOWN_MESSAGE}\\n'.format(**os.environ))"
    hook = Hook((sys.executable, "-c", write, str(tmp_path / "heard")))
    lab.settings = replace(lab.settings, hooks=Hooks({"failure": hook, "finish": hook}))

    def fail(_preview):
        raise error

    with pytest.raises(raised):
        await lab.start(front=Front(preview=fail))
    first, last = (tmp_path / "heard").read_text().splitlines()
    assert first.startswith(f"failure {told}")
    assert last.startswith(f"finish {told}")
    assert "secret" not in first
