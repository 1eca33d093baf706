"""How well does `rate: auto` use a limit? One that nobody tells, and that changes while the run goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.hidden import RATES, numbers
from benchmarks.measure import Answer, Size, ask

_KINDS = {
    "a sliding second": (),
    "a bucket": ("bucket",),
    "a sliding second, `Retry-After: 1`": ("retry-after",),
    "a bucket, `Retry-After: 1`": ("bucket", "retry-after"),
}
"""How the server counts, and whether a refusal asks for a second of silence."""
_WARM_UP = 15.0
_PHASE, _BRIEF = 120.0, 20.0
"""Seconds for which each limit holds; every change costs its time, so the brief ones say little."""


def adaptive(size: Size) -> Answer:
    """Run once against each kind of server while its limits last; where it is to be quick, one kind, and briefly."""
    quick = size.numbers is not None
    phase, kinds = (_BRIEF, list(_KINDS)[:1]) if quick else (_PHASE, list(_KINDS))
    rows, figures = [], dict[str, float]()
    for kind in kinds:
        print(f"  counted by {kind}, {len(RATES) * phase:.0f} s", file=sys.stderr, flush=True)
        used, refused = _measure(phase, *_KINDS[kind])
        rows.append(
            {"counted by": kind, **{name: f"{share:.1%}" for name, share in (used | {"refused": refused}).items()}}
        )
        figures |= {f"{kind} used": round(used["used"], 4), f"{kind} refused": round(refused, 4)}
    limits = ", ".join(map(str, RATES))
    title = f"`rate: auto` at hidden limits of {limits} a second, {phase:.0f} s each, after {_WARM_UP:.0f} s"
    return Answer("adaptive", title, rows, figures)


def _measure(phase: float, *kinds: str) -> tuple[dict[str, float], float]:
    command = [sys.executable, "-m", "benchmarks.hidden", str(phase), *kinds]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as server, tempfile.TemporaryDirectory() as folder:
        assert server.stdout  # noqa: S101 - it is a pipe
        _run(Path(folder), int(server.stdout.readline()), phase)
        seen = json.loads(server.communicate("\n")[0])
    return _judge(phase, seen["began"], seen["seen"])


def _run(folder: Path, port: int, phase: float) -> None:
    """Run a plan that is larger than what can be done until its deadline, which ends it with exit code 5."""
    account = {"provider": "unpod", "org_handle": "acme", "base_url": f"http://127.0.0.1:{port}", "rate": "auto"}
    (folder / "token").write_text("bench")
    config = {"accounts": {"a": account | {"token": f"file:{folder}/token"}}, "guards": {"max_numbers": 1_000_000}}
    (folder / "config.yaml").write_text(json.dumps(config))
    group = {"account": "a", "bridge": "b", "numbers": numbers(phase)}
    (folder / "plan.yaml").write_text(json.dumps({"version": 1, "name": "adaptive", "teardown": [group]}))
    command = [sys.executable, "-m", "runner", "--config", f"{folder}/config.yaml", "--state-dir", f"{folder}/state"]
    options = ["--yes", "--no-progress", "--no-verify", "--quiet", "--deadline", f"{len(RATES) * phase:.0f}s"]
    subprocess.run([*command, "run", folder / "plan.yaml", *options], check=False, stdout=subprocess.DEVNULL)


def _judge(phase: float, began: float, seen: list[tuple[float, bool]]) -> tuple[dict[str, float], float]:
    """Return shares: of the limit that was used, in all and by phase, and of the requests that were refused."""
    late = [(at - began, taken) for at, taken in seen if _WARM_UP <= at - began < len(RATES) * phase]
    used = [sum(taken for at, taken in late if int(at / phase) == index) for index in range(len(RATES))]
    could = [rate * (phase - _WARM_UP * (index == 0)) for index, rate in enumerate(RATES)]
    shares = {f"at {rate}/s": done / most for rate, done, most in zip(RATES, used, could, strict=True)}
    return {"used": sum(used) / sum(could), **shares}, sum(not taken for _, taken in late) / len(late)


if __name__ == "__main__":
    ask(adaptive)
