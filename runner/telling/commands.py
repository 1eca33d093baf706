"""Commands of the user's that a run starts: without a shell, for a limited time, told by variables what it is about."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from runner.errors import InputError, Problem

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping
    from pathlib import Path

    from runner.config import Hooks
    from runner.telling.facts import Facts

_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: ``failure`` is null when it did with status 0; ``output`` is the end of what it wrote."""

    failure: str | None
    output: str
    seconds: float


def check_programs(hooks: Hooks, environ: Mapping[str, str]) -> None:
    """Raise InputError for every hook whose program is not there, before it is needed."""
    problems = [
        Problem(
            hook.place, f"there is no program {hook.command[0]!r} that may be started; correct the path, or install it"
        )
        for hook in hooks.commands.values()
        if not shutil.which(hook.command[0], path=environ.get("PATH"))
    ]
    if problems:
        raise InputError(problems)


def variables(moment: str, facts: Facts, folder: Path, state: Path) -> dict[str, str]:
    """Return what a hook is told of its run, with absolute paths; what is not known yet is not set."""
    told = {
        "hook": moment,
        "run_id": facts["run_id"],
        "plan": facts["plan"],
        "run_dir": folder,
        "state_dir": state,
        "status": facts.get("status"),
        "exit_code": facts.get("exit_code"),
        "report": folder / "report.json" if facts.get("report") else None,
        "message": facts.get("verdict"),
        **facts["totals"],
    }
    return {f"TEARDOWN_{name.upper()}": _text(value) for name, value in told.items() if value is not None}


def in_hook_of(run_id: str, environ: Mapping[str, str]) -> bool:
    """Whether this process was started by a hook of that run."""
    return "TEARDOWN_HOOK" in environ and environ.get("TEARDOWN_RUN_ID") == run_id


def _text(value: object) -> str:
    return str(value).replace("\0", "")  # which no variable can hold


async def run(command: tuple[str, ...], environ: Mapping[str, str], limit: float) -> Ran:
    """Run a command to its end, or kill it with its process group after ``limit`` seconds; never fails itself."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        with tempfile.TemporaryFile() as output:  # a pipe would stay open for as long as something that it started
            failure = await _run(command, environ, limit, output)
            return Ran(failure, _end_of(output), loop.time() - began)
    except OSError as error:
        return Ran(f"cannot be started: {error.strerror}", "", loop.time() - began)


async def _run(command: tuple[str, ...], environ: Mapping[str, str], limit: float, output: BinaryIO) -> str | None:
    new = asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=output, stderr=output, env=environ, start_new_session=True
    )
    starting = asyncio.ensure_future(new)
    try:
        async with asyncio.timeout(limit):
            process = await asyncio.shield(starting)  # cut short in the middle, it would leave what it started behind
            return _failure(await process.wait())
    except TimeoutError:
        return f"not done within {limit:g} s, and killed"
    finally:
        await _bury(await starting)


async def _bury(process: Process) -> None:
    """Kill a process that is not over, and all of its group."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _failure(status: int) -> str | None:
    if status < 0:
        return f"killed by signal {-status}"
    return f"exit status {status}" if status else None


def _end_of(output: BinaryIO) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _KEPT))
    return output.read().decode("utf-8", "replace").strip()
