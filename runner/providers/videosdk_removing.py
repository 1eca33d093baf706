"""Deleting gateways of VideoSDK that no number hangs on any more.

A gateway shows its numbers, and a number shows its gateways: both have to say that nothing is left.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from runner.errors import Refused, UnexpectedAnswer
from runner.paging import read_all
from runner.providers import expect
from runner.providers.removing import Removing, Thing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterable

    from runner.paging import Page
    from runner.providers import Before, Http, Reads
    from runner.transport import Reply

    Members = Callable[[Reads], AsyncIterator[tuple[str, str]]]

_SIDES = {"inbound gateway": "inbound", "outbound gateway": "outbound"}
_PAGE_SIZE = 100
_OK = 200
_NOT_FOUND = 404


class Gateways:
    """Looks at gateways and deletes them; ``members`` yields every gateway id with a number that names it.

    The numbers of the account are listed once, when the first gateway is looked at.
    """

    def __init__(self, http: Http, members: Members, page: Callable[[Reply], Page]) -> None:
        self._http, self._members, self._page = http, members, page
        self._held: dict[str, list[str]] | None = None

    async def left(self, thing: Thing, ours: Container[str]) -> list[str] | None:  # noqa: ARG002 - a number that is gone has no row
        """Return the numbers that the gateway shows, and those that show the gateway."""
        if self._held is None:
            self._held = {}
            async for gateway, number in self._members(self._http):
                self._held.setdefault(gateway, []).append(number)
        try:
            shown = await self._http.get(_path(thing), partial(_numbers, gateway=thing.id))
        except Refused as error:
            if error.status != _NOT_FOUND:
                raise
            if thing.id in await self._listed(thing):
                raise UnexpectedAnswer(f"{thing.kind} {thing.id} is listed, but not found", status=404) from error
            return None
        return sorted({*shown, *self._held.get(thing.id, ())})

    async def remove(self, thing: Thing) -> None:
        """DELETE; success is a 200 whose body has the message."""
        await self._http.delete(_path(thing), _deleted)

    async def _listed(self, thing: Thing) -> set[str]:
        def fetch(number: int) -> Awaitable[Page]:
            query: dict[str, str | int] = {"page": number, "perPage": _PAGE_SIZE}
            return self._http.get(f"/{_SIDES[thing.kind]}-gateways", self._page, query)

        return {gateway async for rows in read_all(fetch, what=f"{thing.kind}s") for gateway in rows}


def _path(thing: Thing) -> str:
    return f"/{_SIDES[thing.kind]}-gateways/{quote(thing.id, safe='')}"


def _numbers(reply: Reply, gateway: str) -> list[str]:
    if reply.status != _OK:
        raise UnexpectedAnswer(f"HTTP {reply.status} is no documented answer", status=reply.status)
    body: Any = expect(reply.body, dict)
    row = body["data"] if isinstance(body.get("data"), dict) else body
    if row.get("id") != gateway:
        raise UnexpectedAnswer(f"the answer is about another gateway than {gateway}", code="bad_answer")
    return [str(number) for number in expect(row, list, "numbers")]


def _deleted(reply: Reply) -> None:
    if reply.status != _OK:
        raise UnexpectedAnswer(f"HTTP {reply.status} is no documented answer", status=reply.status)
    expect(reply.body, str, "message")


def _named(_target: str | None, before: Before | None) -> Iterable[Thing]:
    """Only what was seen: the other half of a pair, and whether a plan's gateway is one, nobody else knows."""
    for kind, side in _SIDES.items():
        if before and isinstance(before.get(side), str):
            yield Thing(kind, before[side])


def removing(members: Members, page: Callable[[Reply], Page]) -> Removing:
    """Return how gateways are deleted, with what reads numbers and pages of gateways."""
    return Removing(partial(Gateways, members=members, page=page), _named)
