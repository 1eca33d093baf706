"""The real command on a terminal of its own."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios

from bench import PATIENCE, environment

from tests.screen import Screen

_ON_ITS_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)
_RUNNER = (sys.executable, "-m", "runner")


class Terminal:
    """A command on a terminal of its own, the real one by default; ``text`` is all that it has shown.

    ``screen`` is what can be seen now, for the real one: others write more than it understands.
    """

    def __init__(self, *args, stdout=None, size=(100, 30), command=_RUNNER, **variables):
        self._ours, theirs = pty.openpty()
        self.screen = Screen(*size) if command is _RUNNER else None
        self._set_size(*size)
        words = [sys.executable, "-S", "-c", _ON_ITS_TERMINAL, *command, *map(str, args)]
        self.process = subprocess.Popen(
            words,
            stdin=theirs,
            stdout=stdout or theirs,
            stderr=theirs,
            env=environment(**{"TERM": "xterm", "COLUMNS": None, "LINES": None} | variables),
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""
        self._pending = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def expect(self, words):
        """Read until ``words`` are shown."""
        while words not in self.text:
            assert self._read(), f"{words!r} was not shown, but {self.text!r}"

    def until(self, seen):
        """Read until ``seen`` is true of the lines on the screen, and return those."""
        while not seen(self.screen.lines()):
            assert self._read(), "\n".join(self.screen.lines())
        return self.screen.lines()

    def type(self, keys):
        """Press keys."""
        os.write(self._ours, keys.encode())

    def resize(self, width, height):
        """Make the terminal larger or smaller, and tell the command so."""
        self._set_size(width, height)
        self.screen.resize(width, height)
        self.process.send_signal(signal.SIGWINCH)

    def finish(self):
        """Read to the end, and return the exit code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def _set_size(self, width, height):
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def _read(self):
        ready, _, _ = select.select([self._ours], [], [], PATIENCE)
        try:
            data = os.read(self._ours, 4096) if ready else b""
        except OSError:  # how Linux says that nobody holds the other end any more
            data = b""
        if self.screen is None:
            self.text += data.decode("utf-8", "replace")
            return data
        self._pending += data.decode("utf-8", "replace")
        whole, escape, rest = self._pending.rpartition("\x1b")  # the last sequence may have been torn
        shown, self._pending = (whole, escape + rest) if data and len(rest) < 8 else (self._pending, "")
        self.text += shown
        self.screen.feed(shown)
        return data
