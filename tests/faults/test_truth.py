"""Two accounts, hundreds of numbers, every kind of fault: the report is true against the provider's own record."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from contextlib import contextmanager

import aiohttp
import pytest

from runner.begin import Options
from runner.config import Account, SecretRef, Settings
from runner.operate import Front, start
from runner.plan import load
from runner.policy import Rate, RetryPolicy
from runner.progress import NoProgress
from runner.sandbox import ORG_HANDLE, TOKEN, Faults, World, serve
from runner.state import StateFolder

GONE = {"detached", "already_detached"}
ALL_FAULTS = ",".join(
    f"{kind}=5%{detail}"
    for kind, detail in {
        "lost_before": "", "lost_after": "", "reset_before": "", "http_500_before": "", "http_500_after": "",
        "http_502_html": "", "http_503": ":0s", "http_429": ":0s", "truncated": "", "garbage": "", "wrong_slug": "",
        "redirect": "", "business_206": "", "http_400_after": "", "read_500": "", "read_reset": "", "read_garbage": "",
    }.items()
)  # fmt: skip


def plan_text(count: int) -> str:
    """A plan of ``count`` numbers, spread over three bridges and a gateway."""
    groups = []
    for k, (account, target) in enumerate(
        [("unpod", "bridge: one"), ("unpod", "bridge: two"), ("unpod", "bridge: three"), ("video", "gateway: gw_1")]
    ):
        numbers = ", ".join(f"+1415555{i:04d}" for i in range(k * count // 4, (k + 1) * count // 4))
        groups.append(f"  - {{account: {account}, {target}, numbers: [{numbers}]}}\n")
    return "version: 1\nname: faults\nteardown:\n" + "".join(groups)


def settings_for(url: str) -> Settings:
    """Two accounts at the sandbox, with short delays."""
    token = SecretRef.literal(TOKEN)
    return Settings(
        accounts={
            "unpod": Account("unpod", "unpod", url, org_handle=ORG_HANDLE, rate=Rate(2000), timeout=5, token=token),
            "video": Account("video", "videosdk", url, rate=Rate(2000), timeout=5, token=token),
        },
        retry=RetryPolicy(base_delay=0.01, max_delay=0.2, max_throttle_wait=60),
    )


def front() -> Front:
    """Nobody watches."""
    return Front(console=io.StringIO(), progress=NoProgress(io.StringIO()))


@pytest.mark.parametrize("seed", range(4))
async def test_every_row_is_true(tmp_path, seed):
    """Every fault at 5 % each: the run ends, every number has one outcome, and each agrees with the server."""
    (tmp_path / "plan.yaml").write_text(plan_text(500))
    plan = load(tmp_path / "plan.yaml")
    async with serve(World.from_plan(plan.groups), faults=Faults.parse(ALL_FAULTS, seed=seed)) as server:
        report = await start(plan, settings_for(server.url), StateFolder(tmp_path / "state"), Options(), front())
        rows = list(report.numbers())
        assert len(rows) == report.totals["planned"] == 500
        for row in rows:
            attached = server.world.attached(row["provider"], row["target"], row["number"])
            assert attached == (row["outcome"] not in GONE), row
            assert row["outcome"] in GONE | {"failed"}, row
        assert report.exit_code == (4 if report.totals["failed"] else 0)
        assert report.totals["detached"] > 400


async def test_a_second_run_sends_nothing(tmp_path):
    """Running the same plan again finds everything gone and sends no detach request."""
    (tmp_path / "plan.yaml").write_text(plan_text(60))
    plan = load(tmp_path / "plan.yaml")
    async with serve(World.from_plan(plan.groups)) as server:
        settings, state = settings_for(server.url), StateFolder(tmp_path / "state")
        first = await start(plan, settings, state, Options(), front())
        sent = sum(request.kind == "detach" for request in server.world.record)
        second = await start(plan, settings, state, Options(), front())
        assert (first.exit_code, second.exit_code) == (0, 0)
        assert sent == 60
        assert sum(request.kind == "detach" for request in server.world.record) == 60
        assert second.totals["already_detached"] == 60


@contextmanager
def limited_sandbox(plan, rate):
    """A sandbox in a process of its own, which counts every sliding second and answers 429 beyond ``rate``."""
    command = [sys.executable, "-m", "runner", "sandbox", "--port", "0", "--rate-limit", str(rate), "--plan", str(plan)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield next(found[0] for line in process.stdout if (found := re.search(r"http://127[\d.:]+", line)))
        finally:
            process.terminate()


@pytest.mark.usefixtures("uncovered")
@pytest.mark.parametrize("rate", [10, 100])
async def test_no_second_is_above_the_rate(tmp_path, rate):
    """At its own limit a provider that counts every sliding second never answers 429.

    A machine that stalls the provider makes it count late what came in time, so it gets three chances.
    """
    (tmp_path / "plan.yaml").write_text(plan_text(rate * 2))
    plan = load(tmp_path / "plan.yaml")
    for _ in range(3):
        with limited_sandbox(plan.path, rate) as url:
            options = Options(rates={"unpod": Rate(rate), "video": Rate(rate)})
            report = await start(plan, settings_for(url), StateFolder(tmp_path / "state"), options, front())
            async with aiohttp.ClientSession() as session, session.get(f"{url}/_sandbox/record") as answer:
                record = await answer.json()
        assert report.exit_code == 0
        assert len(record["requests"]) > rate * 2
        throttled = sum(lane["throttled"] for lane in report.lanes)
        if not throttled:
            break
    assert throttled == 0
    assert max(record["busiest_second"].values()) <= rate
