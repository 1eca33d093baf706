"""What hangs on what at VideoSDK: the settings of a gateway pair, who shares it, and whether it can be made again.

A pair cannot be attached to: whoever attaches numbers gets a new pair (docs.videosdk.live, create-phone-number). So a
number is back where it was when it hangs on the pair that it had, or on one that leads to the same address.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from runner.errors import RequestError, UnexpectedAnswer
from runner.paging import Page, read_all
from runner.providers import REATTACH, Reversal, canonical, expect, given

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from runner.providers import Before, Reads
    from runner.transport import Reply

KEYS = frozenset({"name", "address", "transport", "region", "auth", "auth_username", "auth_password"})
AROUND = frozenset({"shared", "shared_count", "shared_by", "routing_rules"})
_SIDES = ("inbound", "outbound")
_PAGE_SIZE = 100
_NAMED = 20
"""How many of those that share a pair are named."""

Row = dict[str, Any]


def settings(row: Row) -> dict[str, object]:
    """Return what a row of a number shows of its gateways, secrets left out; what it does not show is left out, too."""
    return _known({"name": row["phoneNumber"].get("name"), **_of_pair(row)})


def _of_pair(sides: Mapping[str, Any]) -> dict[str, object]:
    inbound, outbound = sides.get("inbound"), sides.get("outbound")
    inbound = inbound if isinstance(inbound, dict) else {}
    outbound = outbound if isinstance(outbound, dict) else {}
    auth = outbound.get("auth")
    return {
        "gateway_name": outbound.get("name") or inbound.get("name"),
        "address": outbound.get("address"),
        "transport": outbound.get("transport"),
        "media_encryption": outbound.get("mediaEncryption") or inbound.get("mediaEncryption"),
        "region_inbound": inbound.get("geoRegion"),
        "region_outbound": outbound.get("geoRegion"),
        "credentials": bool(auth) if isinstance(auth, dict) else None,
    }


def _known(settings: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in settings.items() if value is not None and value != ""}


@dataclass(frozen=True, slots=True)
class Inventory:
    """The gateways and routing rules of an account; null where a list could not be read."""

    gateways: dict[str, dict[str, Row] | None]
    rules: dict[str, list[Row]] | None
    """Rules by the numbers that they name."""
    _pairs: dict[tuple[str | None, str | None], tuple[dict[str, object], list[str] | None]] = field(
        default_factory=dict
    )

    def of(self, number: str, before: Before) -> Mapping[str, object]:
        """Return settings, who shares the pair, and the rules that name the number."""
        pair = (before.get("inbound"), before.get("outbound"))
        if pair not in self._pairs:
            self._pairs[pair] = self._read(pair)
        known, first = self._pairs[pair]
        sharing = {"shared_by": first and [each for each in first if each != number][:_NAMED]}
        rules = None if self.rules is None else self.rules.get(number, [])
        return {**known, **sharing, "routing_rules": rules}

    def _read(self, pair: tuple[str | None, str | None]) -> tuple[dict[str, object], list[str] | None]:
        """Return what the lists show of a pair, and the first of its numbers; null where no list shows them."""
        found = [(self.gateways[side] or {}).get(each or "") for side, each in zip(_SIDES, pair, strict=True)]
        known = _known(_of_pair({side: row for side, row in zip(_SIDES, found, strict=True) if row}))
        listed: list[list[Any]] = [row["numbers"] for row in found if row and isinstance(row.get("numbers"), list)]
        if not listed:
            return {**known, "shared": None}, None
        *_, longest = sorted(listed, key=len)
        most = [number for number in map(canonical, longest) if number]
        return {**known, "shared": len(most) > 1, "shared_count": len(most)}, most[: _NAMED + 1]


async def read_inventory(reads: Reads) -> Inventory:
    """Read the gateways and the routing rules once; a list that cannot be read is not known, and not empty."""
    paths = {f"{side} gateways": f"/{side}-gateways" for side in _SIDES} | {"routing rules": "/routing-rule"}
    *sides, rules = await asyncio.gather(*(_listing(reads, path, what) for what, path in paths.items()))
    return Inventory(dict(zip(_SIDES, sides, strict=True)), _by_number(rules))


async def _listing(reads: Reads, path: str, what: str) -> dict[str, Row] | None:
    async def fetch(number: int) -> Page:
        return await reads.get(path, gateway_page, {"page": number, "perPage": _PAGE_SIZE})

    try:
        return {key: row async for rows in read_all(fetch, what=what) for key, row in rows.items()}
    except RequestError:
        return None


def gateway_page(reply: Reply) -> Page:
    """Return a page of gateways or rules by their ids."""
    body = reply.body
    rows = body if isinstance(body, list) else expect(body, list, "data")
    info = body.get("pageInfo") or body.get("pagination") if isinstance(body, dict) else None
    total = info.get("total") if isinstance(info, dict) else None
    return Page({expect(row, str, "id"): row for row in rows}, total if isinstance(total, int) else None)


def _by_number(rules: Mapping[str, Row] | None) -> dict[str, list[Row]] | None:
    """Return the rules by number; null as well when one of them does not show its numbers."""
    if rules is None or not all(isinstance(rule.get("numbers"), list) for rule in rules.values()):
        return None
    found: dict[str, list[Row]] = {}
    for rule in rules.values():
        for number in filter(None, map(canonical, rule["numbers"])):
            found.setdefault(number, []).append({key: rule.get(key) for key in ("id", "name", "type")})
    return found


def reversal(before: Before) -> Reversal:
    """Return whether a pair like the one that a number hung on can be made."""
    know = {**before, **said} if (said := before.get(REATTACH)) else before
    if unknown := [side for side in _SIDES if not know.get(side)]:  # and no key can give those
        return Reversal("none", tuple(f"a known {side} gateway (numbers are put back on pairs)" for side in unknown))
    missing = [key for key in ("name", "address", "transport") if not know.get(key)]
    if not (know.get("region") or (know.get("region_inbound") and know.get("region_outbound"))):
        missing.append("region")
    missing += _lacking_credentials(know)
    return Reversal("none", tuple(missing)) if missing else _NEW_PAIR


def _lacking_credentials(know: Before) -> list[str]:
    """Return which keys have to be given; where nobody knows whether there were credentials, ``auth`` may be none."""
    lacking = [key for key in ("auth_username", "auth_password") if not know.get(key)]
    if not lacking or know.get("auth") == "none":
        return []
    if len(lacking) == 1 or know.get("credentials"):
        return lacking
    return ["auth"] if know.get("credentials") is None else []


_NEW_PAIR = Reversal("new_ids")


def elsewhere(before: Before, seen: Before) -> str | None:
    """Return which gateways a number hangs on, unless these are its pair or one that leads to the same address."""
    here = [seen.get(side) for side in _SIDES]
    if here == [before.get(side) for side in _SIDES]:
        return None
    place = ", ".join(each or "no gateway" for each in here)
    if not all(here):
        return place
    if seen.get("address") is None:
        raise UnexpectedAnswer(f"the look does not show where the gateways {place} lead to", code="bad_answer")
    alike = all(seen.get(key) in (None, given(before, key)) for key in ("address", "transport"))
    return None if alike else place


def _region(before: Before, side: str) -> Any:
    return given(before, "region") or before.get(f"region_{side}")


def destination(said: Mapping[str, Any], _before: Before) -> Before:
    """Return the pair that a plan moves numbers to: it is made for each, so nobody knows its ids beforehand."""
    return {"inbound": None, "outbound": None, **said}


def bundle(before: Before) -> Hashable:
    """Numbers of one pair, of which the same was said, get one pair again."""
    return (before.get("inbound"), before.get("outbound"), repr(before.get(REATTACH)))


def wanted_pair(numbers: list[str], before: Before) -> Row:
    """Return the body of a request that makes a pair like the one before, and attaches ``numbers`` to it."""
    names: Callable[[str], Any] = partial(given, before)
    shared = len(numbers) > 1
    outbound = {"address": names("address"), "sipRegion": _region(before, "outbound"), "transport": names("transport")}
    if names("auth_password"):
        outbound["auth"] = {"username": names("auth_username"), "password": names("auth_password")}
    encryption = before.get("media_encryption")
    return {
        "name": (before.get(REATTACH) or {}).get("name") or (shared and before.get("gateway_name")) or before["name"],
        "phoneNumbers": numbers,
        "isShared": shared,
        **({"mediaEncryption": encryption} if encryption else {}),
        "inbound": {"sipRegion": _region(before, "inbound")},
        "outbound": outbound,
    }
