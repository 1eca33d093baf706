"""What may stand in an address as one part of its path."""

from __future__ import annotations

import re

from runner.document import quoted
from runner.document.kinds import text

_UNFIT = re.compile(r"[\s/?#\x00-\x1f\x7f]")


def _path_segment(slug: str) -> str:
    if not slug or _UNFIT.search(slug) or slug in (".", ".."):
        raise ValueError(f"{quoted(slug)} cannot stand in an address; write the slug or id without blanks, /, ? and #")
    return slug


SLUG = text(_path_segment, {"type": "string", "pattern": r"^[^\s/?#]+$"})
