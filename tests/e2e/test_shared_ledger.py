"""Several processes at one ledger: none is refused, and what one of them writes is never lost to the others."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier, Semaphore

import pytest
from bench import PATIENCE, bridge, call, gateway

from runner.ledger import Ledger

pytestmark = pytest.mark.usefixtures("uncovered")


def test_begun_by_several_at_once(tmp_path):
    """A ledger that does not exist yet may be opened by many at the same moment; whoever is second waits."""
    together = Barrier(4, timeout=5)

    def open_them():
        for index in range(40):
            together.wait()
            with closing(Ledger(tmp_path / str(index) / "ledger.db")) as ledger:
                assert ledger.history.runs() == []

    with ThreadPoolExecutor(4) as threads:
        for each in [threads.submit(open_them) for _ in range(4)]:
            each.result()


def test_opened_twice_by_one_process(bench):
    """A second connection that closes takes no lock from the first, or the next reader would drop what comes after."""
    plan, _ = bench.sales(2)
    run = bench.check(plan).report["run"]["id"]
    with closing(Ledger(bench.state / "ledger.db")) as ledger:
        Ledger(bench.state / "ledger.db").close()
        assert bench.process("status").code == 0
        ledger.finish(run, 1_900_000_000.0, "finished", None, ["written after somebody else has looked"])
        seen = json.loads(bench.process("status", "--json").out)["runs"]
    assert seen[0]["notes"] == ["written after somebody else has looked"]


def test_runs_of_two_accounts_at_once(bench):
    """Runs on different accounts work on one ledger at the same time, while others look at it all the time."""
    plan, listed = bench.sales(10)
    for number in listed:
        bench.world.attach("videosdk", "gw_1", number)
    bench.slow_down(listed, 0.05)
    other = bench.plan(gateway(listed, "gw_1"))
    processes = [bench.start("run", each, "--yes", "--json") for each in (plan, other)]
    looks = 0
    while any(process.poll() is None for process in processes):
        looks += 1
        assert call("status", "--json").code == 0
    reports = [json.loads(process.communicate()[0]) for process in processes]
    assert [(each["run"]["exit_code"], each["totals"]["detached"]) for each in reports] == [(0, 10), (0, 10)]
    assert looks > 1
    ids = [run["id"] for run in json.loads(call("status", "--json").out)["runs"]]
    assert sorted(ids) == sorted(each["run"]["id"] for each in reports)


def test_one_of_two_runs_that_begin_at_once(bench):
    """Of runs that begin at the same moment on one account, one does the work and the others exit 75."""
    plan, listed = bench.sales(3)
    refused = Semaphore(0)
    bench.at_detach(1, lambda: [refused.acquire(timeout=PATIENCE) for _ in range(2)])

    def end(process):
        process.communicate()
        refused.release()

    processes = [bench.start("run", plan, "--yes") for _ in range(3)]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(end, processes))
    assert sorted(process.returncode for process in processes) == [0, 75, 75]
    assert sorted(entry.number for entry in bench.detaches()) == listed
    assert bench.run(bench.plan(bridge("sales", listed))).totals() == {"already_detached": 3}
