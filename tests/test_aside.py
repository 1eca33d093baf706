"""Work beside the loop: its result, its error, and that nobody waits for it for ever."""

import subprocess
import sys
import threading

import pytest

from runner.aside import aside


async def test_the_result_comes_back_from_another_thread():
    """What the work returns is returned, and what it raises is raised."""
    assert await aside(threading.get_ident, 30) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 / 0, 30)


async def test_patience_ends():
    """Work that takes too long is given up; what it comes to later is nobody's business."""
    free = threading.Event()
    with pytest.raises(TimeoutError):
        await aside(free.wait, 0.01)
    free.set()
    assert await aside(lambda: 1, 30) == 1


def test_work_that_was_given_up_keeps_no_process_alive():
    """A program that ends does not wait for what hangs."""
    script = """
import asyncio, threading
from runner.aside import aside
try:
    asyncio.run(aside(threading.Event().wait, 0.01))
except TimeoutError:
    print("left")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("left\n", "")
