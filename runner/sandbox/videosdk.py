"""VideoSDK's documented SIP API, as far as numbers and gateways go."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import jwt

from runner.sandbox.exchange import Answer, Call, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.sandbox.sip import Direction, Phone, Row, SipAccount

_ROOT = "/v2/sip"
_PER_PAGE_CAP = 100

T = TypeVar("T")


class VideoSdkApi:
    """One account behind a fixed token, or behind tokens minted with its key and secret."""

    name = "videosdk"
    prefix = _ROOT

    def __init__(self, account: SipAccount, token: str, api_key: str, api_secret: str) -> None:
        self.account = account
        self.token = token
        self.api_key = api_key
        self.api_secret = api_secret

    @property
    def routes(self) -> Sequence[Route]:
        """Every documented operation."""
        return (
            Route("POST", f"{_ROOT}/phone-numbers/detach", "detach", self.detach),
            Route("POST", f"{_ROOT}/phone-numbers", "attach", self.create),
            Route("GET", f"{_ROOT}/phone-numbers", "read", self.list_phones),
            Route("GET", f"{_ROOT}/phone-numbers/{{number}}", "read", self.get_phone),
            *self._gateway_routes("inbound"),
            *self._gateway_routes("outbound"),
            Route("GET", f"{_ROOT}/routing-rule", "read", self.list_rules),
            Route("GET", f"{_ROOT}/call", "read", self.list_calls),
        )

    def _gateway_routes(self, direction: Direction) -> tuple[Route, Route, Route]:
        path = f"{_ROOT}/{direction}-gateways"
        return (
            Route("GET", path, "read", lambda call: self.list_gateways(direction, call)),
            Route("GET", path + "/{target}", "read", lambda call: self.get_gateway(direction, call)),
            Route("DELETE", path + "/{target}", "delete", lambda call: self.delete_gateway(direction, call)),
        )

    def denies(self, headers: Mapping[str, str]) -> Answer | None:
        """Refuse unless the header is the fixed token, or a token of this key that has not ended."""
        token = headers.get("Authorization", "")
        if token == self.token:
            return None
        try:
            claims = jwt.decode(token, self.api_secret, algorithms=["HS256"], options={"require": ["exp"]})
        except jwt.InvalidTokenError:
            return self.revoked()
        return None if claims.get("apikey") == self.api_key else self.revoked()

    def revoked(self) -> Answer:
        """Refuse any token; the shape is not documented."""
        return Answer(401, {"message": "Token is invalid or expired"})

    def throttled(self, _wait: int) -> Answer:
        """Give the answer over a rate limit; the shape is not documented."""
        return Answer(429, {"message": "Too many requests"})

    def stray(self, method: str, path: str) -> Answer:
        """Give the answer for a path that is not documented."""
        return _message(404, f"Cannot {method} {path}")

    def detach(self, call: Call) -> Answer:
        """Detach both directions of a number."""
        number = call.body.get("phoneNumber")
        if not isinstance(number, str) or not number:
            return _message(400, "phoneNumber is required")
        phone = self.account.phones.get(number)
        if phone is None:
            return _NO_PHONE
        if not phone.attached:
            return _message(400, "Phone number is not attached to any gateway")
        pair = {"inbound": phone.inbound, "outbound": phone.outbound}
        done = {"message": "Detached successfully", "phoneNumber": phone.info, **pair}
        return Answer(200, done, lambda: self.account.detach(number))

    def create(self, call: Call) -> Answer:
        """Attach numbers, known or not, to new gateways: all of them or none."""
        numbers, outbound = call.body.get("phoneNumbers"), call.body.get("outbound")
        problem = _problem_with(call.body)
        if problem or not isinstance(numbers, list) or not isinstance(outbound, dict):
            return _message(400, problem or "phoneNumbers and outbound are required")
        taken = [number for number in numbers if (phone := self.account.phones.get(number)) and phone.attached]
        if taken:
            return _message(400, f"Phone numbers already attached: {', '.join(taken)}")
        shared = str(call.body.get("isShared", True)).lower() == "true"
        name = str(call.body["name"])
        done = {"message": "Phone Number with SIP Configured successfully", "phoneNumbers": numbers}
        return Answer(200, done, lambda: self._provision(numbers, name, call.body, shared=shared))

    def _provision(self, numbers: list[str], name: str, body: Mapping[str, Any], *, shared: bool) -> None:
        outbound = body["outbound"]
        settings = {field: outbound[field] for field in ("address", "transport") if field in outbound}
        settings |= {"auth": outbound.get("auth", {})}
        common_settings = {"mediaEncryption": body.get("mediaEncryption", "disable")}

        def pair() -> tuple[str, str]:
            ids = self.account.add_pair(name=name, **settings)
            sides: tuple[Direction, Direction] = ("inbound", "outbound")
            for side, gateway in zip(sides, ids, strict=True):
                region = {"geoRegion": body[side]["sipRegion"]}
                self.account.gateways[side][gateway].update(region | common_settings)
            return ids

        common = pair() if shared else None
        for number in numbers:
            self.account.add_phone(number).info["name"] = name
            self.account.connect(number, common or pair())

    def list_phones(self, call: Call) -> Answer:
        """Give a page of the numbers, each with its gateways resolved."""
        search = call.query.get("search", "").lower()
        phones = list(self.account.phones.values())
        if search:
            phones = [p for p in phones if search in p.info["e164"] or search in str(p.info["name"]).lower()]
        return _page(call, phones, self._resolved, default=20)

    def get_phone(self, call: Call) -> Answer:
        """One number with its gateways resolved."""
        phone = self.account.phones.get(call.path["number"])
        return Answer(200, self._resolved(phone)) if phone else _NO_PHONE

    def list_gateways(self, direction: Direction, call: Call) -> Answer:
        """Give a page of the gateways of one direction, each with its numbers."""
        wanted, search = call.query.get("id"), call.query.get("search", "").lower()
        members = self.account.numbers_by_gateway()
        rows = [
            row
            for row in self.account.gateways[direction].values()
            if (not wanted or row["id"] == wanted) and search in row["name"].lower()
        ]
        return _page(call, rows, lambda row: {**row, "numbers": members.get(row["id"], [])})

    def get_gateway(self, direction: Direction, call: Call) -> Answer:
        """One gateway with its numbers."""
        row = self.account.gateways[direction].get(call.path["target"])
        if row is None:
            return _message(404, "Gateway not found")
        return Answer(200, {**row, "numbers": self.account.numbers_by_gateway().get(row["id"], [])})

    def delete_gateway(self, direction: Direction, call: Call) -> Answer:
        """Delete a gateway, whatever hangs on it."""
        gateway = call.path["target"]
        if gateway not in self.account.gateways[direction]:
            return _message(404, "Gateway not found")
        done = {"message": "Gateway deleted successfully"}
        return Answer(200, done, lambda: self.account.remove_gateway(gateway))

    def list_rules(self, call: Call) -> Answer:
        """Give a page of the routing rules, narrowed by ``type`` and ``search`` (name or numbers)."""
        kind, search = call.query.get("type"), call.query.get("search", "").lower()
        rules = [
            rule
            for rule in self.account.rules
            if (not kind or rule.get("type") == kind)
            and search in " ".join([str(rule.get("name", "")).lower(), *rule.get("numbers", [])])
        ]
        return _page(call, rules, dict)

    def list_calls(self, call: Call) -> Answer:
        """Give a page of the calls, ended ones too.

        ``gatewayId``, ``type``, ``search`` (to or from) and ``startDate`` (milliseconds since the epoch) narrow it.
        """
        gateway, kind, search = (call.query.get(name) for name in ("gatewayId", "type", "search"))
        since = _positive(call.query.get("startDate"), 0) / 1000
        calls = [
            row
            for row in self.account.shown_calls()
            if (not gateway or row.get("gatewayId") == gateway)
            and datetime.fromisoformat(row["start"]).timestamp() >= since
            and (not kind or row.get("type") == kind)
            and (not search or search in f"{row.get('to')} {row.get('from')}")
        ]
        return _page(call, calls, dict)

    def _resolved(self, phone: Phone) -> Row:
        inbound, outbound = phone.shown(self.account.habits.clock())
        return {
            "phoneNumber": phone.info,
            "inbound": self._gateway("inbound", inbound),
            "outbound": self._gateway("outbound", outbound),
        }

    def _gateway(self, direction: Direction, gateway: str | None) -> Row | None:
        row = self.account.gateways[direction].get(gateway or "")
        return row if row is None or self.account.habits.show_gateways else {key: row[key] for key in ("id", "name")}


def _problem_with(body: Mapping[str, Any]) -> str | None:
    """Say what a create request lacks, in the order in which the fields are documented; None when it is complete."""
    inbound, outbound = body.get("inbound"), body.get("outbound")
    numbers = body.get("phoneNumbers")
    if not body.get("name"):
        return "name is required"
    if not isinstance(numbers, list) or not numbers or not all(isinstance(number, str) for number in numbers):
        return "phoneNumbers must be a non-empty array"
    if not isinstance(inbound, dict) or not inbound.get("sipRegion"):
        return "inbound.sipRegion is required"
    if not isinstance(outbound, dict) or not outbound.get("address") or not outbound.get("sipRegion"):
        return "outbound.address and outbound.sipRegion are required"
    auth = outbound.get("auth")
    if auth and not (isinstance(auth, dict) and auth.get("username") and auth.get("password")):
        return "outbound.auth requires both username and password"
    return None


def _page(call: Call, rows: Sequence[T], show: Callable[[T], Row], default: int = 10) -> Answer:
    per_page = min(_positive(call.query.get("perPage"), default), _PER_PAGE_CAP)
    page = _positive(call.query.get("page"), 1)
    last = max(1, -(-len(rows) // per_page))
    info = {"currentPage": page, "perPage": per_page, "lastPage": last, "total": len(rows)}
    data = [show(row) for row in rows[(page - 1) * per_page : page * per_page]]
    return Answer(200, {"pageInfo": info, "data": data})


def _positive(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) else default


def _message(status: int, message: str) -> Answer:
    return Answer(status, {"message": message})


_NO_PHONE = _message(404, "Phone number not found")
