"""Unpod's documented platform API, as far as numbers and bridges go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.sandbox.exchange import Answer, Call, Route
from runner.sandbox.organisation import DEFAULT_CONFIG, Bridge, Organisation, is_attached

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOT = "/api/v2/platform"
_BRIDGES = f"{_ROOT}/telephony/bridges/"
_PAGE_SIZE = 10
_NOT_FOUND = b"<!doctype html><html><head><title>Not Found</title></head><body><h1>Not Found</h1></body></html>"


class UnpodApi:
    """One organisation behind one token."""

    name = "unpod"
    prefix = _ROOT

    def __init__(self, organisation: Organisation, token: str, org_handle: str) -> None:
        self.organisation = organisation
        self.token = token
        self.org_handle = org_handle

    @property
    def routes(self) -> Sequence[Route]:
        """Every documented operation."""
        return (
            Route("POST", _BRIDGES + "{target}/disconnect-provider/", "detach", self.disconnect),
            Route("POST", _BRIDGES + "{target}/connect-provider/", "attach", self.connect),
            Route("GET", _BRIDGES, "read", self.list_bridges),
            Route("GET", _BRIDGES + "{target}/", "read", self.get_bridge),
            Route("DELETE", _BRIDGES + "{target}/", "delete", self.delete_bridge),
            Route("GET", f"{_ROOT}/telephony/numbers/", "read", self.list_numbers),
            Route("GET", f"{_ROOT}/telephony/providers-configurations/", "read", self.list_configurations),
            Route("GET", f"{_ROOT}/telephony/providers-configurations/{{id}}/", "read", self.get_configuration),
            Route("GET", f"{_ROOT}/organizations/", "read", self.list_organisations),
        )

    def denies(self, headers: Mapping[str, str]) -> Answer | None:
        """Refuse, as documented, a missing or wrong token or organisation."""
        authorization = headers.get("Authorization")
        if not authorization:
            return _refusal(401, "Authentication credentials were not provided.")
        if authorization != f"Token {self.token}":
            return self.revoked()
        handle = headers.get("Org-Handle")
        if not handle:
            return _refusal(400, "Org-Handle header is required.")
        if handle != self.org_handle:
            return _refusal(403, "You are not a member of this organization.")
        return None

    def revoked(self) -> Answer:
        """Refuse a token that is not known."""
        return _refusal(401, "Invalid token.")

    def throttled(self, wait: int) -> Answer:
        """Answer with the one error that has an ``error`` object, as the newest pages describe it."""
        message = f"Rate limit exceeded. Please try again in {wait} seconds."
        return Answer(429, {"error": {"code": "rate_limit_exceeded", "message": message}})

    def stray(self, method: str, path: str) -> Answer:
        """Django's redirect for a read without its slash, and its page for everything else."""
        if method == "GET" and not path.endswith("/"):
            return Answer(301, b"", headers={"Location": f"{path}/"})
        return Answer(404, _NOT_FOUND)

    def disconnect(self, call: Call) -> Answer:
        """Disconnect a number's provider from its bridge."""
        bridge, number = self._bridge(call), call.body.get("phone_number")
        if bridge is None:
            return _NO_BRIDGE
        if not isinstance(number, str) or not number:
            return _missing("phone_number")
        if not is_attached(bridge.rows.get(number)):
            return self._business_error("No provider linked to this number.")
        data = {"message": "Provider disconnected successfully", "bridge_slug": bridge.slug}
        done = _success("Provider disconnected from bridge successfully.", data)
        return Answer(200, done, lambda: self.organisation.detach(bridge.slug, number))

    def connect(self, call: Call) -> Answer:
        """Connect a number of this organisation to a bridge, through one of its provider configurations."""
        bridge, number = self._bridge(call), call.body.get("phone_number")
        config = call.body.get("provider_config_id")
        if bridge is None:
            return _NO_BRIDGE
        if not isinstance(number, str) or not number:
            return _missing("phone_number")
        if config not in self.organisation.configurations:
            return (
                _missing("provider_config_id") if config is None else _error(400, "Provider configuration not found.")
            )
        if set(self.organisation.holders(number)) - {bridge.slug}:
            return _error(400, "Provided number is already assigned to another bridge.")
        if number not in self.organisation.unassigned and number not in bridge.rows:
            return self._business_error("Number is not assigned or does not exist.")
        data = {"message": "Provider connected successfully", "bridge_slug": bridge.slug, "phone_number": number}
        done = _success("Provider connected to bridge successfully.", data)
        return Answer(200, done, lambda: self.organisation.attach(bridge.slug, number, config or DEFAULT_CONFIG))

    def list_bridges(self, call: Call) -> Answer:
        """Give a page of the bridges; numbers are shown without their state here."""
        bridges = list(self.organisation.bridges.values())
        size = _positive(call.query.get("page_size"), _PAGE_SIZE)
        first = (_positive(call.query.get("page"), 1) - 1) * size
        page = [self._in_list(bridge) for bridge in bridges[first : first + size]]
        return Answer(200, {"count": len(bridges), **_success("Bridges fetched successfully.", page)})

    def get_bridge(self, call: Call) -> Answer:
        """One bridge with all of its numbers."""
        bridge = self._bridge(call)
        if bridge is None:
            return _NO_BRIDGE
        data = {"id": bridge.id, "name": bridge.name, "slug": bridge.slug, "numbers": self._shown(bridge)}
        return Answer(200, _success("Bridge fetched successfully.", data))

    def delete_bridge(self, call: Call) -> Answer:
        """Delete a bridge, whatever is on it: its numbers become unassigned."""
        bridge = self._bridge(call)
        return Answer(204, b"", lambda: self.organisation.remove_bridge(bridge.slug)) if bridge else _NO_BRIDGE

    def list_numbers(self, call: Call) -> Answer:
        """Give the unassigned numbers, and with ``include_assigned`` the others too, each with its state."""
        if call.query.get("include_assigned", "").lower() not in {"true", "1"}:
            return Answer(200, _success(_NUMBERS_FETCHED, list(self.organisation.unassigned.values())))
        rows = [{**row, "state": "UNASSIGNED"} for row in self.organisation.unassigned.values()]
        taken = {
            number: {"id": row["number_id"], "number": number, "active": row["active"], "state": row["state"]}
            for bridge in self.organisation.bridges.values()
            for number, row in bridge.rows.items()
            if number not in self.organisation.unassigned
        }
        return Answer(200, _success(_NUMBERS_FETCHED, [*rows, *taken.values()]))

    def list_configurations(self, _call: Call) -> Answer:
        """Give the provider configurations, without secrets."""
        configurations = list(self.organisation.configurations.values())
        return Answer(200, _success("Provider configurations fetched successfully.", configurations))

    def get_configuration(self, call: Call) -> Answer:
        """One provider configuration."""
        found = self.organisation.configurations.get(_positive(call.path["id"], 0))
        if found is None:
            return Answer(404, {"message": "Not found.", "status_code": 404})
        return Answer(200, _success("Provider configuration fetched successfully.", found))

    def list_organisations(self, _call: Call) -> Answer:
        """Give the one organisation, with a secret as older answers have it."""
        row = {
            "id": 1,
            "name": "Sandbox",
            "domain_handle": self.org_handle,
            "token": "sandbox-organisation-token-in-clear",
            "created_at": "2026-01-15T09:00:00Z",
        }
        return Answer(200, {"count": 1, **_success("Organizations fetched successfully.", [row])})

    def _bridge(self, call: Call) -> Bridge | None:
        return self.organisation.bridges.get(call.path["target"])

    def _shown(self, bridge: Bridge) -> list[dict[str, Any]]:
        return bridge.shown(self.organisation.habits.clock())

    def _in_list(self, bridge: Bridge) -> dict[str, Any]:
        numbers = [{"id": r["id"], "number": r["number"], "status": r["status"]} for r in self._shown(bridge)]
        return {
            "id": bridge.id,
            "name": bridge.name,
            "slug": bridge.slug,
            "provider": bridge.provider,
            "numbers": numbers,
        }

    def _business_error(self, message: str) -> Answer:
        return _error(self.organisation.habits.not_connected, message)


def _success(message: str, data: Any) -> dict[str, Any]:
    return {"status_code": 200, "message": message, "data": data}


def _error(status: int, message: str, data: Mapping[str, Any] | None = None) -> Answer:
    return Answer(status, {"status_code": status, "message": message, "data": data or {}})


def _refusal(status: int, message: str) -> Answer:
    return Answer(status, {"status_code": status, "message": message})


def _missing(name: str) -> Answer:
    return _error(400, "Error", {name: ["This field is required."]})


def _positive(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() and int(text) else default


_NUMBERS_FETCHED = "Telephony numbers fetched successfully."
_NO_BRIDGE = Answer(404, {"message": "Bridge not found."})
