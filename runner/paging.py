"""Reading a listing page by page while others change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

PASSES = 4
"""How often a listing is read again because it changed while it was read."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page, by what identifies them, and how many rows the provider says there are in all."""

    rows: dict[str, Any]
    total: int | None


async def read_all(
    fetch: Callable[[int], Awaitable[Page]], *, what: str, whole: bool = False
) -> AsyncIterator[dict[str, Any]]:
    """Yield the new rows of each page, every row once, until a whole pass saw a listing that held still, or two agree.

    ``fetch`` gets page numbers from 1. A server that ignores them, or gives no total, ends with the first page that
    brings nothing new. Raises UnexpectedAnswer when the listing never holds still, and whatever ``fetch`` raises.

    Where it has to be ``whole``, two passes over several pages have to agree, as one loses rows unnoticed where others
    come and go at once; and a listing that shows other than as many rows as it says is an UnexpectedAnswer too.
    """
    known: set[str] = set()
    before: tuple[set[str], set[int | None]] | None = None
    for _ in range(PASSES):
        in_pass: set[str] = set()
        totals: set[int | None] = set()
        number = 0
        while True:
            number += 1
            page = await fetch(number)
            totals.add(page.total)
            size = len(in_pass)
            in_pass.update(page.rows)
            if fresh := {key: row for key, row in page.rows.items() if key not in known}:
                known.update(fresh)
                yield fresh
            if len(in_pass) == size or (page.total is not None and len(in_pass) >= page.total):
                break
        counted, agreed = totals in ({None}, {len(in_pass)}), before == (in_pass, totals)
        if counted and (agreed or number == 1 or not whole):
            return
        if agreed:
            if whole:
                told = ", then ".join(str(total) for total in sorted(totals, key=str))
                message = f"the list of {what} shows {len(in_pass)} and says that there are {told}"
                raise UnexpectedAnswer(message, code="short_listing")
            return
        before = in_pass, totals
    raise UnexpectedAnswer(f"the list of {what} kept changing while it was read", code="unstable_listing")
