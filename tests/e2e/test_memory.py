"""A run of many numbers stays small: what is in memory is a lane's block, not the plan's history."""

import os

from bench import bridge, numbers

PER_BRIDGE = 500
MANY = int(os.environ.get("TEARDOWN_SOAK_NUMBERS", "6000"))
FEW = 1000


def peak(bench, listed, name):
    """Run a plan of these numbers as a process, and return its exit code and its largest memory in KiB."""
    groups = []
    for first in range(0, len(listed), PER_BRIDGE):
        slug = f"{name}-{first}"
        bench.world.unpod.add_bridge(slug, listed[first : first + PER_BRIDGE])
        groups.append(bridge(slug, listed[first : first + PER_BRIDGE]))
    plan = bench.plan(*groups, guards={"max_numbers": 10**7})
    process = bench.start("run", plan, "--yes", "--no-progress", "-q", stdout=None, stderr=None)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss


def test_memory_grows_by_less_than_three_kilobytes_a_number(bench):
    """More numbers, faults included, cost little more memory: a name and a place, no task and no open answer."""
    bench.configure(accounts={"unpod-main": {"rate": "100000/s", "concurrency": 16}})
    few, many = numbers(FEW), [f"+1212{index:07d}" for index in range(2_000_000, 2_000_000 + MANY)]
    for index, number in enumerate(many):
        if index % 20 == 0:
            bench.faults.script(number, ["lost_after" if index % 40 else "http_500_before"])
    code, small = peak(bench, few, "few")
    assert code == 0
    code, large = peak(bench, many, "many")
    assert code == 0
    assert (large - small) * 1024 / (MANY - FEW) < 3000, (small, large)
    assert bench.world.useless_detaches() == []
