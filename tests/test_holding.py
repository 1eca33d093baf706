"""One run per lane: who holds it, until when, and what a dead holder is worth."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from runner.errors import BusyError, LeaseLost
from runner.holding import TTL, _process, holding, is_dead
from runner.ledger import Ledger

if TYPE_CHECKING:
    from runner.records import Lease


@pytest.fixture
def ledger(tmp_path):
    with closing(Ledger(tmp_path / "ledger.db")) as opened:
        yield opened


def own_lease(ledger: Ledger, session: str = "mine") -> Lease:
    """The lease of this very process."""
    with holding(ledger, ["a"], "run-1", session, lambda: 1000.0):
        return ledger.leases("run-1")[0]


def test_a_lane_is_held_by_one_run(ledger):
    """The second run is told who holds the lane, on which host, and until when."""
    with holding(ledger, ["a", "b"], "run-1", "mine", lambda: 1000.0):
        with pytest.raises(BusyError) as busy, holding(ledger, ["b", "c"], "run-2", "other", lambda: 1001.0):
            pass
        text = str(busy.value)
        assert "account b is held by run run-1" in text
        assert f"pid {os.getpid()} on {socket.gethostname()}" in text
        assert "00:17:10Z" in text  # 1000 s and the lease's 30


def test_all_lanes_or_none(ledger):
    """A run that cannot have all of its lanes takes none of them."""
    with holding(ledger, ["b"], "run-1", "mine", lambda: 1000.0):
        with pytest.raises(BusyError), holding(ledger, ["a", "b"], "run-2", "other", lambda: 1000.0):
            pass
        with holding(ledger, ["a"], "run-3", "third", lambda: 1000.0):
            assert len(ledger.leases("run-3")) == 1


def test_a_lane_is_free_when_its_run_ends(ledger):
    """Leaving gives the lanes back, also by an error."""
    with pytest.raises(RuntimeError), holding(ledger, ["a"], "run-1", "mine", lambda: 1000.0):
        raise RuntimeError
    with holding(ledger, ["a"], "run-2", "other", lambda: 1000.0):
        pass


def test_a_lease_that_nobody_renews_runs_out(ledger):
    """After its time a lane is free, wherever its holder was, and not before; renewing prolongs it."""
    elsewhere = replace(own_lease(ledger), host="elsewhere", session="theirs", run="run-9")
    ledger.lease([elsewhere], 1000.0, is_dead)
    with pytest.raises(BusyError), holding(ledger, ["a"], "run-2", "other", lambda: 1000.0 + TTL - 1):
        pass
    assert ledger.renew("theirs", 1100.0) == 1
    with pytest.raises(BusyError), holding(ledger, ["a"], "run-2", "other", lambda: 1000.0 + TTL + 1):
        pass
    with holding(ledger, ["a"], "run-2", "other", lambda: 1101.0):
        assert ledger.renew("theirs", 1200.0) == 0


def test_a_dead_owners_lane_is_free_at_once(ledger):
    """On the same host nobody waits for the lease of a process that is gone."""
    code = (
        "import sys, time; from pathlib import Path\n"
        "from runner.ledger import Ledger; from runner.holding import holding\n"
        "with holding(Ledger(Path(sys.argv[1])), ['a'], 'run-1', 'theirs', lambda: 1000.0):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(ledger.path)], stdout=subprocess.PIPE)
    with process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BusyError), holding(ledger, ["a"], "run-2", "mine", lambda: 1001.0):
            pass
        process.send_signal(signal.SIGKILL)
    with holding(ledger, ["a"], "run-2", "mine", lambda: 1001.0):
        pass


def test_a_pid_alone_is_not_trusted(ledger):
    """A process that has the holder's pid, and is another one, does not keep the lane."""
    lease = own_lease(ledger)
    assert not is_dead(lease)
    assert is_dead(replace(lease, process="another boot/1"))
    assert not is_dead(replace(lease, process="another boot/1", host="elsewhere"))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not tell how a process stands")
def test_a_killed_process_is_dead_before_its_parent_takes_note(ledger):
    """It sends nothing any more, so a resume right after a kill need not wait for its lease to run out."""
    lease = own_lease(ledger)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        alive = replace(lease, pid=process.pid, process=_process(process.pid))
        assert not is_dead(alive)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_dead(alive)


def test_a_process_whose_lanes_were_taken_over_writes_nothing(ledger):
    """After a takeover every write is refused, whatever it is about: the run is another's now."""
    with holding(ledger, ["a"], "run-1", "mine", lambda: 1000.0):
        ledger.record((), ())
        with closing(Ledger(ledger.path)) as other, holding(other, ["a"], "run-1", "theirs", lambda: 1000.0 + TTL):
            for write in (lambda: ledger.record((), ()), lambda: ledger.saw((), ()), lambda: ledger.renew("mine", 9e9)):
                with pytest.raises(LeaseLost, match="taken this run over"):
                    write()
            other.record((), ())
    ledger.record((), ())
