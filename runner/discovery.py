"""From an account to a plan of what is attached there now."""

from __future__ import annotations

import json
import re
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from runner import providers
from runner.begin import Options
from runner.config import PROVIDERS
from runner.errors import BlockedError, InputError, Refused, RequestError
from runner.lanes import PatientReads
from runner.log import stamp
from runner.opening import known_secrets, open_lane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runner.config import Account, Settings
    from runner.inventory import Inventory, Shelf
    from runner.policy import Guards

_QUIET = 5.0
"""Seconds for which nothing is said."""
_BARE = re.compile(r"[A-Za-z][\w./+-]*", re.ASCII)
_WORDS_OF_YAML = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def find_account(settings: Settings, name: str) -> Account:
    """Return an account whose provider can list its numbers; InputError."""
    if name not in settings.accounts:
        known = ", ".join(settings.accounts)
        has = f"in the config; it has: {known}" if known else "and no config with any; see config.example.yaml"
        raise InputError(f"there is no account {name!r} {has}")
    account = settings.accounts[name]
    if providers.load(account.provider).lister is None:
        raise InputError(f"the provider {account.provider} cannot list the numbers of {name}; write the plan by hand")
    return account


def cleaner(account: Account, environ: Mapping[str, str]) -> Callable[[str], str]:
    """Return what takes the account's secrets out of a text; InputError when they cannot be had."""
    secrets = known_secrets(account.credentials(environ))

    def clean(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "[secret]")
        return text

    return clean


async def look_through(
    account: Account,
    settings: Settings,
    targets: tuple[str, ...],
    inventory: Inventory,
    *,
    environ: Mapping[str, str],
    clock: Callable[[], float],
    heard: Callable[[int], None] = lambda _: None,
) -> None:
    """Fill ``inventory`` with all that the account has, or that ``targets`` have.

    ``heard`` is told every few seconds how many numbers that are so far; ``clock`` gives seconds since the epoch.
    Raises BlockedError when a read fails for good, or shows less than it says: that is no evidence of anything.
    """
    async with AsyncExitStack() as stack:
        lane = await open_lane(
            stack,
            account=account,
            credentials=account.credentials(environ),
            policy=settings.retry,
            options=Options(),
            clock=clock,
        )
        try:
            assert lane.spec.lister  # noqa: S101 - `find_account` has asked
            count, told = 0, clock()
            async for holding in lane.spec.lister(PatientReads(lane)).inventory(targets):
                inventory.add(holding)
                count += 1
                if clock() - told >= _QUIET:
                    told = clock()
                    heard(count)
        except RequestError as error:
            why = "" if isinstance(error, Refused) else ", as a failed read is no evidence"
            raise BlockedError(f"{account.name}: no plan was made{why}: {error}") from error


def plan_text(account: Account, inventory: Inventory, guards: Guards, at: float) -> Iterator[str]:
    """Yield the lines of a plan of all that is in ``inventory``, as it was ``at``, with what was left out at its end.

    BlockedError when that is nothing, or what no plan can say.
    """
    shelves = inventory.shelves()
    if not shelves:
        raise BlockedError(f"{account.name}: no plan was made, as there is nothing to detach{_left_out(inventory)}")
    for shelf in shelves:
        _check(account, shelf.target)
    total, places = sum(shelf.size for shelf in shelves), f"{len(shelves)} target{'s' if len(shelves) > 1 else ''}"
    yield f"# {total} numbers at {places} of {account.name} ({account.provider}), as `teardown discover` saw them.\n"
    yield "# Take out what has to stay; then `teardown check` says what a run of the rest would do.\n"
    yield f"version: 1\nname: {account.name}-attached\nmetadata: {{discovered_at: {stamp(at)}}}\n"
    yield from _guards(total, guards)
    yield "teardown:\n"
    for shelf in shelves:
        yield from _group(account, inventory, shelf)
    left_out = inventory.left_out()
    yield f"# {total} numbers in all; left out: {'nothing' if not left_out else ''}".rstrip() + "\n"
    yield from (f"#   {count} {why}\n" for why, count in left_out.items())


def _guards(total: int, guards: Guards) -> Iterator[str]:
    """Let a run detach no more than is listed; where the config allows less, that stands."""
    if total <= guards.max_numbers:
        yield f"guards:\n  max_numbers: {total}    # a run refuses to detach more\n"
    else:
        yield f"# A run refuses this many, as guards.max_numbers is {guards.max_numbers}; raise it if you mean it.\n"


def _group(account: Account, inventory: Inventory, shelf: Shelf) -> Iterator[str]:
    yield f"  - account: {_scalar(account.name)}\n"
    comment = f"{shelf.title}: {shelf.size} attached" if shelf.title else f"{shelf.size} attached"
    if shelf.target is not None:
        yield f"    {PROVIDERS[account.provider].target}: {_scalar(shelf.target)}    # {comment}\n"
    yield "    numbers:\n"
    for number, remark in inventory.numbers(shelf.target):
        yield f"      - {number}    # {remark}\n" if remark else f"      - {number}\n"


def _check(account: Account, target: str | None) -> None:
    """Raise BlockedError for a target that no plan can name."""
    if target is not None and (not target.isprintable() or re.search(r"[\s/?#]", target) or target in ("", ".", "..")):
        raise BlockedError(f"{account.name}: no plan was made, as none can name the target {target!r}; see --target")


def _left_out(inventory: Inventory) -> str:
    found = inventory.left_out()
    return f"; left out: {', '.join(f'{count} {why}' for why, count in found.items())}" if found else ""


def _scalar(text: str) -> str:
    return (
        text if _BARE.fullmatch(text) and text.lower() not in _WORDS_OF_YAML else json.dumps(text, ensure_ascii=False)
    )
