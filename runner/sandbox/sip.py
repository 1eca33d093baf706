"""The truth at VideoSDK: one account with its phone numbers, gateways, routing rules and calls."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from runner.sandbox.habits import Habits

Row = dict[str, Any]
Direction = Literal["inbound", "outbound"]
Pair = tuple[str | None, str | None]

_COUNTRIES = {"+1": "US", "+44": "GB", "+49": "DE", "+33": "FR", "+34": "ES", "+31": "NL", "+91": "IN"}
_BORN = "2026-01-15T09:00:00.000Z"
_CALLER = "+12125550100"


@dataclass(slots=True)
class Phone:
    """One number: what the API says of it, and the ids of its gateways.

    ``ghost`` is the pair that reads still show until the time beside it.
    """

    info: Row
    inbound: str | None = None
    outbound: str | None = None
    ghost: tuple[float, Pair] | None = None

    @property
    def attached(self) -> bool:
        """Whether any direction has a gateway."""
        return bool(self.inbound or self.outbound)

    def shown(self, now: float) -> Pair:
        """Give the inbound and outbound gateway ids that a read at ``now`` shows."""
        if self.ghost and now < self.ghost[0]:
            return self.ghost[1]
        return (self.inbound, self.outbound)


class SipAccount:
    """Phones by E.164 number, gateways by direction and id."""

    def __init__(self, habits: Habits) -> None:
        self.habits = habits
        self.phones: dict[str, Phone] = {}
        self.gateways: dict[Direction, dict[str, Row]] = {"inbound": {}, "outbound": {}}
        self.rules: list[Row] = []
        self.calls: list[Row] = []
        self._hang_ups: dict[str, float] = {}
        self._ids = itertools.count(1)

    def add_phone(self, number: str, name: str = "Sandbox number") -> Phone:
        """Give the phone ``number``, made where there is none, attached to nothing."""
        if number not in self.phones:
            country = next((code for prefix, code in _COUNTRIES.items() if number.startswith(prefix)), None)
            self.phones[number] = Phone(
                {
                    "phoneNumberId": f"pn_{next(self._ids):06d}",
                    "e164": number,
                    "countryCode": country,
                    "provider": "other",
                    "origin": "SIP Configured",
                    "status": "ACTIVE",
                    "createdAt": _BORN,
                    "updatedAt": _BORN,
                    "name": name,
                }
            )
        return self.phones[number]

    def add_pair(
        self, gateway: str | None = None, *, name: str = "Sandbox gateway", **outbound: Any
    ) -> tuple[str, str]:
        """Ids of a gateway pair: ``gateway`` and ``gateway-out``, made where there are none; null makes a new pair.

        ``outbound`` sets the address, transport and auth of the outbound gateway.
        """
        inbound_id = gateway or f"gw_{next(self._ids):06d}"
        outbound_id = f"{inbound_id}-out"
        if inbound_id not in self.gateways["inbound"]:
            self.gateways["inbound"][inbound_id] = _gateway(inbound_id, name) | {"address": None, "auth": {}}
            self.gateways["outbound"][outbound_id] = _gateway(outbound_id, name) | {
                "address": "sip.example.com:5061",
                "transport": "tls",
                "auth": {"username": "sandbox-user", "password": "sandbox-password-in-clear"},
                **outbound,
            }
        return inbound_id, outbound_id

    def attach(self, number: str, gateway: str | None = None) -> None:
        """Attach ``number`` to the pair of the inbound gateway ``gateway``, or to a new pair of its own."""
        self.connect(number, self.add_pair(gateway))

    def connect(self, number: str, pair: Pair) -> None:
        """Attach ``number`` to these inbound and outbound gateways."""
        phone = self.add_phone(number)
        phone.inbound, phone.outbound = pair
        phone.ghost = None

    def detach(self, number: str) -> None:
        """Detach both directions; nothing happens when it is not attached."""
        phone = self.phones[number]
        if phone.attached:
            phone.ghost = (self.habits.clock() + self.habits.lag, (phone.inbound, phone.outbound))
        phone.inbound = phone.outbound = None

    def remove_gateway(self, gateway: str) -> None:
        """Delete a gateway of either direction; numbers lose it."""
        for known in self.gateways.values():
            known.pop(gateway, None)
        for phone in self.phones.values():
            phone.inbound = None if phone.inbound == gateway else phone.inbound
            phone.outbound = None if phone.outbound == gateway else phone.outbound

    def begin_call(self, number: str, seconds: float | None = None) -> None:
        """Let somebody call ``number``, for so many seconds of the world's clock, or until `end_calls`."""
        phone, call = self.phones.get(number), f"call_{next(self._ids):06d}"
        self.calls.append(
            {
                "id": call,
                "type": "inbound",
                "gatewayId": phone.inbound if phone else None,
                "ruleId": None,
                "roomId": "sandbox-room",
                "to": number,
                "from": _CALLER,
                "status": "answered",
                "start": _now(),
                "end": None,
                "timelog": [],
            }
        )
        if seconds is not None:
            self._hang_ups[call] = self.habits.clock() + seconds

    def end_calls(self, number: str) -> None:
        """Hang up all calls of ``number``."""
        for row in self.calls:
            if number in (row["to"], row["from"]):
                self._hang_up(row)

    def shown_calls(self) -> list[Row]:
        """Give all calls as a read now returns them, ended ones too."""
        for row in self.calls:
            if self.habits.clock() >= self._hang_ups.get(row["id"], math.inf):
                self._hang_up(row)
        return self.calls

    def _hang_up(self, row: Row) -> None:
        if row["end"] is None:
            row |= {"status": "ended", "end": _now()}

    def numbers_by_gateway(self) -> dict[str, list[str]]:
        """Give the numbers attached to each gateway of either direction that has any."""
        members: dict[str, list[str]] = {}
        for number, phone in self.phones.items():
            for gateway in filter(None, (phone.inbound, phone.outbound)):
                members.setdefault(gateway, []).append(number)
        return members


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _gateway(gateway: str, name: str) -> Row:
    return {
        "id": gateway,
        "name": name,
        "allowedAddresses": [],
        "allowedNumbers": [],
        "mediaEncryption": "disable",
        "record": False,
        "tags": [],
        "geoRegion": "auto",
        "metadata": {},
        "noiseCancellation": False,
        "enableDtmf": False,
    }
