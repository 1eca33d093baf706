"""The runner itself as a contender: a whole ``teardown run`` in a process, held to what it claims."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import run
from benchmarks.workload import FAR_ABOVE, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.measure import Usage
    from benchmarks.serving import Server
    from benchmarks.workload import Workload

PLAIN = (sys.executable, "-c", "import sys; sys.modules['uvloop'] = None; from runner.cli import main; main()")
"""The command on asyncio's own loop, whatever is installed."""
WITH_UVLOOP = (sys.executable, "-m", "runner")
_RUNNER = Path(__file__).parents[1] / "runner"


def uses_uvloop() -> bool:
    """Whether the runner takes uvloop where it is installed, and it is."""
    named = any("uvloop" in source.read_text(encoding="utf-8") for source in _RUNNER.rglob("*.py"))
    return named and find_spec("uvloop") is not None


@contextmanager
def prepared(workload: Workload, server: Server, *, rate: str = FAR_ABOVE) -> Iterator[Path]:
    """Yield a folder with the plan, the config and the list of a workload."""
    with tempfile.TemporaryDirectory(prefix="teardown-benchmark-") as name:
        folder = Path(name)
        workload.write_plan(folder / "plan.yaml")
        workload.write_list(folder / "list.txt")
        workload.write_config(folder / "config.yaml", server.url, rate=rate)
        yield folder


def teardown(
    workload: Workload, server: Server, folder: Path, *options: str, command: Sequence[str] = PLAIN
) -> tuple[Usage, dict[str, Any]]:
    """Run the plan with everything on, from nothing; return what it used and the server's counts.

    SystemExit unless every number was detached, once, and the report says so.
    """
    state = folder / "state"
    shutil.rmtree(state, ignore_errors=True)
    server.reset()
    words = ["run", folder / "plan.yaml", "--yes", "--quiet", "--no-progress", *options]
    places = ["--config", folder / "config.yaml", "--state-dir", state]
    used = run([*command, *map(str, words + places)], {"BENCHMARK_TOKEN": TOKEN})
    counts = server.counts()
    totals = json.loads(next(state.glob("runs/*/report.json")).read_bytes())["run"]["exit_code"]
    if totals or (counts["detaches"], counts["repeated"]) != (workload.count, 0):
        raise SystemExit(f"the run of {workload.count} numbers went wrong: exit code {totals}, {counts}")
    return used, counts
