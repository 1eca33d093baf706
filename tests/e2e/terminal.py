"""The real command on a terminal of its own."""

import os
import pty
import select
import subprocess
import sys

from bench import PATIENCE, environment

_ON_ITS_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """The real command, or another, on a terminal of its own; ``text`` is all that it has shown."""

    def __init__(self, *args, stdout=None, command=(sys.executable, "-m", "runner")):
        self._ours, theirs = pty.openpty()
        words = [sys.executable, "-S", "-c", _ON_ITS_TERMINAL, *command, *map(str, args)]
        self.process = subprocess.Popen(
            words,
            stdin=theirs,
            stdout=stdout or theirs,
            stderr=theirs,
            env=environment(TERM="xterm", COLUMNS="100", LINES="30"),
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""

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

    def type(self, keys):
        """Press keys."""
        os.write(self._ours, keys.encode())

    def finish(self):
        """Read to the end, and return the exit code."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def _read(self):
        ready, _, _ = select.select([self._ours], [], [], PATIENCE)
        try:
            data = os.read(self._ours, 4096) if ready else b""
        except OSError:  # how Linux says that nobody holds the other end any more
            data = b""
        self.text += data.decode("utf-8", "replace")
        return data
