"""SIGKILL at any instant: every number once, true, and no detach request for a number that was already gone."""

import os
import random
import signal

import pytest
from bench import Bench, Said, agree, bridge, finish, gateway, numbers, serving

from runner.sandbox import Faults, World

pytestmark = pytest.mark.usefixtures("uncovered")
KILLS = int(os.environ.get("TEARDOWN_SOAK_KILLS", "14"))
FAULTS = "lost_before=3%,lost_after=3%,http_500_after=3%,http_429=1%:0s,read_500=3%,read_reset=2%"


@pytest.fixture
def faulty_bench(tmp_path, monkeypatch, seed):
    """Give a bench whose provider fails in every tenth request."""
    monkeypatch.setenv("TEARDOWN_STATE_DIR", str(tmp_path / "state"))
    faults = Faults.parse(FAULTS, seed=seed)
    with serving(World(show_configurations=True), faults=faults) as server:
        yield Bench(tmp_path, server, faults)


def plan_of(bench, count):
    """Attach ``count`` numbers to two bridges and a gateway, and return the plan to detach them."""
    listed = numbers(count)
    one, two, three = listed[: count // 2], listed[count // 2 : -count // 4], listed[-count // 4 :]
    bench.world.unpod.add_bridge("one", one)
    bench.world.unpod.add_bridge("two", two)
    for number in three:
        bench.world.attach("videosdk", "gw_1", number)
    return bench.plan(bridge("one", one), bridge("two", two), gateway(three, "gw_1"))


def killing_at(bench, nth, process):
    """Kill the process of the list when the ``nth`` request from now on arrives; return what takes that back."""
    left = iter(range(nth))

    def hook(_):
        if next(left, None) == nth - 1 and process:
            process[0].kill()

    bench.world.on_request.append(hook)
    return lambda: bench.world.on_request.remove(hook)


def survive(bench, plan, kills, seed):
    """Run ``plan``, killed so many times at random requests and resumed each time; return the last process."""
    chance, said, killed, args = random.Random(seed), Said(-signal.SIGKILL, "", ""), 0, ("run", plan)  # noqa: S311 - a test
    while said.code == -signal.SIGKILL:
        process = []
        forget = killing_at(bench, chance.randint(1, 40), process) if killed < kills else lambda: None
        process.append(bench.start(*args, "--yes", "--json", "--no-progress"))
        said = finish(process[0])
        killed += said.code == -signal.SIGKILL
        forget()
        args = ("resume",)
    return said, killed


@pytest.mark.parametrize("seed", range(max(1, KILLS // 14)))
def test_killed_at_random_moments(faulty_bench, seed):
    """Over all kills no number is lost, reported wrongly, or sent again once it is gone."""
    bench = faulty_bench
    bench.configure(accounts={"unpod-main": {"rate": "200/s"}, "videosdk-main": {"rate": "200/s"}})
    plan = plan_of(bench, 240)
    said, killed = survive(bench, plan, min(KILLS, 14), seed)
    assert said.code in {0, 4}, said.err
    assert killed >= 5
    print(f"{killed} kills, {len(bench.record)} requests, {said.totals()}")  # noqa: T201 - the figures of a soak, with pytest -rP
    agree(said.report, bench.world, bench.record)
    assert set(said.totals()) <= {"detached", "already_detached", "failed"}
    assert bench.world.useless_detaches() == []


def test_without_a_true_look_numbers_would_be_sent_twice(bench):
    """The control: when looks show the state before the kill, the same kills do send numbers that are gone."""
    bench.world.habits.lag = 1000.0
    plan = plan_of(bench, 120)
    process = []
    killing_at(bench, 60, process)
    process.append(bench.start("run", plan, "--yes", "--no-verify"))
    assert finish(process[0]).code == -signal.SIGKILL
    bench.process("resume", "--yes", "--no-verify")
    assert bench.world.useless_detaches() != []
