"""Programs of the user's, started without a shell and for a limited time."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

_KEPT = 4096


class Ran(Struct, frozen=True):
    """How a command ended: ``failure`` is null when it did with status 0; ``output`` is the end of what it wrote."""

    failure: str | None
    output: str
    seconds: float


def lacking(command: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    """Return a sentence when the program of ``command`` is not there; None when it is."""
    if shutil.which(command[0], path=environ.get("PATH")):
        return None
    return f"there is no program {command[0]!r} that may be started; correct the path, or install it"


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
