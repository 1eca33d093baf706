"""The power fails: what was not synced is lost, and what is left still says what may have been sent."""

import re
import shutil
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from bench import Said, agree, bridge, environment, finish, gateway, numbers
from witness import Disk, events, preloaded

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the witness is preloaded in the way of Linux"),
    pytest.mark.skipif(not shutil.which("cc"), reason="the witness is in C, and there is no compiler `cc`"),
]
_NUMBER = re.compile(rb"1415555\d{4}")


@dataclass
class Watched:
    """A run that was watched: the only folder it wrote to, what it did there and sent, and what it said."""

    root: Path
    seen: list
    said: Said

    def moments(self, without=""):
        """Yield the disk at each moment at which something is sent, with what that is, and at the end with nothing."""
        disk = Disk(self.root)
        for kind, fd, at, payload in self.seen:
            if kind == "N":
                yield disk, payload
            elif kind not in without:
                disk.replay(kind, fd, at, payload)
        yield disk, b""

    def unmarked(self, folder, without=""):
        """Return how many detach requests left, and those whose mark a power cut at that moment would have lost."""
        ledgers, sent, lost = {}, 0, []
        for disk, said in self.moments(without):
            if not said.startswith(b"GET ") and (found := _NUMBER.search(said)):
                if disk.syncs not in ledgers:
                    ledgers[disk.syncs] = states(disk, folder / str(disk.syncs))
                number = f"+{found[0].decode()}"
                sent += 1
                lost += [number] if ledgers[disk.syncs].get(number) != "in_flight" else []
        return sent, lost


@pytest.fixture
def watched(bench, tmp_path):
    """Run sixty numbers in batches, some of whose requests are lost, under the eyes of the witness."""
    root = tmp_path / "disk"
    root.mkdir()
    listed = numbers(60)
    bench.world.unpod.add_bridge("sales", listed[:40])
    for number in listed[40:]:
        bench.world.attach("videosdk", "gw_1", number)
    for number in listed[::7]:
        bench.faults.script(number, ["lost_before"])
    plan = bench.plan(bridge("sales", listed[:40]), gateway(listed[40:], "gw_1"), guards={"batches": [1, 9, "50%"]})
    log, preload = preloaded(tmp_path, root)
    # Coverage opens files of its own, which are not what is watched here.
    uncovered = {"COVERAGE_PROCESS_START": None, "COVERAGE_PROCESS_CONFIG": None}
    surroundings = environment(**preload, **uncovered, TEARDOWN_STATE_DIR=str(root / "new" / "state"))
    said = finish(bench.start("run", plan, "--yes", "--json", env=surroundings))
    assert said.code == 0, said.err
    agree(said.report, bench.world, bench.record)
    return Watched(root, list(events(log)), said)


def states(disk, folder):
    """Open the ledger that a power cut would leave, in ``folder``; return the state of each number in it."""
    folder.mkdir(parents=True)
    for path, data in disk.after_a_power_cut().items():
        if Path(path).name.startswith("ledger.db"):
            (folder / Path(path).name).write_bytes(data)
    try:
        with closing(sqlite3.connect(folder / "ledger.db")) as db:
            return dict(db.execute("SELECT number, state FROM item"))
    except sqlite3.OperationalError:  # no such table: nothing of it was ever synced
        return {}


def test_no_request_leaves_before_its_mark_is_on_the_disk(watched, bench, tmp_path):
    """At the moment of each detach request, the ledger that a power cut would leave has its number in flight."""
    sent, lost = watched.unmarked(tmp_path / "cuts")
    assert sent == len(bench.detaches()) > 60
    assert lost == []


def test_without_syncs_every_mark_would_be_lost(watched, tmp_path):
    """The control: the same run on a disk that takes no notice of syncs."""
    sent, lost = watched.unmarked(tmp_path / "cuts", without="Ss")
    assert len(lost) == sent > 60


def test_what_the_report_says_is_on_the_disk_when_the_command_ends(watched, tmp_path):
    """A power cut after the end changes no outcome, and costs no report."""
    *_, (disk, _) = watched.moments()
    assert states(disk, tmp_path / "end") == watched.said.outcomes()
    left = {Path(path).name: data for path, data in disk.after_a_power_cut().items()}
    assert orjson.loads(left["report.json"]) == watched.said.report
    assert left["detached.csv"].count(b"\n") == 1 + watched.said.totals()["detached"]
    assert left["report.html"].rstrip().endswith(b"</html>")


def test_a_report_is_on_the_disk_whole_or_not_at_all(watched):
    """Whenever the power fails, no report is left that is only begun."""
    disk, found = Disk(watched.root), set()
    for event in watched.seen:
        disk.replay(*event)
        if event[0] in "sRU":
            found |= {data for path, data in disk.after_a_power_cut().items() if Path(path).name == "report.json"}
    assert [orjson.loads(data) for data in found] == [watched.said.report]
