"""One run per lane: who holds it, until when, and whether the holder still lives."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import BusyError, LedgerError
from runner.records import Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runner.ledger import Ledger

TTL = 30.0
"""Seconds after which a lease that nobody renews is free."""


@contextmanager
def holding(
    ledger: Ledger, accounts: Iterable[str], run_id: str, session: str, clock: Callable[[], float]
) -> Iterator[None]:
    """Hold the lanes of ``accounts`` for a run; BusyError when another run has one of them."""
    pid, now = os.getpid(), clock()
    host, process = socket.gethostname(), _process(pid)
    wanted = [Lease(account, run_id, session, host, pid, process, now + TTL) for account in accounts]
    if held := ledger.lease(wanted, now, is_dead):
        raise BusyError("; ".join(map(_sentence, held)) + "; try again later")
    ledger.fence = session
    try:
        yield
    finally:
        ledger.fence = None
        with suppress(LedgerError):  # on a full disk the lease runs out by itself, and the disk's error is the news
            ledger.release(session)


def is_dead(holder: Lease) -> bool:
    """Whether the process of a lease is gone for certain: it ran on this host, and its pid is free or another's."""
    return holder.host == socket.gethostname() and _process(holder.pid) != holder.process


def is_live(ledger: Ledger, run_id: str, now: float) -> bool:
    """Whether a process works on the run: it holds a lease that has not run out, and is not known to be dead."""
    return any(lease.expires_at > now and not is_dead(lease) for lease in ledger.leases(run_id))


def _process(pid: int) -> str:
    """Return what tells a process from a later one with the same pid: boot and start time where the system has them."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "gone"
    except PermissionError:
        pass
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        facts = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        ended, started = facts[0] in "ZX", facts[19]
    except (OSError, IndexError):
        return "alive"
    return "gone" if ended else f"{boot}/{started}"  # an ended process keeps its pid until its parent takes note


def _sentence(held: Lease) -> str:
    until = datetime.fromtimestamp(held.expires_at, UTC)
    return f"account {held.account} is held by run {held.run} (pid {held.pid} on {held.host}) until {until:%H:%M:%SZ}"
