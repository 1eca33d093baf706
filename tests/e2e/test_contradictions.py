"""The provider contradicts itself, or goes away: the run waits, looks again, and believes only what it saw."""

import asyncio
import contextlib

import pytest
from bench import bridge, gateway, numbers

from runner.sandbox import serve


def test_reads_that_lag_behind(bench):
    """A confirmed detach that looks attached for a while is looked at again before it is called failed."""
    bench.configure(retry={"max_attempts": 3, "base_delay": "100ms", "max_delay": "1s"})
    bench.world.habits.lag = 0.5
    plan, _ = bench.sales(4)
    said = bench.run(plan)
    assert (said.code, said.totals()) == (0, {"detached": 4})
    assert {row["confirmed_by"] for row in said.rows.values()} == {"response"}
    assert all(row["verified"] for row in said.rows.values())


def test_a_confirmed_detach_that_never_shows(bench):
    """A success that a patient look never sees is failed, and is not sent again: somebody may have attached it."""
    plan, (number, *_) = bench.sales(2)
    bench.faults.script(number, ["lying_200"])
    said = bench.run(plan)
    assert (said.code, said.outcomes()[number]) == (4, "failed")
    assert said.rows[number]["error"]["code"] == "still_attached"
    assert len(bench.world.detach_requests(number)) == 1


@pytest.mark.parametrize("provider", ["unpod", "videosdk"])
def test_a_number_that_somebody_attaches_again(bench, provider):
    """A number that hangs on something else after its detach was confirmed is failed as reattached."""
    first, second = listed = numbers(2)
    if provider == "unpod":
        bench.world.unpod.add_bridge("sales", listed)
        plan = bench.plan(bridge("sales", listed))
    else:
        for number in listed:
            bench.world.attach("videosdk", "gw_1", number)
        plan = bench.plan(gateway(listed))
    bench.configure(accounts={f"{provider}-main": {"concurrency": 1}})
    target = "sales" if provider == "unpod" else "gw_2"
    bench.at_detach(2, lambda: bench.world.attach(provider, target, first))
    said = bench.run(plan)
    assert (said.code, said.outcomes()) == (4, {first: "failed", second: "detached"})
    assert said.rows[first]["error"]["code"] == "reattached"
    assert len(bench.world.detach_requests(first)) == 1


def test_a_bridge_that_is_deleted_half_way(bench):
    """Numbers of a bridge that disappears during a run are settled with that reason."""
    plan, _ = bench.sales(6)
    bench.configure(accounts={"unpod-main": {"concurrency": 1}})
    bench.at_detach(3, lambda: bench.world.unpod.remove_bridge("sales"))
    said = bench.run(plan)
    assert said.code == 0
    assert said.totals() == {"detached": 2, "already_detached": 4}
    assert {row["reason"] for row in said.rows.values()} == {None, "target_gone"}
    assert len(bench.detaches()) == 6


class Outage:
    """Stands where the provider stood, and hangs up on everybody."""

    def __init__(self, port, enough):
        self.port, self.enough, self.calls, self.over = port, enough, 0, asyncio.Event()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._hang_up, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def _hang_up(self, _, writer):
        self.calls += 1
        writer.close()
        if self.calls >= self.enough:
            self.over.set()


async def interrupted(bench, world, args, *, calls, comes_back):
    """Run a command while the provider goes away at the tenth detach, and comes back after so many ``calls``."""
    gone = asyncio.Event()
    world.on_request.append(
        lambda entry: gone.set() if entry.kind == "detach" and entry.number.endswith("10") else None
    )
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve(world))
        port = int(server.url.rsplit(":", 1)[1])
        bench.configure(
            retry={"max_attempts": 4, "base_delay": "10ms", "max_delay": "500ms"},
            accounts={name: {"base_url": server.url, "timeout": "2s"} for name in ("unpod-main", "videosdk-main")},
        )
        process = bench.start(*args)
        await gone.wait()
        await stack.aclose()
        async with Outage(port, calls) as outage:
            waiting = asyncio.create_task(outage.over.wait()) if comes_back else asyncio.create_task(ended(process))
            await waiting
        if not comes_back:
            return process.communicate()
    async with serve(world, port=port):
        await ended(process)
        return process.communicate()


async def ended(process):
    """Wait for a process without stopping the loop that serves it."""
    await asyncio.to_thread(process.wait, 60)


def outage_plan(bench):
    """Attach 40 numbers to a bridge of the bench's world, and return the plan to detach them."""
    listed = numbers(40)
    bench.world.unpod.add_bridge("sales", listed)
    return bench.plan(bridge("sales", listed))


def test_down_for_a_while(bench):
    """A provider that goes away is waited for; then the run goes on, and nothing is sent twice."""
    plan = outage_plan(bench)
    args = ("run", plan, "--yes", "--json", "--no-progress", "--rate", "unpod-main=50/s")
    out, err = asyncio.run(interrupted(bench, bench.world, args, calls=12, comes_back=True))
    assert '"status":"succeeded"' in out.replace(" ", ""), err
    assert bench.world.useless_detaches() == []
    assert not any(bench.world.attached("unpod", "sales", number) for number in numbers(40))


def test_down_for_good(bench):
    """A provider that stays away ends the run in bounded time, with nothing guessed; a later resume finishes it."""
    plan = outage_plan(bench)
    args = ("run", plan, "--yes", "--json", "--no-progress", "--rate", "unpod-main=50/s")
    out, err = asyncio.run(interrupted(bench, bench.world, args, calls=10**9, comes_back=False))
    assert '"status":"aborted"' in out.replace(" ", ""), err
    assert "has not answered" in err or "stayed away" in err
    bench.configure()
    said = bench.resume("--retry-failed")
    assert (said.code, set(said.totals())) == (0, {"detached"})
    assert bench.world.useless_detaches() == []
