"""Reading a listing page by page while others change it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from runner.errors import UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

PASSES = 4
"""How often a listing is read again because it changed while it was read."""


class Page(Struct, frozen=True):
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
    seen_in: dict[str, int] = {}  # by row, the newest pass that saw it: a set for each would take several times as much
    before: tuple[int, set[int | None]] | None = None
    for this in range(PASSES):
        size, again, number = 0, 0, 0
        totals: set[int | None] = set()
        while True:
            number += 1
            page = await fetch(number)
            totals.add(page.total)
            passes = {key: seen_in.get(key) for key in page.rows}
            new = sum(newest != this for newest in passes.values())
            size, again = size + new, again + sum(newest == this - 1 for newest in passes.values())
            seen_in.update(dict.fromkeys(page.rows, this))
            if fresh := {key: page.rows[key] for key, newest in passes.items() if newest is None}:
                yield fresh
            if not new or (page.total is not None and size >= page.total):
                break
        counted, agreed = totals in ({None}, {size}), before == (again, totals) and size == again
        if counted and (agreed or number == 1 or not whole):
            return
        if agreed:
            if whole:
                told = ", then ".join(str(total) for total in sorted(totals, key=str))
                message = f"the list of {what} shows {size} and says that there are {told}"
                raise UnexpectedAnswer(message, code="short_listing")
            return
        before = size, totals
    raise UnexpectedAnswer(f"the list of {what} kept changing while it was read", code="unstable_listing")
