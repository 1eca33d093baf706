"""Names that outlast a power cut: a synced file is found again only if the folder it stands in was synced too."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


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
