"""A shell to show things in: each command runs by itself, and finds folder and variables as the last one left them."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Self

_LONGEST_S = 120
_SIZE = struct.pack("HHHH", 24, 120, 0, 0)
_OURS = ("TEARDOWN_", "XDG_", "UNPOD_", "VIDEOSDK_")
_KEEPING = """
[ -e "$KEPT/variables" ] && . "$KEPT/variables" && cd "$(cat "$KEPT/folder")"
(exit "$LAST")
eval "$COMMAND"
code=$?
unset COMMAND LAST; export -p > "$KEPT/variables"; pwd > "$KEPT/folder"
exit "$code"
"""


class Shell:
    """Commands in ``folder``, which is their home as well; ``kept`` is a folder for what they leave to the next."""

    def __init__(self, folder: Path, kept: Path) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        self._environ = inherited | {
            "HOME": os.fspath(folder),
            "KEPT": os.fspath(kept),
            "LANG": "C.UTF-8",
            "PATH": f"{Path(sys.executable).parent}:{inherited['PATH']}",
            "TERM": "dumb",
        }
        self._folder = folder
        self._left: list[subprocess.Popen[str]] = []
        self.code = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._left:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=_LONGEST_S)

    def run(self, command: str) -> str:
        """Return what ``command`` prints on both outputs; ``code`` is then what it exited with."""
        done = subprocess.run(
            self._bash(),
            cwd=self._folder,
            env=self._having(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST_S,
            check=False,
        )
        self.code = done.returncode
        return done.stdout

    def type(self, command: str, answer: str) -> str:
        """As ``run``, on a terminal, where ``answer`` is typed as soon as something asks."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, _SIZE)
        process = subprocess.Popen(
            self._bash(),
            cwd=self._folder,
            env=self._having(command),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        said = _converse(ours, answer)
        self.code = process.wait(_LONGEST_S)
        os.close(ours)
        return said

    def leave(self, command: str, lines: int) -> str:
        """Let ``command`` go on until the shell is left; return the first ``lines`` that it prints."""
        process = subprocess.Popen(
            self._bash(),
            cwd=self._folder,
            env=self._having(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._left.append(process)
        assert process.stdout is not None  # noqa: S101 - as asked for above
        return "".join(process.stdout.readline() for _ in range(lines))

    def _bash(self) -> list[str]:
        return ["bash", "--noprofile", "--norc", "-c", _KEEPING]

    def _having(self, command: str) -> dict[str, str]:
        return self._environ | {"COMMAND": command, "LAST": str(self.code)}


def _converse(terminal: int, answer: str) -> str:
    """Read until the other end is closed, and answer the first line that ends in a blank: a question."""
    said, asked = "", False
    while piece := _read(terminal):
        said += piece.decode().replace("\r\n", "\n")
        if not asked and said.rpartition("\n")[2].strip() and said.endswith(" "):
            os.write(terminal, f"{answer}\n".encode())
            asked = True
    return said


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when nobody holds the other end any more
        return b""
