"""A file system that loses what was not synced: what a process did to its files, replayed up to a moment."""

import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

_HEAD = struct.Struct("<iiqI")


def preloaded(folder, root):
    """Compile the witness into ``folder``; return its log, and the variables that let it watch ``root``."""
    library, log = folder / "witness.so", folder / "witness.log"
    source = Path(__file__).with_name("witness.c")
    words = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl"]
    subprocess.run(words, check=True)
    return log, {"LD_PRELOAD": str(library), "WITNESS_ROOT": str(root), "WITNESS_LOG": str(log)}


def events(log):
    """Yield every event of a log as ``(kind, fd, at, payload)``, in the order in which they happened."""
    data, place = log.read_bytes(), 0
    while place < len(data):
        kind, fd, at, length = _HEAD.unpack_from(data, place)
        place += _HEAD.size
        yield chr(kind), fd, at, data[place : place + length]
        place += length


@dataclass(eq=False)
class File:
    """``data`` is what a reader sees, ``synced`` what the disk holds; a folder is a file without either."""

    path: str
    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""


class Disk:
    """What is on it for good: content once its file was synced, a name once the folder that it stands in was."""

    def __init__(self, root):
        self.syncs = 0
        self._root = root
        self._names, self._kept = {}, {}
        self._open, self._syncing = {}, {}
        self._does = {"O": self._opens, "W": self._writes, "T": self._truncates, "M": self._makes, "U": self._unlinks}
        self._does |= {"R": self._renames, "S": self._begins_sync, "s": self._ends_sync, "C": self._closes}

    def replay(self, kind, fd, at, payload):
        """Let one event happen."""
        if kind in self._does:
            self._does[kind](fd, at, payload)

    def after_a_power_cut(self):
        """Return what is left: content by path, of everything whose folders are left as well."""
        reachable = {str(self._root)}
        for path in sorted(self._kept):  # a folder sorts before what is in it
            if str(Path(path).parent) in reachable:
                reachable.add(path)
        return {path: file.synced for path, file in self._kept.items() if path in reachable}

    def _opens(self, fd, truncated, payload):
        path = payload.decode()
        self._open[fd] = file = self._names.setdefault(path, File(path))
        if truncated:
            file.data.clear()

    def _writes(self, fd, at, payload):
        data = self._open[fd].data
        data.extend(bytes(max(0, at - len(data))))
        data[at : at + len(payload)] = payload

    def _truncates(self, fd, size, _):
        data = self._open[fd].data
        data[:] = data[:size].ljust(size, b"\0")

    def _makes(self, _fd, _at, payload):
        path = payload.decode()
        self._names[path] = File(path)

    def _unlinks(self, _fd, _at, payload):
        self._names.pop(payload.decode())

    def _renames(self, _fd, _at, payload):
        old, new = payload.decode().split("\0")
        self._names[new] = self._names.pop(old)

    def _begins_sync(self, fd, _at, _):
        file = self._open[fd]
        self._syncing[fd] = bytes(file.data), _inside(file.path, self._names)

    def _ends_sync(self, fd, _at, _):
        file = self._open[fd]
        file.synced, inside = self._syncing.pop(fd)
        for path in _inside(file.path, self._kept):
            del self._kept[path]
        self._kept |= inside
        self.syncs += 1

    def _closes(self, fd, _at, _):
        del self._open[fd]


def _inside(folder, names):
    return {path: file for path, file in names.items() if str(Path(path).parent) == folder}
