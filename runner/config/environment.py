"""Overrides from the environment: ``TEARDOWN_RETRY__MAX_ATTEMPTS=3`` is ``retry.max_attempts``, at its own place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.config.grammar import ConfigFile
from runner.document import Given, Mapping, Node, Page, Sequence
from runner.document.schema import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping as Environ

PREFIX = "TEARDOWN_"
_ELSEWHERE = frozenset({"TEARDOWN_CONFIG", "TEARDOWN_STATE_DIR"})
_LISTS = frozenset({"protect", "batches"})
_SECTIONS = frozenset(ConfigFile.keys)


def overlay(root: Mapping, environ: Environ[str, str], page: Page) -> Mapping:
    """Return the config ``root`` with every override of ``environ`` put in, noting on ``page`` what cannot be one.

    Variables that only share the prefix (Kubernetes sets TEARDOWN_SERVICE_HOST for such a service) are left alone.
    """
    for variable in sorted(environ):
        section, *path = variable.removeprefix(PREFIX).lower().split("__")
        if not variable.startswith(PREFIX) or variable in _ELSEWHERE or not (path or section in _SECTIONS):
            continue
        spot = Given(variable, 0, 0, source=f"environment variable {variable}")
        if section == "accounts" and len(path) > 1:
            path = [_account(root, "__".join(path[:-1]), page, spot), path[-1]]
        if complaint := _complaint(section, path, environ[variable]):
            page.problem(spot, complaint)
        else:
            root = _with(root, [section, *path], environ[variable].strip(), spot)
    return root


def _complaint(section: str, path: list[str], value: str) -> str | None:
    if section not in _SECTIONS:
        return f"there is no setting `{section}`; {nearest(section, _SECTIONS)}"
    if section == "notify":
        return "no variable can change the list `notify`; let an item of its `urls` be ${NAME}"
    if section != "ledger" and (not path or "" in path or (section == "accounts" and len(path) == 1)):
        return "names no single setting; write it like TEARDOWN_RETRY__MAX_ATTEMPTS or TEARDOWN_ACCOUNTS__NAME__RATE"
    if not value.strip():
        return "is blank; give it a value, or unset it"
    return None


def _with(node: Mapping, path: list[str], value: str, spot: Given) -> Mapping:
    """Return a copy of ``node`` with the value at ``path`` set, and the mappings on the way made."""
    name, *rest = path
    key, old = node.key(name), node.get(name)
    if not rest:
        key, new = _given(name, spot), _value(name, value, spot)
    elif old is None or isinstance(old, Mapping):
        key, new = key or _given(name, spot), _with(old or Mapping([], 0, 0), rest, value, spot)
    else:
        return node  # what stands there is refused anyway, at its own place
    pairs = {each.text: (each, below) for each, below in node.pairs} | {name: (key, new)}
    return Mapping(list(pairs.values()), node.line, node.column)


def _value(name: str, value: str, spot: Given) -> Node:
    if name in _LISTS:
        return Sequence([_given(item.strip(), spot) for item in value.split(",")], 0, 0)
    return _given(value, spot)


def _given(text: str, spot: Given) -> Given:
    return Given(text, 0, 0, source=spot.source)


def _account(root: Mapping, name: str, page: Page, spot: Given) -> str:
    """Return the account that ``name`` means: any case, ``-`` and ``_`` alike; a new one is spelled with ``-``."""
    accounts = root.get("accounts")
    known = [key.text or "" for key, _ in accounts.pairs] if isinstance(accounts, Mapping) else []
    same = [each for each in known if each.lower().replace("-", "_").replace(".", "_") == name]
    if len(same) > 1:
        page.problem(spot, f"could mean each of the accounts {', '.join(same)}; rename one of them")
    return same[0] if same else name.replace("_", "-")
