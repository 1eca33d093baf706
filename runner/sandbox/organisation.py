"""The truth at Unpod: one organisation with its bridges, numbers and provider configurations."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.sandbox.habits import Habits

Row = dict[str, Any]
"""A JSON object as the API shows it."""

DEFAULT_CONFIG = 42
_DETACHED_STATES = frozenset({"UNASSIGNED", "NOT_ASSIGNED", "CLOSED"})


def is_attached(row: Row | None) -> bool:
    """Whether a bridge's row says that its number is attached."""
    if row is None or row.get("state") in _DETACHED_STATES:
        return False
    return row.get("provider_configuration", row) is not None


@dataclass(slots=True)
class Bridge:
    """One voice bridge; ``ghosts`` are rows of detached numbers that reads still show until the time beside them."""

    id: int
    slug: str
    name: str
    provider: str | None
    rows: dict[str, Row] = field(default_factory=dict)
    ghosts: dict[str, tuple[float, Row]] = field(default_factory=dict)

    def shown(self, now: float) -> list[Row]:
        """Give the rows that a read at ``now`` returns."""
        if not self.ghosts:
            return list(self.rows.values())
        ghosts = {number: row for number, (until, row) in self.ghosts.items() if now < until}
        return list((self.rows | ghosts).values())


class Organisation:
    """Bridges by slug, unassigned numbers by number, provider configurations by id."""

    def __init__(self, habits: Habits) -> None:
        self.habits = habits
        self.bridges: dict[str, Bridge] = {}
        self.unassigned: dict[str, Row] = {}
        self.configurations: dict[int, Row] = {
            DEFAULT_CONFIG: {
                "id": DEFAULT_CONFIG,
                "provider": "twilio",
                "account_sid": "AC0000000000000000000000000000",
            }
        }
        self._number_ids: dict[str, int] = {}
        self._bridge_ids = itertools.count(301)
        self._assignment_ids = itertools.count(9001)

    def add_bridge(self, slug: str, numbers: Iterable[str] = (), *, provider: str | None = "twilio") -> Bridge:
        """Give the bridge ``slug``, made where there is none, with ``numbers`` attached to it."""
        if slug not in self.bridges:
            name = slug.replace("-", " ").replace("_", " ").title()
            self.bridges[slug] = Bridge(next(self._bridge_ids), slug, name, provider)
        for number in numbers:
            self.attach(slug, number)
        return self.bridges[slug]

    def add_configuration(self, config: int, provider: str = "twilio") -> None:
        """Give the organisation a provider configuration with this id, unless it has one."""
        known = {"id": config, "provider": provider, "account_sid": "AC0000000000000000000000000000"}
        self.configurations.setdefault(config, known)

    def add_unassigned(self, number: str) -> None:
        """Give the organisation a number that is on no bridge."""
        self.unassigned[number] = {"id": self.number_id(number), "number": number, "active": True}

    def attach(self, slug: str, number: str, config: int = DEFAULT_CONFIG) -> None:
        """Connect ``number`` to the bridge; KeyError when there is no such bridge."""
        bridge = self.bridges[slug]
        bridge.ghosts.pop(number, None)
        self.unassigned.pop(number, None)
        row = bridge.rows.get(number) or self._new_row(number)
        shown = self.habits.show_configurations or "provider_configuration" in row
        configuration = {"provider_configuration": self._configuration(config)} if shown else {}
        bridge.rows[number] = {**row, "state": "ASSIGNED", **configuration}

    def detach(self, slug: str, number: str) -> None:
        """Disconnect ``number`` from the bridge as the habits say; nothing happens when it is not there."""
        bridge = self.bridges[slug]
        row = bridge.rows.pop(number, None)
        if row is None:
            return
        if self.habits.lag:
            bridge.ghosts[number] = (self.habits.clock() + self.habits.lag, row)
        if self.habits.detached_rows == "stay_null":
            bridge.rows[number] = {**row, "provider_configuration": None}
            return
        if self.habits.detached_rows == "unassigned":
            bridge.rows[number] = {**row, "state": "UNASSIGNED"}
        if not self.holders(number):
            self.add_unassigned(number)

    def remove_bridge(self, slug: str) -> None:
        """Delete a bridge; its numbers become unassigned."""
        for number in self.bridges.pop(slug).rows:
            if not self.holders(number):
                self.add_unassigned(number)

    def holders(self, number: str) -> list[str]:
        """Slugs of the bridges that ``number`` is attached to."""
        return [slug for slug, bridge in self.bridges.items() if is_attached(bridge.rows.get(number))]

    def number_id(self, number: str) -> int:
        """Give the id of a number, the same for as long as the world lasts."""
        return self._number_ids.setdefault(number, 501 + len(self._number_ids))

    def _new_row(self, number: str) -> Row:
        return {
            "id": next(self._assignment_ids),
            "number_id": self.number_id(number),
            "number": number,
            "state": "ASSIGNED",
            "active": True,
            "channels_count": 1,
            "status": "active",
        }

    def _configuration(self, config: int) -> Row:
        """As older answers embed it, secrets in clear: a client has to cope with them."""
        known = self.configurations[config]
        return {
            "id": config,
            "name": f"{known['provider']} {config}",
            "provider": known["provider"],
            "provider_details": {"name": known["provider"]},
            "api_key": "sandbox-api-key-in-clear",
            "api_secret": "sandbox-api-secret-in-clear",
        }
