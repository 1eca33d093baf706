"""What a plan or a command line gives for a rollback: whether it can be used, and the secrets that it refers to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.config.known import PROVIDERS
from runner.config.secret import SecretRef
from runner.document import quoted
from runner.document.schema import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def misfits(provider: str, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each key that cannot be used, with the sentence that says why."""
    known = PROVIDERS[provider]
    for key, value in said.items():
        if key not in known.reattach:
            yield key, f"{quoted(key)} is nothing that a rollback at {provider} uses; {nearest(key, known.reattach)}"
        elif key in known.secret and not is_reference(value):
            yield key, f"`{key}` is kept in the ledger; write a reference, ${{NAME}} or file:/path, and no secret"
        elif key == "provider_config_id" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            yield key, f"`{key}` must be a whole number from 1 on, as the provider shows it"
        elif key == "auth" and value != "none":
            yield key, "`auth` can only be none; credentials are `auth_username` and `auth_password`"
        elif key != "provider_config_id" and not (isinstance(value, str) and value.strip()):
            yield key, f"`{key}` must be a text that is not blank"


def revealed(said: Iterable[Mapping[str, Any]], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that are referred to, by their references; InputError when one cannot be had."""
    secret = frozenset[str]().union(*(known.secret for known in PROVIDERS.values()))
    references = {str(value) for each in said for key, value in each.items() if key in secret}
    return {text: _parsed(text).resolve(environ) for text in sorted(references)}


def is_reference(value: object) -> bool:
    """Whether a value refers to a secret, and is none itself."""
    try:
        return isinstance(value, str) and _parsed(value).kind != "literal"
    except ValueError:
        return False


def _parsed(text: str) -> SecretRef:
    return SecretRef.parse(text, Path.cwd(), f"reattach, {text}")
