"""What is true in the sandbox: both providers, and the record of all that reached them."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, Protocol

from runner.sandbox.habits import DetachedRows, Habits
from runner.sandbox.organisation import DEFAULT_CONFIG, Organisation, is_attached
from runner.sandbox.record import Record, Request
from runner.sandbox.sip import SipAccount

Hook = Callable[[Request], None]
Provider = Literal["unpod", "videosdk"]

_MADE_UP = 10
_AREAS = ("212", "312", "415", "512", "617", "702", "808", "917")


class PlannedGroup(Protocol):
    """The part of a plan's group that a world is seeded from; ``numbers`` is null for all."""

    @property
    def provider(self) -> str:
        """``unpod`` or ``videosdk``."""
        ...

    @property
    def target(self) -> str | None:
        """A bridge's slug or a gateway's id."""
        ...

    @property
    def numbers(self) -> Iterable[str] | None:
        """The numbers in E.164 form."""
        ...

    @property
    def reassign(self) -> Mapping[str, Any]:
        """Where the numbers are moved to, if they are: at Unpod a ``bridge``, perhaps a ``provider_config_id``."""
        ...


class World:
    """Both providers as they truly are, whatever their answers say.

    ``record`` lists every request; each of the ``on_request`` hooks is called with a request when it arrives, before
    anything is done about it; a provider whose name is in ``revoked`` refuses its token. The keywords are explained at
    ``Habits``; ``clock`` gives seconds.
    """

    def __init__(
        self,
        *,
        detached_rows: DetachedRows = "gone",
        not_connected: Literal[206, 400] = 400,
        show_configurations: bool = False,
        lag: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.habits = Habits(detached_rows, not_connected, show_configurations, lag, clock)
        self.unpod = Organisation(self.habits)
        self.videosdk = SipAccount(self.habits)
        self.record = Record()
        self.on_request: list[Hook] = []
        self.revoked: set[str] = set()

    @classmethod
    def from_plan(cls, groups: Iterable[PlannedGroup], **habits: Any) -> World:
        """Seed a world where every number is attached as the plan says; ``all`` gets ten made-up ones.

        Where a plan names a number at two VideoSDK gateways, the first has it.
        """
        world = cls(**({"show_configurations": True} | habits))
        groups = list(groups)
        for group in groups:
            world._seed(group, group.numbers or ())
        for group in groups:
            if group.numbers is None:
                world._seed(group, world._made_up(group.target))
        return world

    @classmethod
    def example(cls) -> World:
        """Two bridges and a shared gateway pair, with ten numbers each, to try the tool against without a plan."""
        world = cls(show_configurations=True)
        for slug in ("sales-bridge-001", "support-bridge"):
            world.unpod.add_bridge(slug, world._made_up(slug))
        for number in world._made_up("gw_7f3a"):
            world.videosdk.attach(number, "gw_7f3a")
        return world

    def attached(self, provider: str, target: str | None, number: str) -> bool:
        """Whether ``number`` is truly attached to ``target`` (a bridge, or either gateway; null: any)."""
        if provider == "unpod":
            bridge = self.unpod.bridges.get(target or "")
            return is_attached(bridge.rows.get(number)) if bridge else not target and bool(self.unpod.holders(number))
        phone = self.videosdk.phones.get(number)
        return phone is not None and (target in (phone.inbound, phone.outbound) if target else phone.attached)

    def attach(self, provider: str, target: str | None, number: str) -> None:
        """Attach ``number`` behind the client's back, making the target where it is missing."""
        if provider == "unpod":
            self.unpod.add_bridge(target or "sandbox-bridge", [number])
        else:
            self.videosdk.attach(number, target)

    def detach(self, provider: str, target: str | None, number: str) -> None:
        """Detach ``number`` behind the client's back; ``target`` is the bridge, and means nothing at VideoSDK."""
        if provider == "unpod":
            for slug in [target] if target else self.unpod.holders(number):
                self.unpod.detach(slug, number)
        else:
            self.videosdk.detach(number)

    def detach_requests(self, number: str) -> list[Request]:
        """Give the detach requests for ``number``, oldest first."""
        return self.record.detach_requests(number)

    def useless_detaches(self) -> list[Request]:
        """Detach requests that arrived for a number that was already gone from its target."""
        return self.record.useless_detaches()

    def attach_requests(self, number: str) -> list[Request]:
        """Give the attach requests for ``number``, oldest first."""
        return self.record.attach_requests(number)

    def useless_attaches(self) -> list[Request]:
        """Attach requests that arrived when one of their numbers was attached already."""
        return self.record.useless_attaches()

    def request_times(self, provider: str) -> list[float]:
        """When each request to ``provider`` arrived, in seconds of the world's clock."""
        return self.record.times(provider)

    def busiest_second(self, provider: str) -> int:
        """Give the most requests to ``provider`` that arrived within any one second."""
        return self.record.busiest_second(provider)

    def state(self) -> dict[str, Any]:
        """Give the truth as JSON: the numbers attached to each bridge, and the gateways of each VideoSDK number."""
        bridges = self.unpod.bridges.items()
        return {
            "unpod": {
                "bridges": {
                    slug: [n for n, row in bridge.rows.items() if is_attached(row)] for slug, bridge in bridges
                },
                "unassigned": list(self.unpod.unassigned),
            },
            "videosdk": {
                "numbers": {
                    number: {"inbound": phone.inbound, "outbound": phone.outbound}
                    for number, phone in self.videosdk.phones.items()
                },
            },
        }

    def _seed(self, group: PlannedGroup, numbers: Iterable[str]) -> None:
        if group.provider == "unpod":
            self.unpod.add_bridge(group.target or "sandbox-bridge", numbers)
            if to := group.reassign:
                self.unpod.add_bridge(to["bridge"])
                self.unpod.add_configuration(to.get("provider_config_id", DEFAULT_CONFIG))
            return
        if group.target:
            self.videosdk.add_pair(group.target)
        for number in numbers:
            if not self.attached("videosdk", None, number):
                self.videosdk.attach(number, group.target)

    def _made_up(self, target: str | None) -> list[str]:
        """Ten fictional numbers, the same for the same target, that are attached nowhere yet."""
        return [number for number, _ in zip(self._fictional(target or ""), range(_MADE_UP), strict=False)]

    def _fictional(self, name: str) -> Iterator[str]:
        seed = zlib.crc32(name.encode())
        for step in range(len(_AREAS) * 10_000):
            area, line = _AREAS[(seed + step // 10_000) % len(_AREAS)], (seed + step) % 10_000
            number = f"+1{area}555{line:04d}"
            if not self.attached("unpod", None, number) and number not in self.videosdk.phones:
                yield number
