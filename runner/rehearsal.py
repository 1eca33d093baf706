"""A sandbox in the same process, seeded from a plan, and settings whose accounts all lead to it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.config import Account, SecretRef, Settings
from runner.sandbox import ORG_HANDLE, TOKEN, Faults, World, serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from runner.plan import Plan


@asynccontextmanager
async def rehearsal(plan: Plan, settings: Settings | None, *, faults: str | None, seed: int) -> AsyncIterator[Settings]:
    """Start a sandbox in which all of ``plan`` is attached, and yield settings that need neither config nor token."""
    parsed = Faults.parse(faults, seed=seed) if faults else None
    async with serve(World.from_plan(plan.groups), faults=parsed) as server:
        known = settings or Settings()
        accounts = {}
        for group in plan.groups:
            plain = Account(group.account, group.provider, server.url)
            account = known.accounts.get(group.account, plain)
            accounts[group.account] = replace(
                account,
                base_url=server.url,
                org_handle=ORG_HANDLE,
                token=SecretRef.literal(TOKEN),
                api_key=None,
                secret=None,
                unset=(),
            )
        yield replace(known, accounts=accounts)
