"""VideoSDK: numbers on SIP gateway pairs.

Facts from docs.videosdk.live (sip/phone-numbers, authentication) and the vendor's server SDK 0.1.1. A detach clears
both directions and keeps the number. Paths have no trailing slash, the token goes into the header as it is, the plus of
a number is sent as ``%2B``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from runner.errors import Refused, UnexpectedAnswer
from runner.model import Attached, Elsewhere, Gone
from runner.paging import Page, read_all
from runner.providers import Holding, Moving, NumberSeen, Reattaching, Spec, TargetSeen, canonical, expect
from runner.providers.videosdk_calls import read_calls
from runner.providers.videosdk_gateways import (
    AROUND,
    KEYS,
    bundle,
    destination,
    elsewhere,
    gateway_page,
    read_inventory,
    reversal,
    settings,
    wanted_pair,
)
from runner.providers.videosdk_removing import removing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

    from runner.config import Account
    from runner.model import Seen
    from runner.providers import Before, Http, Reads, Sight, Wanted
    from runner.transport import Reply

_NUMBERS = "/phone-numbers"
_PAGE_SIZE = 100
_OK = 200
_CREATED = 201
_NOT_FOUND = 404

Row = dict[str, Any]


class VideoSDKReader:
    """Looks at phone numbers and their gateways; cannot change anything."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def survey(self, wanted: Wanted, *, census: bool | None) -> AsyncIterator[Sight]:
        """Read the account's list, a hundred numbers a request, or look one by one where that is less.

        A number that the list does not show gets no sight: a list that shifts while it is read is no evidence.
        """
        asked: dict[str, tuple[str | None, ...]] = {}
        for target, numbers in wanted.items():
            alone = (target,)  # one for all numbers: most stand at one target
            for number in numbers or ():
                asked[number] = asked[number] + alone if number in asked else alone
        whole = {target for target, numbers in wanted.items() if numbers is None}
        if not census and not whole and len(asked) * _PAGE_SIZE <= await self._total():
            async for sight in self.trace({target: numbers or () for target, numbers in wanted.items()}):
                yield sight
            return
        attached = dict.fromkeys(wanted, 0)
        async for rows in self._list():
            for number, row in rows.items():
                ids = _gateways(row)
                here = {None, *ids.values()} if ids else set[str | None]()  # null is any gateway
                for target in here & attached.keys() if census is not False else ():
                    attached[target] += 1
                for target in dict.fromkeys((*asked.get(number, ()), *(here & whole))):
                    yield NumberSeen(target, number, _judged(row, ids, target))
        for target, count in attached.items() if census is not False else ():
            yield TargetSeen(target, count)

    async def trace(self, missing: Mapping[str | None, Collection[str]]) -> AsyncIterator[NumberSeen]:
        """Look at each number by itself."""
        for target, numbers in missing.items():
            for number in numbers:
                yield NumberSeen(target, number, await self.look(target, number))

    async def look(self, target: str | None, number: str) -> Seen:
        """Look at the number itself; one that is not found is searched for in the list before that is believed."""
        try:
            path = f"{_NUMBERS}/%2B{number.removeprefix('+')}"
            return await self._reads.get(path, partial(_seen_alone, number=number, gateway=target))
        except Refused as error:
            if error.status != _NOT_FOUND:
                raise
            if number in (await self._page(1, search=number)).rows:
                raise UnexpectedAnswer(f"{number} is listed, but not found by itself", status=404) from error
            return Gone("unknown_to_account")

    async def inventory(self, targets: Collection[str]) -> AsyncIterator[Holding]:
        """Read the account's list: it shows every number with its gateways."""

        async def fetch(number: int) -> Page:
            return await self._reads.get(_NUMBERS, _whole_page, {"page": number, "perPage": _PAGE_SIZE})

        async for rows in read_all(fetch, what="phone numbers", whole=True):
            for row in rows.values():
                yield _holding(row, targets)

    async def members(self) -> AsyncIterator[tuple[str, str]]:
        """Yield every gateway id with a number that hangs on it; UnexpectedAnswer when one of them has no id."""
        async for rows in self._list():
            for number, row in rows.items():
                for value in (row.get("inbound"), row.get("outbound")):
                    gateway = _gateway_id(value)
                    if gateway:
                        yield gateway, number
                    elif value is not None:
                        raise UnexpectedAnswer(f"{number} hangs on a gateway without an id", code="bad_answer")

    async def _total(self) -> int:
        """Return how many numbers the account has, 0 where the provider does not say."""
        return (await self._page(1, size=1)).total or 0

    def _list(self) -> AsyncIterator[dict[str, Row]]:
        return read_all(self._page, what="phone numbers")

    async def _page(self, number: int, *, size: int = _PAGE_SIZE, search: str | None = None) -> Page:
        query: dict[str, str | int] = {"page": number, "perPage": size} | ({"search": search} if search else {})
        return await self._reads.get(_NUMBERS, _number_page, query)


class VideoSDK(VideoSDKReader):
    """Looks, detaches, and puts back."""

    def __init__(self, http: Http) -> None:
        super().__init__(http)
        self._http = http

    async def detach(self, target: str | None, number: str) -> None:  # noqa: ARG002 - the API detaches from whatever it is
        """POST detach; success is a 200 whose body names the number that was asked for."""
        body = await self._http.post(f"{_NUMBERS}/detach", partial(_body, kind=dict), {"phoneNumber": number})
        if _number(body) != number:
            raise UnexpectedAnswer("the success that was answered names another number", code="bad_answer")

    async def attach(self, numbers: Sequence[str], before: Before) -> int:
        """POST create: a new pair for all of the numbers, or nothing; its success may name them, and then all of them.

        Documented are only the beginning of its message, and neither 200 nor 201.
        """
        return await self._http.post(_NUMBERS, partial(_made, numbers=numbers), wanted_pair(list(numbers), before))


def _body(reply: Reply, kind: type) -> Any:
    if reply.status != _OK:
        raise UnexpectedAnswer(f"HTTP {reply.status} is no documented answer", status=reply.status)
    return expect(reply.body, kind)


def _made(reply: Reply, numbers: Sequence[str]) -> int:
    """Return the status of a success."""
    if reply.status not in (_OK, _CREATED):
        raise UnexpectedAnswer(f"HTTP {reply.status} is no documented answer", status=reply.status)
    expect(reply.body, str, "message")
    named = reply.body.get("phoneNumbers")
    if isinstance(named, list) and not set(numbers) <= set(map(_named, named)):
        raise UnexpectedAnswer("the success that was answered names other numbers", code="bad_answer")
    return reply.status


def _named(row: Any) -> str | None:
    return canonical(row.get("e164") if isinstance(row, dict) else row)


def _number_page(reply: Reply) -> Page:
    rows, total = _listed(reply)
    return Page({e164: row for row in rows if (e164 := _number(row))}, total)


def _whole_page(reply: Reply) -> Page:
    """Return the rows under what the provider calls each: also those that are no numbers."""
    rows, total = _listed(reply)
    return Page({expect(row, str, "phoneNumber", "e164"): row for row in rows}, total)


def _listed(reply: Reply) -> tuple[list[Row], int | None]:
    body = _body(reply, object)
    info = body.get("pageInfo") or body.get("pagination") if isinstance(body, dict) else None
    total = info.get("total") if isinstance(info, dict) else None
    rows = body if isinstance(body, list) else expect(body, list, "data")
    return rows, total if isinstance(total, int) else None


def _holding(row: Row, targets: Collection[str]) -> Holding:
    attached = isinstance(_seen(row, None), Attached)
    sides = {side: row[side] for side in ("inbound", "outbound") if row.get(side) is not None}
    ids = {side: found for side, value in sides.items() if (found := _gateway_id(value))}
    target = next((each for each in ids.values() if each in targets), next(iter(ids.values()), None))
    gateway = next((value for value in sides.values() if _gateway_id(value) == target), None)
    phone = row["phoneNumber"]
    words = [phone.get("name"), *(f"{side} {found}" for side, found in ids.items()), phone.get("status")]
    title = gateway.get("name") if isinstance(gateway, dict) else None
    number = _number(row) or phone["e164"]
    return Holding(number, target, attached, str(title or ""), tuple(str(word) for word in words if word))


def _seen_alone(reply: Reply, number: str, gateway: str | None) -> Seen:
    row = _body(reply, dict)
    if _number(row) != number:
        raise UnexpectedAnswer(f"the answer is about another number than {number}", code="bad_answer")
    return _seen(row, gateway)


def _number(row: Any) -> str | None:
    return canonical(expect(row, str, "phoneNumber", "e164"))


def _gateways(row: Row) -> dict[str, str | None]:
    """Return the ids of the gateways that a row shows, by direction; null for one without an id."""
    sides = {side: row[side] for side in ("inbound", "outbound") if side in row}
    ids: dict[str, str | None] = {side: _gateway_id(value) for side, value in sides.items() if value is not None}
    if not ids and len(sides) < 2:  # noqa: PLR2004 - a direction that is not shown is not known to be free
        raise UnexpectedAnswer("the answer does not show both directions", code="bad_answer")
    return ids


def _seen(row: Row, gateway: str | None) -> Seen:
    return _judged(row, _gateways(row), gateway)


def _judged(row: Row, ids: Mapping[str, str | None], gateway: str | None) -> Seen:
    """Judge a row: attached means that a direction has a gateway, and where one is asked for, that it is this one."""
    if not ids:
        return Gone()
    if gateway is not None and gateway not in ids.values():
        return Elsewhere(", ".join(sorted({each or "an unnamed gateway" for each in ids.values()})))
    phone = row["phoneNumber"]
    before = {"phone_number_id": phone.get("phoneNumberId"), "inbound": None, "outbound": None, **ids}
    return Attached(before, settings(row))


def _gateway_id(value: Any) -> str | None:
    """Return a gateway's id: reads show the gateway, the answer to a detach only its id."""
    found = value.get("id") if isinstance(value, dict) else value
    return found if isinstance(found, str) else None


def _authorize(account: Account, token: str) -> Mapping[str, str]:  # noqa: ARG001 - the protocol's signature
    return {"Authorization": token, "Content-Type": "application/json", "Accept": "application/json"}


SPEC = Spec(
    name="videosdk",
    title="VideoSDK SIP gateways",
    target_key="gateway",
    root="/v2/sip",
    abilities=("discover", "check", "detach", "verify", "rollback", "move", "clean up"),
    reader=VideoSDKReader,
    lister=VideoSDKReader,
    detacher=VideoSDK,
    authorize=_authorize,
    everywhere=True,
    reattaching=Reattaching(
        VideoSDK,
        reversal,
        elsewhere,
        KEYS,
        bundle,
        read_inventory,
        AROUND,
        Moving(destination, lacks=lambda _: (), target=lambda _: None),
    ),
    removing=removing(lambda reads: VideoSDKReader(reads).members(), gateway_page),
    calls=read_calls,
)
