"""How all tests work: the same examples each time, and processes that are measured without being watched."""

import os

import pytest
from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("searching", deadline=None, print_blob=True)
settings.load_profile("steady")


@pytest.fixture
def uncovered(monkeypatch):
    """Processes that a test starts do not count which lines they reach: that costs them time and memory."""
    for name in os.environ:
        if name.startswith(("COVERAGE_", "COV_")):
            monkeypatch.delenv(name)
