"""A first config and a first plan, from a few answers; what they may be is asked of the grammar and the providers."""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from runner import config, plan
from runner.errors import InputError

_BARE = re.compile(r"[A-Za-z0-9+$][\w.${}+/-]*")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]{0,19}(_[A-Z0-9]{1,20})*")
_REFERENCE = re.compile(r"\$\{(\w+)\}")


class Draft(Struct, frozen=True):
    """What the two files will say; ``keys`` are those of the account besides its provider."""

    provider: str
    account: str
    keys: dict[str, str]
    target: str | None
    numbers: tuple[str, ...]

    @classmethod
    def sample(cls, provider: str, given: frozenset[str] = frozenset()) -> Draft:
        """Return a draft that is good as it stands, with the credentials that the keys ``given`` belong to."""
        known = config.PROVIDERS[provider]
        secrets = next((each for each in known.credentials if each & given), known.credentials[0])
        keys = {key: f"${{{f'{provider}_{key}'.upper()}}}" for key in secrets_in_order(secrets)}
        keys |= dict.fromkeys(sorted(known.required), "acme") | {"rate": _account_keys()["rate"]["default"]}
        target = f"sales-{known.target}-001" if known.target_required else None
        return cls(provider, f"{provider}-main", keys, target, ("+14155550101",))

    @property
    def variables(self) -> list[str]:
        """The environment variables that the config refers to."""
        return [name for value in self.keys.values() for name in _REFERENCE.findall(value)]

    def config_text(self) -> str:
        """Return the config."""
        lines = [f"    {key}: {_scalar(value)}" for key, value in {"provider": self.provider, **self.keys}.items()]
        head = "# yaml-language-server: $schema=schemas/config.json\naccounts:\n"
        return f"{head}  {_scalar(self.account)}:\n" + "\n".join(lines) + "\n"

    def plan_text(self) -> str:
        """Return the plan; its guard lets no more numbers go than it lists."""
        target = f"    {config.PROVIDERS[self.provider].target}: {_scalar(self.target)}\n" if self.target else ""
        return (
            "# yaml-language-server: $schema=../schemas/plan.json\nversion: 1\nname: first\n"
            f"guards:\n  max_numbers: {len(self.numbers)}    # a run refuses to detach more\n"
            f"teardown:\n  - account: {_scalar(self.account)}\n{target}    numbers:\n"
        ) + "".join(f"      - {_scalar(number)}\n" for number in self.numbers)

    def complaint(self) -> str | None:
        """Return the first thing that config or plan would be refused for, as one sentence."""
        with tempfile.TemporaryDirectory() as scratch:
            files = Files(Path(scratch))
            files.write(self)
            try:
                accounts = config.load(files.config, {}).accounts
                plan.load(files.plan, {name: each.provider for name, each in accounts.items()})
            except InputError as error:
                return error.problems[0].message
        return None

    def with_key(self, key: str, value: str) -> Draft:
        """Return a draft with another value for a key of the account; ValueError for a secret in the clear."""
        return replace(self, keys=self.keys | {key: reference(value) if is_secret(key) else value})


class Files(Struct, frozen=True):
    """Where a draft goes: below one folder."""

    folder: Path

    @property
    def config(self) -> Path:
        """The config."""
        return self.folder / "config.yaml"

    @property
    def plan(self) -> Path:
        """The plan."""
        return self.folder / "plans" / "first.yaml"

    def there(self) -> list[Path]:
        """Return which of config and plan exist already; InputError when that cannot be seen."""
        try:
            return [path for path in (self.config, self.plan) if path.exists()]
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def write(self, draft: Draft) -> None:
        """Write config (0600) and plan, and the schemas for editors where there are none yet; InputError."""
        try:
            self.plan.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder, prefix=".config.yaml.")  # 0600 from the start
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(draft.config_text())
            Path(name).replace(self.config)
            self.plan.write_text(draft.plan_text(), encoding="utf-8")
        except OSError as error:
            raise _unwritable(self.folder, error) from error

    def write_schemas(self) -> None:
        """Write what editors know of both files, unless that is there; InputError."""
        schemas = self.folder / "schemas"
        try:
            schemas.mkdir(exist_ok=True)
            for name, schema in (("plan", plan.json_schema()), ("config", config.json_schema())):
                if not (schemas / f"{name}.json").exists():
                    (schemas / f"{name}.json").write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise _unwritable(schemas, error) from error


def reference(text: str) -> str:
    """Return the reference to a secret: ``${NAME}`` for the name of a variable, ``file:PATH`` as it is.

    ValueError for anything else, which may be the secret itself: it is never repeated.
    """
    bare = text.strip().removeprefix("${").removesuffix("}")
    if text.startswith("file:"):
        return text
    if not _VARIABLE.fullmatch(bare):
        raise ValueError("name the environment variable that holds it, like UNPOD_TOKEN, or file:PATH; not the secret")
    return f"${{{bare}}}"


def secrets_in_order(keys: frozenset[str]) -> list[str]:
    """Return these keys of an account in the order of its grammar."""
    return [key for key in _account_keys() if key in keys]


def is_secret(key: str) -> bool:
    """Whether a key of an account holds a secret."""
    return any(key in each for known in config.PROVIDERS.values() for each in known.credentials)


def explanation(key: str) -> str:
    """Return what the grammar says of a key of an account."""
    return str(_account_keys()[key]["description"]).rstrip(".")


def split_numbers(text: str) -> tuple[str, ...]:
    """Return the numbers in ``text``, each once; they stand between commas or begin with a plus."""
    return tuple(dict.fromkeys(filter(None, map(str.strip, re.split(r"[,;]|\s+(?=\+)", text)))))


def _account_keys() -> dict[str, Any]:
    keys: dict[str, Any] = config.json_schema()["$defs"]["AccountFile"]["properties"]
    return keys


def _scalar(text: str) -> str:
    return text if _BARE.fullmatch(text) else json.dumps(text)


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path} cannot be written ({error.strerror}); give another --folder")
