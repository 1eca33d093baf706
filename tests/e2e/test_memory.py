"""Many numbers stay small: what a plan says of one is a few bytes, and a run holds a target's at a time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench import bridge, numbers

LAUNCHER = Path(__file__).parents[2] / "benchmarks" / "launcher.py"
PER_BRIDGE = 500
MANY = int(os.environ.get("TEARDOWN_SOAK_NUMBERS", "6000"))
FEW = 1000
pytestmark = pytest.mark.usefixtures("uncovered")


def peak(bench, listed, name):
    """Run a plan of these numbers as a process, and return its exit code and its largest memory in KiB."""
    groups = []
    for first in range(0, len(listed), PER_BRIDGE):
        slug = f"{name}-{first}"
        bench.world.unpod.add_bridge(slug, listed[first : first + PER_BRIDGE])
        groups.append(bridge(slug, listed[first : first + PER_BRIDGE]))
    plan = bench.plan(*groups, guards={"max_numbers": 10**7})
    return measured("run", plan, "--yes", "--no-progress", "-q")


def measured(*args):
    """Run a command as a process, and return its exit code and its largest memory in KiB, without what ours has."""
    command = [sys.executable, "-S", LAUNCHER, sys.executable, "-m", "runner", *map(str, args)]
    _, _, largest, code = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return int(code), int(largest)


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
    assert large < 150 * 1024
    assert bench.world.useless_detaches() == []


@pytest.mark.parametrize(
    ("line", "most"), [("      - +1212{}\n", 150), ("      - number: +1212{}\n", 180), (None, 150)]
)
def test_a_plan_takes_few_bytes_a_number(bench, line, most):
    """What the file itself has of a number, and some tens of bytes more; as many as that in a number file."""
    sizes = []
    for count in (10_000, 110_000):
        plan, digits = bench.folder / "big.yaml", range(2_000_000, 2_000_000 + count)
        text = "version: 1\nname: big\nteardown:\n  - account: unpod-main\n    bridge: sales\n    numbers"
        if line:
            plan.write_text(f"{text}:\n" + "".join(map(line.format, digits)))
        else:
            plan.write_text(f"{text}_from: big.csv\n")
            (bench.folder / "big.csv").write_text("number\n" + "".join(f"+1212{each}\n" for each in digits))
        code, size = measured("validate", plan, "-q")
        assert code == 0
        sizes.append(size)
    assert (sizes[1] - sizes[0]) * 1024 / 100_000 < most, sizes


def test_a_huge_bridge_takes_hundreds_of_bytes_a_number(bench):
    """All of its numbers come in one answer, of which each stays as it came until it is asked for."""
    sizes, counts = [], (5_000, 45000)
    for count in counts:
        listed = [f"+1212{index:07d}" for index in range(2_000_000, 2_000_000 + count)]
        bench.world.unpod.add_bridge(f"of-{count}", listed)
        plan = bench.plan(bridge(f"of-{count}", listed), guards={"max_numbers": 10**7})
        code, size = measured("check", plan, "-q", "--no-progress")
        assert code == 0
        sizes.append(size)
    assert len(bench.record) == 2
    assert (sizes[1] - sizes[0]) * 1024 / (counts[1] - counts[0]) < 900, sizes
