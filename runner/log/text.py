"""Text that is fit to be shown: numbers masked, control characters harmless, times in one form."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

_E164 = re.compile(rb"(?:\+|%2[Bb])[1-9][0-9]{6,14}")


def mask(number: str) -> str:
    """``+14155550101`` as ``+1415•••••01``: five characters, bullets, two; shorter ones still hide four characters."""
    head, tail = (min(5, len(number) - 6), 2) if len(number) > 6 else (0, 0)  # noqa: PLR2004 - four hidden, two shown
    hidden = len(number) - head - tail
    return number[:head] + "•" * hidden + number[head + hidden :]


def plain(text: str) -> str:
    r"""``text`` on one line and harmless to a terminal: what does not print shows as an escape such as ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def folded(line: str, width: int) -> list[str]:
    """Return ``line`` in pieces no longer than ``width``, broken at blanks; those behind the first stand farther in."""
    from textwrap import wrap  # noqa: PLC0415 - only a terminal needs it

    inset = " " * (len(line) - len(line.lstrip()) + 2)
    return wrap(line, width, subsequent_indent=inset, break_on_hyphens=False) if len(line) > width else [line]


def stamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds, of ``seconds`` since the epoch."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{_second(whole)}.{milliseconds:03d}Z"


@lru_cache(maxsize=64)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def mask_text(text: str) -> str:
    """Mask every number in international form that stands in ``text``."""
    return mask_line(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def mask_line(line: bytes) -> bytes:
    """Mask every number in international form that stands in a rendered line, also with its plus as ``%2B``."""
    return _E164.sub(lambda match: mask(match[0].decode()).encode(), line)
