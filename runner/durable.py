"""Names that outlast a power cut: a synced file is found again only if the folder it stands in was synced too."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

PRIVATE = 0o600
PUBLIC = 0o666
"""The permissions of a new file: the user's alone, or what their umask leaves of everybody's."""


@contextmanager
def replacing(path: Path, mode: int = PRIVATE) -> Iterator[TextIO]:
    """Hand out a file that takes the place of ``path`` when all went well, whole and synced; raises OSError."""
    beside = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    handle = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(handle)
        beside.replace(path)
        sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def refusal(path: Path) -> str | None:
    """Return why no file can be written at ``path``, with the mend; None where nothing speaks against it now."""
    try:
        folder = path.resolve().parent
        if path.is_dir():
            return f"{path} is a folder; name a file"
        if not folder.is_dir():
            return f"{path} is in a folder that does not exist; make it, or name another file"
        allowed = os.access(path if is_special(path) else folder, os.W_OK)
    except OSError as error:
        return f"{path} cannot be reached ({error.strerror}); name another file"
    return None if allowed else f"{path} is where you may not write; name another file"


def is_special(path: Path) -> bool:
    """Say whether ``path`` is a pipe, a device or a folder, and not a file that another can take the place of."""
    return path.exists() and not path.is_file()


def make_folder(folder: Path) -> None:
    """Make ``folder`` (0700) and what is missing above it, to stay; raises OSError."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Put the names in ``folder`` on the disk."""
    with suppress(OSError):  # not to be read by us, or on a file system that syncs no folders: no reason to stop
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
