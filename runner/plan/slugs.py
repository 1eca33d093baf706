"""What may stand in an address as one part of its path."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from runner.document import quoted

_UNFIT = re.compile(r"[\s/?#\x00-\x1f\x7f]")


def _path_segment(text: str) -> str:
    if not text or _UNFIT.search(text) or text in (".", ".."):
        raise ValueError(f"{quoted(text)} cannot stand in an address; write the slug or id without blanks, /, ? and #")
    return text


Slug = Annotated[str, AfterValidator(_path_segment), Field(json_schema_extra={"pattern": r"^[^\s/?#]+$"})]
