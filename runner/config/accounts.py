"""The accounts of a config: each key checked against what its provider takes, secrets left as references."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from runner.config.address import base_url
from runner.config.grammar import AccountFile
from runner.config.known import PROVIDERS, Known
from runner.config.secret import VARIABLE, SecretRef
from runner.config.settings import Account
from runner.document import Given, Mapping, Node, Page, Scalar, quoted
from runner.document.schema import validate
from runner.errors import Problem
from runner.policy import AUTO

if TYPE_CHECKING:
    from collections.abc import Mapping as Environ

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SECRETS = ("token", "api_key", "secret")
_WITH_VARIABLES = ("base_url", "org_handle", "product_id")
_OF_ONE_PROVIDER = frozenset({*_SECRETS, "org_handle", "product_id"})


def read_accounts(node: Node | None, environ: Environ[str, str], page: Page) -> dict[str, Account]:
    """Return the accounts under ``accounts:`` that are sound, after noting what is wrong with the others."""
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        page.problem(node, "`accounts` must be a mapping: a name, and below it the account")
        return {}
    read = (_Reader(key, value, environ, page).account() for key, value in node.pairs)
    return {account.name: account for account in read if account}


class _Reader:
    """One account on its way from nodes to a value."""

    def __init__(self, key: Scalar, node: Node, environ: Environ[str, str], page: Page) -> None:
        self._key, self._node, self._environ, self._page = key, node, environ, page
        self._unset: list[Problem] = []

    def account(self) -> Account | None:
        """Return the account, or None after noting its problems."""
        name, what = self._key.text or "", f"the account {quoted(self._key.text)}"
        if not _NAME.fullmatch(name):
            self._page.problem(
                self._key, f"{what} has a name that options cannot hold; use letters, digits, `-` and `_`"
            )
        model = validate(AccountFile, self._node, self._page, what)
        if model is None or not isinstance(self._node, Mapping):
            return None
        known = PROVIDERS[model.provider]
        self._check_keys(self._node, model.provider, known, what)
        self._check_rates(model)
        return Account(
            name=name,
            provider=model.provider,
            base_url=self._address(self._text("base_url")) or known.base_url,
            org_handle=self._text("org_handle"),
            product_id=self._text("product_id"),
            rate=model.rate,
            max_rate=model.max_rate,
            concurrency=model.concurrency,
            timeout=model.timeout,
            token=self._secret("token"),
            api_key=self._secret("api_key"),
            secret=self._secret("secret"),
            place=self._page.place(self._key),
            unset=tuple(self._unset),
        )

    def _check_keys(self, node: Mapping, provider: str, known: Known, what: str) -> None:
        given = {key.text or "": key for key, _ in node.pairs if key.text in _OF_ONE_PROVIDER}
        foreign = given.keys() - known.headers - frozenset().union(*known.credentials)
        for name in sorted(foreign):
            self._page.problem(given[name], f"`{name}` is not for {provider}; take it out")
        if known.required - given.keys():
            self._page.problem(
                self._key, f"{what} lacks `{', '.join(known.required - given.keys())}`; {provider} needs it"
            )
        secrets = given.keys() - foreign - known.headers
        if secrets not in known.credentials:
            sets = " or else ".join(" with ".join(f"`{name}`" for name in sorted(one)) for one in known.credentials)
            self._page.problem(self._key, f"{what} needs {sets}, and no other mix of credentials")

    def _check_rates(self, model: AccountFile) -> None:
        if model.max_rate and model.rate != AUTO and model.rate.per_second > model.max_rate.per_second:
            self._page.problem(
                self._scalar("rate") or self._key, "`rate` is above `max_rate`; lower it, or make it auto"
            )

    def _scalar(self, name: str) -> Scalar | None:
        node = self._node.get(name) if isinstance(self._node, Mapping) else None
        return node if isinstance(node, Scalar) else None

    def _secret(self, name: str) -> SecretRef | None:
        if not (node := self._scalar(name)):
            return None
        place = self._page.place(node)
        try:
            ref = SecretRef.parse(node.text or "", Path(self._page.name).parent, place)
        except ValueError as error:
            self._page.problem(node, f"`{name}` {error}")
            return None
        if ref.kind == "literal" and not isinstance(node, Given):
            self._page.warn(node, f"`{name}` stands here in the clear; write ${{NAME}} or file:/path instead")
        return ref

    def _text(self, name: str) -> str | None:
        """Return the text with its ``${ENV}`` filled in; one that is not set matters only once the account is used."""
        if not (node := self._scalar(name)) or node.text is None:
            return None
        for variable in VARIABLE.findall(node.text):
            if not self._environ.get(variable, "").strip():
                message = f"the environment variable {variable} is not set or blank; `{name}` needs it"
                self._unset.append(Problem(self._page.place(node), message))
        text = VARIABLE.sub(lambda match: self._environ.get(match[1], "").strip() or match[0], node.text)
        if not text.isprintable():
            self._page.problem(node, f"`{name}` holds a control character from the environment; give plain text")
        return text

    def _address(self, text: str | None) -> str | None:
        node = self._scalar("base_url")
        if text is None or node is None or VARIABLE.search(text):
            return text
        try:
            return base_url(text)
        except ValueError as error:
            self._page.problem(node, f"`base_url` {error}")
            return None
