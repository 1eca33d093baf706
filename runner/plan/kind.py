"""What a file is, before anything of it is read in earnest: a plan, or a check that was saved."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SAVED = re.compile(rb'\s*\{\s*"schema"\s*:\s*"teardown\.check/')
_FAR_ENOUGH = 200


def is_saved_check(path: Path) -> bool:
    """Whether ``path`` holds a saved check, sound or not, rather than a plan."""
    try:
        with path.open("rb") as file:
            return _SAVED.match(file.read(_FAR_ENOUGH)) is not None
    except (OSError, ValueError):
        return False  # whoever reads it as a plan says what is wrong
