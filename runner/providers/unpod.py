"""Unpod: numbers on voice bridges.

Facts from docs.unpod.dev/api (telephony, authentication) and docs.unpod.ai/api/overview; where these contradict each
other, both are accepted. HTTP 206 is this backend's way of refusing, every path ends with a slash, and a bridge's
detail shows the secrets of its provider configuration, of which only the id is kept.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import msgspec

from runner.errors import Refused, UnexpectedAnswer
from runner.model import Attached, Elsewhere, Gone
from runner.paging import Page, read_all
from runner.providers import (
    Holding,
    Moving,
    NumberSeen,
    Reattaching,
    Reversal,
    Spec,
    TargetSeen,
    canonical,
    expect,
    given,
)
from runner.providers.removing import Removing, Thing
from runner.sharing import Shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence

    from runner.config import Account
    from runner.model import Seen
    from runner.providers import Before, Http, Reads, Sight, Wanted
    from runner.transport import Reply

T = TypeVar("T")

_BRIDGES = "/telephony/bridges/"
_NUMBERS = "/telephony/numbers/"
_PAGE_SIZE = 100
_OK = 200
_CREATED = 201
_DELETED = 204
_NOT_FOUND = 404
_BUSINESS_ERROR = 206
_CONFIG = "provider_config_id"
_SOME = 1000
_FREE_STATES = frozenset({"UNASSIGNED", "NOT_ASSIGNED", "CLOSED"})

Row = dict[str, Any]


class _Bridge(msgspec.Struct):
    """A bridge's detail. It may have hundreds of thousands of numbers: each stays as it came until it is asked for."""

    numbers: list[msgspec.Raw]
    slug: Any = msgspec.UNSET
    name: Any = None


class _Detail(msgspec.Struct):
    data: _Bridge


class _Number(msgspec.Struct):
    """A row of a bridge's detail."""

    number: str
    id: Any = None
    number_id: Any = None
    state: Any = None
    status: Any = None
    provider_configuration: Any = msgspec.UNSET


_decode = msgspec.json.Decoder(_Number).decode


class UnpodReader:
    """Looks at bridges and their numbers; cannot change anything."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._met: set[str] = set()
        self._shared: Shared[dict[str, msgspec.Raw] | None] = Shared()

    async def survey(self, wanted: Wanted, *, census: bool | None) -> AsyncIterator[Sight]:
        """One request per bridge: a bridge's detail shows all of its numbers."""
        for slug, numbers in wanted.items():
            rows = await self._rows(slug)
            if rows is None:
                yield TargetSeen(slug, None)
                continue
            seen = dict.fromkeys(numbers or (), False)
            for number, row, _ in self._attached(rows):
                first, seen[number] = seen.get(number, False if numbers is None else None), True
                if first is False:
                    yield NumberSeen(slug, number, _seen(slug, row), traced=False)
            for number in [number for number, attached in seen.items() if not attached]:
                yield NumberSeen(slug, number, Gone(), traced=False)
            if census:
                yield TargetSeen(slug, sum(seen.values()))

    async def trace(self, missing: Mapping[str | None, Collection[str]]) -> AsyncIterator[NumberSeen]:
        """Search the other bridges, then the numbers that the organisation knows at all."""
        lost = {number for numbers in missing.values() for number in numbers}
        places = await self._whereabouts(lost)
        known = await self._known() if lost - places.keys() else None
        for slug, numbers in missing.items():
            for number in numbers:
                yield NumberSeen(slug, number, _traced(slug, number, places.get(number, {}), known))

    async def look(self, target: str | None, number: str) -> Seen:
        """Look at the bridge's detail; those who ask for the same bridge at the same time share a request."""
        attached = await self._shared.read(target, partial(self._by_number, target))
        if attached is None:
            return Gone("target_gone")
        return _seen(target, _row(attached[number])) if number in attached else Gone()

    async def inventory(self, targets: Collection[str]) -> AsyncIterator[Holding]:
        """Read the list of bridges, unless some are named, and the detail of each."""
        slugs = targets or [slug async for rows in self._bridges(whole=True) for slug in rows]
        for slug in slugs:
            holdings = await self._detail(slug, partial(_holdings, slug=slug))
            if holdings is None and targets:
                raise Refused(f"there is no bridge {slug}", status=_NOT_FOUND)
            for holding in holdings or ():
                yield holding

    async def _by_number(self, slug: str | None) -> dict[str, msgspec.Raw] | None:
        """Return the rows of the numbers attached to a bridge, or None when there is no such bridge."""
        rows = await self._rows(slug)
        return None if rows is None else {number: raw for number, _, raw in self._attached(rows)}

    async def _rows(self, slug: str | None) -> list[msgspec.Raw] | None:
        """Return all rows of a bridge, each of which is one, or None when there is no such bridge."""
        return await self._detail(slug, partial(_rows, slug=slug))

    def _attached(self, rows: Iterable[msgspec.Raw]) -> Iterator[tuple[str, _Number, msgspec.Raw]]:
        """Yield the number, and the row both read and as it came, of all that are attached; take note of the others."""
        for raw in rows:
            row = _row(raw)
            if not (number := canonical(row.number)):
                continue
            if _is_attached(row):
                yield number, row, raw
            elif len(self._met) < _SOME:
                self._met.add(number)

    async def left(self, thing: Thing, ours: Container[str]) -> list[str] | None:
        """Return all that the bridge's detail shows, but for rows of ``ours`` that are attached no more."""
        return await self._detail(thing.id, partial(_left, slug=thing.id, ours=ours))

    async def _detail(self, slug: str | None, parse: Callable[[Reply], T]) -> T | None:
        """Return what ``parse`` makes of a bridge's detail, or None when there is no such bridge."""
        try:
            return await self._reads.get(_path(slug), parse)
        except Refused as error:
            if error.status != _NOT_FOUND:
                raise
            # A wrong base URL answers 404 too: only a listing that can be read and does not name the bridge settles it.
            if slug in {each async for rows in self._bridges() for each in rows}:
                raise UnexpectedAnswer(f"bridge {slug} is listed, but its detail is not found", status=404) from error
            return None

    def _bridges(self, *, whole: bool = False) -> AsyncIterator[dict[str, Row]]:
        async def fetch(number: int) -> Page:
            return await self._reads.get(_BRIDGES, _bridge_page, {"page": number, "page_size": _PAGE_SIZE})

        return read_all(fetch, what="bridges", whole=whole)

    async def _whereabouts(self, lost: Collection[str]) -> dict[str, dict[str, _Number]]:
        """Return the rows of the ``lost`` numbers by number and bridge, those that are attached nowhere left out.

        The listing may lack numbers, and never shows their state: it only tells which bridges to look at.
        """
        places: dict[str, dict[str, _Number]] = {}
        slugs = [slug async for rows in self._bridges() for slug, row in rows.items() if _may_hold(row, lost)]
        for slug in slugs:
            for number, row, _ in self._attached(await self._rows(slug) or ()):
                if number in lost:
                    places.setdefault(number, {})[slug] = row
        return places

    async def _known(self) -> set[str] | None:
        """Return all numbers of the organisation, or None where the server offers no complete list."""

        async def fetch(number: int) -> Page:
            page: dict[str, str | int] = {"page": number} if number > 1 else {}
            return await self._reads.get(_NUMBERS, _number_page, {"include_assigned": "true"} | page)

        try:
            known = {number async for rows in read_all(fetch, what="numbers") for number in rows}
        except Refused:
            return None
        # A list that lacks numbers which a bridge has just shown lacks others as well.
        return known if self._met <= known else None


class Unpod(UnpodReader):
    """Looks, detaches, puts back, and deletes bridges."""

    def __init__(self, http: Http) -> None:
        super().__init__(http)
        self._http = http

    async def detach(self, target: str | None, number: str) -> None:
        """POST disconnect-provider; success is a 200 whose body names the bridge that was asked for."""
        path = _path(target) + "disconnect-provider/"
        _agree(await self._http.post(path, _object, {"phone_number": number}), target, number)

    async def attach(self, numbers: Sequence[str], before: Before) -> int:
        """POST connect-provider for the one number; success is a 200 or 201 that names bridge and number."""
        (number,) = numbers
        body = {"provider_config_id": given(before, _CONFIG), "phone_number": number}
        path = _path(before["bridge"]) + "connect-provider/"
        status, data = await self._http.post(path, _made, body)
        _agree(data, before["bridge"], number)
        return status

    async def remove(self, thing: Thing) -> None:
        """DELETE the bridge; success is a 204 without a body."""
        await self._http.delete(_path(thing.id), _deleted)


def _agree(data: Row, target: str | None, number: str) -> None:
    named = data.get("phone_number", number)
    if data.get("bridge_slug") != target or (named != number and canonical(named) != number):
        raise UnexpectedAnswer("the success that was answered names another bridge or number", code="bad_answer")


@lru_cache(maxsize=256)
def _path(slug: str | None) -> str:
    return f"{_BRIDGES}{quote(slug or '', safe='')}/"


def _succeeded(reply: Reply, success: Collection[int] = (_OK,)) -> None:
    """Raise Refused for a 206, and UnexpectedAnswer for whatever else is not the documented success."""
    if reply.status == _BUSINESS_ERROR:
        raise Refused(reply.message or "HTTP 206", status=reply.status)
    if reply.status not in success:
        raise UnexpectedAnswer(f"HTTP {reply.status} is no documented answer", status=reply.status)


def _data(reply: Reply, kind: type, success: Collection[int] = (_OK,)) -> Any:
    """Return ``data`` of the documented success."""
    _succeeded(reply, success)
    return expect(reply.body, kind, "data")


def _object(reply: Reply) -> Row:
    data: Row = _data(reply, dict)
    return data


def _made(reply: Reply) -> tuple[int, Row]:
    return reply.status, _data(reply, dict, (_OK, _CREATED))


def _bridge(reply: Reply, slug: str | None) -> _Bridge:
    _succeeded(reply)
    bridge = reply.read(_Detail).data
    if bridge.slug not in (slug, msgspec.UNSET):
        raise UnexpectedAnswer(f"the answer is about another bridge than {slug}", code="bad_answer")
    return bridge


def _row(raw: msgspec.Raw) -> _Number:
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnexpectedAnswer(f"the answer has a row that is not as documented: {error}", code="bad_answer") from error


def _rows(reply: Reply, slug: str | None) -> list[msgspec.Raw]:
    """Return the rows of a bridge, each of which can be read."""
    rows = _bridge(reply, slug).numbers
    for raw in rows:
        _canonical(_row(raw).number)
    return rows


def _left(reply: Reply, slug: str, ours: Container[str]) -> list[str]:
    rows = map(_row, _bridge(reply, slug).numbers)
    named = ((canonical(row.number) or row.number, row) for row in rows)
    return [number for number, row in named if number not in ours or _is_attached(row)]


def _deleted(reply: Reply) -> None:
    _succeeded(reply, (_DELETED,))


def _named(target: str | None, _before: Before | None) -> Iterable[Thing]:
    return (Thing("bridge", target),) if target else ()


def _holdings(reply: Reply, slug: str) -> list[Holding]:
    bridge = _bridge(reply, slug)
    title = str(bridge.name or "")
    return [
        Holding(
            _canonical(row.number) or row.number,
            slug,
            _is_attached(row),
            title,
            tuple(str(word) for word in (row.state, row.status) if word),
        )
        for row in map(_row, bridge.numbers)
    ]


def _bridge_page(reply: Reply) -> Page:
    rows = {expect(row, str, "slug"): row for row in _data(reply, list)}
    return Page(rows, _total(reply))


def _number_page(reply: Reply) -> Page:
    rows = {number: row for row in _data(reply, list) if (number := _canonical(expect(row, str, "number")))}
    return Page(rows, _total(reply) or len(rows))  # documented without pages: one without a count is all there is


def _total(reply: Reply) -> int | None:
    total = reply.body.get("count")
    return total if isinstance(total, int) else None


def _canonical(number: str) -> str | None:
    """Return the number of a row, None for a name that is no number; a blank one is no evidence of anything."""
    if not number.strip():
        raise UnexpectedAnswer("the answer has a row whose number is blank", code="bad_answer")
    return canonical(number)


def _is_attached(row: _Number) -> bool:
    return row.provider_configuration is not None and str(row.state or "").upper() not in _FREE_STATES


def _may_hold(bridge: Row, lost: Collection[str]) -> bool:
    rows = bridge.get("numbers")
    if not isinstance(rows, list):
        return True
    named = {canonical(row.get("number")) if isinstance(row, dict) else None for row in rows}
    return None in named or not named.isdisjoint(lost)


def _seen(slug: str | None, row: _Number) -> Attached:
    configuration = row.provider_configuration
    before = {
        "bridge": slug,
        "assignment_id": row.id,
        "number_id": row.number_id,
        "state": row.state,
        _CONFIG: configuration.get("id") if isinstance(configuration, dict) else None,
    }
    return Attached({key: value for key, value in before.items() if value is not None})


def _traced(slug: str | None, number: str, places: Mapping[str, _Number], known: set[str] | None) -> Seen:
    if here := places.get(slug or ""):
        return _seen(slug, here)
    if places:
        return Elsewhere(", ".join(places))
    return Gone("unknown_to_account" if known is not None and number not in known else None)


def _reversal(before: Before) -> Reversal:
    return Reversal("exact") if given(before, _CONFIG) is not None else Reversal("none", (_CONFIG,))


def _elsewhere(before: Before, seen: Before) -> str | None:
    """Return through what other provider configuration a number is on its bridge, where both are known."""
    if seen["bridge"] != before["bridge"]:
        return str(seen["bridge"])
    then, now = given(before, _CONFIG), seen.get(_CONFIG)
    if then is None or now is None or then == now:
        return None
    return f"{seen['bridge']}, through provider configuration {now} in place of {then}"


def _destination(said: Mapping[str, Any], before: Before) -> Before:
    """Return where a plan moves a number to: through the configuration that it names, else the one that it has."""
    return {"bridge": said["bridge"], _CONFIG: said.get(_CONFIG, given(before, _CONFIG))}


def _lacks(destination: Before) -> tuple[str, ...]:
    return _reversal(destination).missing


def _bridge_of(destination: Before) -> str | None:
    bridge: str = destination["bridge"]
    return bridge


def _authorize(account: Account, token: str) -> Mapping[str, str]:
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json", "Accept": "application/json"}
    if account.org_handle:
        headers["Org-Handle"] = account.org_handle
    if account.product_id:
        headers["Product-Id"] = account.product_id
    return headers


SPEC = Spec(
    name="unpod",
    title="Unpod voice bridges",
    target_key="bridge",
    root="/api/v2/platform",
    abilities=("discover", "check", "detach", "verify", "rollback", "move", "clean up"),
    reader=UnpodReader,
    lister=UnpodReader,
    detacher=Unpod,
    authorize=_authorize,
    counts=True,
    reattaching=Reattaching(
        Unpod, _reversal, _elsewhere, frozenset({_CONFIG}), moving=Moving(_destination, _lacks, _bridge_of)
    ),
    removing=Removing(Unpod, _named),
)
