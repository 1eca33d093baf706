"""A bench for every test, away from the developer's own config and state."""

import os
import sys
import zlib

import pytest
from bench import Bench, serving

from runner.sandbox import TOKEN, Faults, World


@pytest.fixture(autouse=True)
def _away_from_home(tmp_path, monkeypatch):
    """Nothing of the developer's environment is read, and the working folder is an empty one."""
    for name in os.environ:
        if name.startswith(("TEARDOWN_", "XDG_")) or name == "NO_COLOR":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("E2E_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _both_event_loops(request, monkeypatch):
    """Every second test runs as where uvloop is not installed; which ones depends on nothing but their names."""
    if zlib.crc32(request.node.nodeid.encode()) % 2:
        monkeypatch.setitem(sys.modules, "uvloop", None)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Give a sandbox with nothing in it and a config that leads to it."""
    monkeypatch.setenv("TEARDOWN_STATE_DIR", str(tmp_path / "state"))
    faults = Faults()
    with serving(World(show_configurations=True), faults=faults) as server:
        yield Bench(tmp_path, server, faults)
