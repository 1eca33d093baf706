"""How much memory? The peak of whole processes at two sizes, and what a number adds."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Answer, Size, ask, run
from benchmarks.runs import prepared, teardown
from benchmarks.serving import serving
from benchmarks.workload import PER_BRIDGE, Workload, number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.measure import Usage

RUN = 200_000
PLAN = 1_000_000
_HEAD = "version: 1\nname: benchmark\nteardown:\n  - provider: unpod\n    bridge: sales\n"
_KINDS: dict[str, Callable[[int], str]] = {
    "strings": lambda index: f'      - "{number(index)}"\n',
    "mappings": lambda index: f"      - number: {number(index)}\n        note: desk {index}\n",
}


def memory(size: Size) -> Answer:
    """Measure each once, at a tenth of its size and in whole: memory does not depend on the weather."""
    work: dict[str, tuple[int, Callable[[int], Usage]]] = {
        "run, 500 on a bridge": (size.of(RUN), _run),
        "run, all on one bridge": (size.of(RUN), _run_one_bridge),
        "run, one VideoSDK account": (size.of(RUN), partial(_run, provider="videosdk")),
    }
    for kind in ("csv", *_KINDS):
        name = "validate, CSV" if kind == "csv" else f"validate, YAML {kind}"
        work[name] = (size.of(PLAN), partial(_validate, kind))
    rows, figures = [], dict[str, float]()
    for name, (count, measure) in work.items():
        print(f"  {name}, {count:,} numbers", file=sys.stderr, flush=True)
        few, many = measure(max(1, count // 10)), measure(count)
        growth = (many.peak_kib - few.peak_kib) * 1024 / (count - count // 10)
        rows.append(_row(name, count, few, many, growth))
        figures |= {f"{name} peak MB": round(many.peak_kib / 1024, 1), f"{name} bytes a number": round(growth)}
    return Answer("memory", "Memory of whole processes", rows, figures)


def _row(name: str, count: int, few: Usage, many: Usage, growth: float) -> Mapping[str, Any]:
    return {
        "command": name,
        "numbers": f"{count:,}",
        "peak MB": f"{many.peak_kib / 1024:.0f}",
        "peak MB at a tenth": f"{few.peak_kib / 1024:.0f}",
        "bytes a number": f"{growth:,.0f}",
        "CPU s": f"{many.cpu_s:.1f}",
    }


def _run(count: int, provider: str = "unpod", per_bridge: int = PER_BRIDGE) -> Usage:
    load = Workload(provider, count, per_bridge)
    with serving(count, per_bridge) as server, prepared(load, server) as folder:
        return teardown(load, server, folder)[0]


def _run_one_bridge(count: int) -> Usage:
    return _run(count, per_bridge=count)


def _validate(kind: str, count: int) -> Usage:
    with tempfile.TemporaryDirectory() as name:
        plan = Path(name) / "plan.yaml"
        with plan.open("w", encoding="utf-8") as file:
            file.write(_HEAD + ("    numbers_from: numbers.csv\n" if kind == "csv" else "    numbers:\n"))
            if kind != "csv":
                file.writelines(map(_KINDS[kind], range(count)))
        if kind == "csv":
            with (Path(name) / "numbers.csv").open("w", encoding="utf-8") as file:
                file.write("number,note\n")
                file.writelines(f"{number(index)},desk {index}\n" for index in range(count))
        return run([sys.executable, "-m", "runner", "validate", plan, "--quiet"])


if __name__ == "__main__":
    ask(memory)
