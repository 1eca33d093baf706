"""Unpod: numbers on voice bridges.

Facts from docs.unpod.dev/api (telephony, authentication) and docs.unpod.ai/api/overview; where these contradict each
other, both are accepted. HTTP 206 is this backend's way of refusing, every path ends with a slash, and a bridge's
detail shows the secrets of its provider configuration, of which only the id is kept.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar
from urllib.parse import quote

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
    given,
)
from runner.providers.removing import Removing, Thing
from runner.providers.unpod_answers import (
    CREATED,
    DELETED,
    OK,
    bridge_page,
    data_of,
    holdings,
    left_on,
    number_page,
    numbered,
    read,
    rows_of,
    succeeded,
)
from runner.sharing import Shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence

    from msgspec import Raw

    from runner.config import Account
    from runner.model import Seen
    from runner.providers import Before, Http, Reads, Sight, Wanted
    from runner.providers.unpod_answers import Listed, Row
    from runner.transport import Reply

T = TypeVar("T")

_BRIDGES = "/telephony/bridges/"
_NUMBERS = "/telephony/numbers/"
_PAGE_SIZE = 100
_NOT_FOUND = 404
_CONFIG = "provider_config_id"
_BITS = 64
_SOME = 1000
"""Of how many numbers that nobody asked for it is kept that they were met."""
_Found = Literal["wanted", "free", "attached", "unwanted"]
"""What a survey knows so far of a number that it is asked for, or of another one that is attached, too."""
_WANTED: Final = "wanted"
_FREE: Final = "free"
_ATTACHED: Final = "attached"
_UNWANTED: Final = "unwanted"


class UnpodReader:
    """Looks at bridges and their numbers; cannot change anything."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads
        self._met: set[str] = set()
        self._shared: Shared[dict[str, Raw] | None] = Shared()

    async def survey(self, wanted: Wanted, *, census: bool | None) -> AsyncIterator[Sight]:
        """One request per bridge: a bridge's detail shows all of its numbers."""
        for slug, numbers in wanted.items():
            rows = await self._rows(slug)
            if rows is None:
                yield TargetSeen(slug, None)
                continue
            found: dict[str, _Found] = dict.fromkeys(numbers or (), _WANTED)
            for number, row, _ in self._attached(rows, found):
                if numbers is None or found[number] == _ATTACHED:
                    yield NumberSeen(slug, number, _seen(slug, row), traced=False)
            for number, state in found.items():
                if state in (_WANTED, _FREE):
                    yield NumberSeen(slug, number, Gone(), traced=False)
            if census:
                yield TargetSeen(slug, sum(state in (_ATTACHED, _UNWANTED) for state in found.values()))

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
        return _seen(target, read(attached[number])) if number in attached else Gone()

    async def inventory(self, targets: Collection[str]) -> AsyncIterator[Holding]:
        """Read the list of bridges, unless some are named, and the detail of each."""
        slugs = targets or [slug async for rows in self._bridges(whole=True) for slug in rows]
        for slug in slugs:
            shown = await self._detail(slug, partial(holdings, slug=slug))
            if shown is None and targets:
                raise Refused(f"there is no bridge {slug}", status=_NOT_FOUND)
            for holding in shown or ():
                yield holding

    def _attached(self, rows: Iterable[Raw], found: dict[str, _Found]) -> Iterator[tuple[str, Row, Raw]]:
        """Yield number and first row, read and as it came, of each that is attached; note in ``found`` what each is."""
        for number, row, raw in numbered(rows):
            was = found.get(number)
            if was in (_ATTACHED, _UNWANTED):
                continue
            if row.attached:
                found[number] = _ATTACHED if was else _UNWANTED
                yield number, row, raw
            elif was:
                found[number] = _FREE
            elif len(self._met) < _SOME:
                self._met.add(number)
        self._met.update(number for number, state in found.items() if state == _FREE)

    async def _by_number(self, slug: str | None) -> dict[str, Raw] | None:
        """Return the rows of the numbers attached to a bridge, or None when there is no such bridge."""
        rows = await self._rows(slug)
        return None if rows is None else {number: raw for number, _, raw in self._attached(rows, {})}

    async def _rows(self, slug: str | None) -> list[Raw] | None:
        """Return the rows of a bridge, or None when there is no such bridge."""
        return await self._detail(slug, partial(rows_of, slug=slug))

    async def left(self, thing: Thing, ours: Container[str]) -> list[str] | None:
        """Return all that the bridge's detail shows, but for rows of ``ours`` that are attached no more."""
        return await self._detail(thing.id, partial(left_on, slug=thing.id, ours=ours))

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

    def _bridges(self, *, whole: bool = False) -> AsyncIterator[dict[str, Listed]]:
        async def fetch(number: int) -> Page:
            return await self._reads.get(_BRIDGES, bridge_page, {"page": number, "page_size": _PAGE_SIZE})

        return read_all(fetch, what="bridges", whole=whole)

    async def _whereabouts(self, lost: Collection[str]) -> dict[str, dict[str, Row]]:
        """Return the rows of the ``lost`` numbers by number and bridge, those that are attached nowhere left out.

        The listing may lack numbers, and never shows their state: it only tells which bridges to look at.
        """
        places: dict[str, dict[str, Row]] = {}
        slugs = [slug async for page in self._bridges() for slug, bridge in page.items() if bridge.may_hold(lost)]
        for slug in slugs:
            for number, row, _ in numbered(await self._rows(slug) or ()):
                if number not in lost:
                    continue
                if row.attached:
                    places.setdefault(number, {}).setdefault(slug, row)
                else:
                    self._met.add(number)
        return places

    async def _known(self) -> set[str] | None:
        """Return all numbers of the organisation, or None where the server offers no complete list."""

        async def fetch(number: int) -> Page:
            page: dict[str, str | int] = {"page": number} if number > 1 else {}
            return await self._reads.get(_NUMBERS, number_page, {"include_assigned": "true"} | page)

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
        _agree(await self._http.post(path, data_of, {"phone_number": number}), target, number)

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
        await self._http.delete(_path(thing.id), partial(succeeded, success=(DELETED,)))


def _agree(data: Mapping[str, Any], target: str | None, number: str) -> None:
    named = data.get("phone_number", number)
    if data.get("bridge_slug") != target or (named != number and canonical(named) != number):
        raise UnexpectedAnswer("the success that was answered names another bridge or number", code="bad_answer")


@lru_cache(maxsize=256)
def _path(slug: str | None) -> str:
    return f"{_BRIDGES}{quote(slug or '', safe='')}/"


def _made(reply: Reply) -> tuple[int, Mapping[str, Any]]:
    return reply.status, data_of(reply, (OK, CREATED))


def _named(target: str | None, _before: Before | None) -> Iterable[Thing]:
    return (Thing("bridge", target),) if target else ()


def _seen(slug: str | None, row: Row) -> Attached:
    configuration = row.provider_configuration
    before = {
        "bridge": slug,
        "assignment_id": row.id,
        "number_id": row.number_id,
        "state": row.state,
        _CONFIG: configuration.get("id") if isinstance(configuration, dict) else None,
    }
    return Attached({key: value for key, value in before.items() if _can_be_kept(value)})


def _can_be_kept(value: object) -> bool:
    """Whether something is a name or a number that JSON can hold; a bigger one is nobody's id."""
    return isinstance(value, str | float) or (isinstance(value, int) and value.bit_length() < _BITS)


def _traced(slug: str | None, number: str, places: Mapping[str, Row], known: set[str] | None) -> Seen:
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
