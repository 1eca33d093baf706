"""What there is to choose from while a command is typed: accounts, and the targets of a plan.

Read for a shell that waits at a tab: no grammar, nothing written, and files only up to a size. Each is a word that
could be typed, and what it stands for. Raises InputError or YAMLError for a file that cannot be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from runner.document import read
from runner.providers import installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BYTES = 2**20


def accounts(config: Path | None) -> list[tuple[str, str]]:
    """Return the accounts of a config with their providers."""
    return [(name, str(each["provider"])) for name, each in _accounts(config) if "provider" in each]


def rates(config: Path | None) -> list[tuple[str, str]]:
    """Return ``ACCOUNT=RATE`` with the rate that the config gives each account, to be changed."""
    return [(f"{name}={each['rate']}", "the config's rate") for name, each in _accounts(config) if each.get("rate")]


def places(plan: Path | None, config: Path | None) -> list[tuple[str, str]]:
    """Return what ``--only`` takes: accounts, and the targets of the plan as ``ACCOUNT/TARGET``."""
    groups = list(_groups(plan))
    named = {name: "all targets" for name, _ in groups} or {name: "an account" for name, _ in _accounts(config)}
    return [*named.items(), *((f"{name}/{target}", f"one {key}") for name, found in groups for key, target in found)]


def _accounts(config: Path | None) -> Iterator[tuple[str, dict[str, Any]]]:
    found = _loaded(config).get("accounts")
    for name, each in found.items() if isinstance(found, dict) else ():
        yield str(name), each if isinstance(each, dict) else {}


def _groups(plan: Path | None) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Return the account of each group with its target as a key and the value."""
    keys = [spec.target_key for spec in installed().values()]
    groups = _loaded(plan).get("teardown")
    for group in groups if isinstance(groups, list) else ():
        if isinstance(group, dict) and isinstance(group.get("account"), str):
            yield group["account"], [(key, str(group[key])) for key in keys if group.get(key)]


def _loaded(path: Path | None) -> dict[str, Any]:
    """Return the mapping in a YAML file; an empty one where there is none, or no file of a size to wait for."""
    loaded = yaml.load(read(path, _BYTES), yaml.CSafeLoader) if path else None
    return loaded if isinstance(loaded, dict) else {}
