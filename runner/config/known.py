"""What plan and config must know of each provider before any of its code is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Known:
    """``target`` is the plan's key for what a number is attached to, ``credentials`` the complete sets of keys."""

    target: str
    target_required: bool
    base_url: str
    credentials: tuple[frozenset[str], ...]
    headers: frozenset[str] = frozenset()
    """Keys of the account that this provider takes besides its credentials."""
    required: frozenset[str] = frozenset()
    """Those of ``headers`` that an account cannot do without."""
    everywhere: bool = False
    """Whether a detach takes a number off all of its targets, so that an account has it to do only once."""
    reattach: frozenset[str] = frozenset()
    """What `reattach` may give: what a rollback needs and the provider may not show."""
    secret: frozenset[str] = frozenset()
    """Those of ``reattach`` that are secrets, and so are given by reference."""


PROVIDERS = MappingProxyType(
    {
        "unpod": Known(
            target="bridge",
            target_required=True,
            base_url="https://unpod.dev",
            credentials=(frozenset({"token"}),),
            headers=frozenset({"org_handle", "product_id"}),
            required=frozenset({"org_handle"}),
            reattach=frozenset({"provider_config_id"}),
        ),
        "videosdk": Known(
            target="gateway",
            target_required=False,
            base_url="https://api.videosdk.live",
            credentials=(frozenset({"token"}), frozenset({"api_key", "secret"})),
            everywhere=True,
            reattach=frozenset({"name", "address", "transport", "region", "auth", "auth_username", "auth_password"}),
            secret=frozenset({"auth_password"}),
        ),
    }
)
"""Every provider that plans and configs may name. One more is one more entry, and its target in the plan's grammar."""
