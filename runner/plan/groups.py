"""One group: whose account it means, what target it names, and whether the provider takes such a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.config import PROVIDERS
from runner.config.reattach import misfits
from runner.document import Mapping, Node, Page, quoted
from runner.document.schema import free, nearest, typed, validate
from runner.e164 import NumberList
from runner.plan import reassign
from runner.plan.grammar import GroupFile
from runner.plan.model import Group

if TYPE_CHECKING:
    from collections.abc import Mapping as Accounts

    from runner.plan.listing import Listing, Numbers


_PROVIDER_OF = {known.target: name for name, known in PROVIDERS.items()}
_WITHOUT_TARGET = next(name for name, known in PROVIDERS.items() if not known.target_required)


Owned = tuple[str, str, str | None]
"""Account, provider and target."""


class _Misfit(Exception):
    """Something that does not fit: the key to blame (null: the whole group), and the sentence."""


class Groups:
    """Reads the groups of one plan; ``accounts`` maps each configured one to its provider, null without a config."""

    def __init__(self, page: Page, accounts: Accounts[str, str] | None, numbers: Numbers) -> None:
        self._page, self._accounts, self._numbers = page, accounts, numbers
        self._warned: set[str] = set()
        self._moves: bool | None = None

    def read(self, node: Node) -> tuple[Group | None, bytes]:
        """Return the group and the SHA-256 of its number file; None after noting its problems."""
        if not isinstance(node, Mapping):
            self._page.problem(node, "a group must be a mapping with `account`, a target and `numbers`")
            return None, b""
        given = free(node, self._page, "reattach", typed) | {"numbers": None, "reassign": None}
        file = validate(GroupFile, node, self._page, "a group", given)
        owned = self._owned(node, file) if file else None
        settings: dict[str, Any] = {}
        if file and owned:
            self._check_reattach(node, owned[1], file)
            settings = self._reassign(node, owned, file)
        self._check_alike(node)
        target, everywhere = ((owned[0], owned[2]), PROVIDERS[owned[1]].everywhere) if owned else (None, False)
        listing = self._numbers.read(node, target, everywhere=everywhere)
        return (self._group(node, file, owned, listing, settings) if file and owned else None), listing.digest

    def _owned(self, node: Mapping, file: GroupFile) -> Owned | None:
        try:
            account, provider, target = self._resolve(file)
        except _Misfit as misfit:
            key, message = misfit.args
            self._page.problem((node.get(key) if key else None) or _begin(node), message)
            return None
        self._warn_without_config(node, account, provider)
        return account, provider, target

    def _check_reattach(self, node: Mapping, provider: str, file: GroupFile) -> None:
        said = node.get("reattach")
        for key, sentence in misfits(provider, file.reattach):
            spot = said.get(key) if isinstance(said, Mapping) else None
            self._page.problem(spot or node, sentence)

    def _reassign(self, node: Mapping, owned: Owned, file: GroupFile) -> dict[str, Any]:
        """Return where the group's numbers are moved to, flat; nothing after noting its problems."""
        said = node.get("reassign")
        if said is None:
            return {}
        read_one = reassign.read(said, owned[1], self._page)
        settings = read_one.settings() if read_one else {}
        if settings.get("bridge", "") == owned[2]:
            self._page.problem(said, f"the numbers are on {quoted(owned[2])} already; name another bridge to move to")
        if file.if_missing == "ok":
            spot = node.get("if_missing") or said
            self._page.problem(spot, "numbers of a target that is gone cannot be moved; take `if_missing` out")
        return settings

    def _check_alike(self, node: Mapping) -> None:
        """Note a group that is moved beside one that is detached: a person confirms one thing."""
        moves = node.get("reassign") is not None
        self._moves = moves if self._moves is None else self._moves
        if moves != self._moves:
            words = "is moved, and those above are detached" if moves else "is detached, and those above are moved"
            self._page.problem(_begin(node), f"this group {words}; write a plan for each")

    def _group(self, node: Mapping, file: GroupFile, owned: Owned, listing: Listing, settings: dict[str, Any]) -> Group:
        account, provider, target = owned
        if listing.all and target is None:
            self._page.warn(_begin(node), f"this takes every number of the whole account {quoted(account)}")
        return Group(
            account=account,
            provider=provider,
            target=target,
            numbers=None if listing.all else NumberList(listing.digits),
            notes=listing.notes,
            if_missing=file.if_missing == "ok",
            reattach=file.reattach,
            reassign=settings,
            place=self._page.place(_begin(node)),
            note=file.note,
        )

    def _resolve(self, file: GroupFile) -> Owned:
        """Return account, provider and target; raise _Misfit where they do not fit together."""
        named = [key for key in _PROVIDER_OF if getattr(file, key) is not None]
        if len(named) > 1:
            raise _Misfit(named[1], f"a group names one target; keep either `{named[0]}` or `{named[1]}`")
        key = named[0] if named else None
        if file.provider and file.provider not in PROVIDERS:
            known = nearest(file.provider, PROVIDERS)
            raise _Misfit("provider", f"there is no provider {quoted(file.provider)}; {known}")
        account, provider = self._owner(file, _PROVIDER_OF[key] if key else _WITHOUT_TARGET)
        wanted = PROVIDERS[provider]
        if key and key != wanted.target:
            raise _Misfit(key, f"`{key}` is not for {provider}; write `{wanted.target}` for a target there")
        if not key and wanted.target_required:
            raise _Misfit(None, f"a group at {provider} needs `{wanted.target}`; add it")
        return account, provider, getattr(file, key) if key else None

    def _owner(self, file: GroupFile, implied: str) -> tuple[str, str]:
        """Return account and provider; ``implied`` is the provider that the kind of target speaks for."""
        if file.account is None:
            if file.provider is None:
                raise _Misfit(None, "a group lacks `account`; add it, or `provider` where there is one account of it")
            return self._only_account_of(file.provider), file.provider
        if self._accounts is None:
            return file.account, file.provider or implied
        provider = self._accounts.get(file.account)
        if provider is None:
            known = nearest(file.account, self._accounts)
            raise _Misfit("account", f"the config has no account {quoted(file.account)}; {known}")
        if file.provider not in (None, provider):
            raise _Misfit("provider", f"the account {quoted(file.account)} is at {provider}; correct one of the two")
        return file.account, provider

    def _only_account_of(self, provider: str) -> str:
        if self._accounts is None:
            return provider
        found = [name for name, owner in self._accounts.items() if owner == provider]
        if len(found) == 1:
            return found[0]
        has = f"has the accounts {', '.join(found)}" if found else "has no account"
        mend = "write `account` to say which" if found else "add one"
        raise _Misfit("provider", f"the config {has} at {provider}; {mend}")

    def _warn_without_config(self, node: Mapping, account: str, provider: str) -> None:
        spot = node.get("account")
        if self._accounts is None and spot and account not in self._warned:
            self._warned.add(account)
            self._page.warn(
                spot, f"there is no config with the account {quoted(account)}; it is taken for {provider}'s"
            )


def _begin(node: Mapping) -> Node:
    return node.pairs[0][0] if node.pairs else node
