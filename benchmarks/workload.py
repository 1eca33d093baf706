"""What there is to detach, and the files that say so: a plan and a config for the runner, a list for the others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GATEWAY = "gw_7f3a"
TOKEN = "benchmark-token"  # noqa: S105 - opens nothing
PER_BRIDGE = 500
CONCURRENCY = 50
FAR_ABOVE = "100000/s"
_FIRST = 2_000_000
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json",
    "User-Agent": f"teardown/{VERSION}",
}


def number(index: int) -> str:
    """Return a fictional number; there are five million."""
    return f"+1212{_FIRST + index}"


def bridge(place: int) -> str:
    """Return the slug of a bridge."""
    return f"bridge-{place}"


@dataclass(frozen=True, slots=True)
class Workload:
    """So many numbers at ``provider``: on bridges of ``per_bridge``, or at one gateway."""

    provider: str
    count: int
    per_bridge: int = PER_BRIDGE

    @property
    def headers(self) -> dict[str, str]:
        """The headers that the runner sends with every request, and so everybody else."""
        if self.provider == "unpod":
            return {"Authorization": f"Token {TOKEN}", **_HEADERS, "Org-Handle": "acme"}
        return {"Authorization": TOKEN, **_HEADERS}

    @property
    def field(self) -> str:
        """What the number is called in the body of a detach."""
        return "phone_number" if self.provider == "unpod" else "phoneNumber"

    def requests(self) -> Iterator[tuple[str, str]]:
        """Yield the path and the number of every detach, in the plan's order."""
        for index in range(self.count):
            slug = bridge(index // self.per_bridge)
            path = f"/api/v2/platform/telephony/bridges/{slug}/disconnect-provider/"
            yield path if self.provider == "unpod" else "/v2/sip/phone-numbers/detach", number(index)

    def write_list(self, path: Path) -> None:
        """Write the requests, path and number a line."""
        path.write_text("".join(f"{where} {which}\n" for where, which in self.requests()), encoding="utf-8")

    def write_plan(self, path: Path) -> None:
        """Write the plan, numbers as a list of strings."""
        size = self.per_bridge if self.provider == "unpod" else self.count
        with path.open("w", encoding="utf-8") as file:
            file.write("version: 1\nname: benchmark\nteardown:\n")
            for first in range(0, self.count, size):
                unpod = self.provider == "unpod"
                target = f"bridge: {bridge(first // size)}" if unpod else f"gateway: {GATEWAY}"
                file.write(f"  - account: bench\n    {target}\n    numbers:\n")
                file.writelines(f'      - "{number(index)}"\n' for index in range(first, min(first + size, self.count)))

    def write_config(self, path: Path, url: str, *, rate: str = FAR_ABOVE) -> None:
        """Write the config that leads the plan's account to ``url``."""
        account: dict[str, object] = {"provider": self.provider, "base_url": url, "token": "${BENCHMARK_TOKEN}"}
        account |= {"rate": rate, "concurrency": CONCURRENCY}
        account |= {"org_handle": "acme"} if self.provider == "unpod" else {}
        config = {"accounts": {"bench": account}, "guards": {"max_numbers": 10**7}}
        path.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
