"""Secrets by reference: read when an account is used, never shown, never stored."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from runner.document import SECRET_LIMIT, read
from runner.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_UNSAFE = re.compile(r"[^\x21-\x7e]")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is to be had: an environment variable, a file, or the value itself; its repr shows no value."""

    kind: Literal["env", "file", "literal"]
    value: str = field(repr=False)
    place: str = ""

    @classmethod
    def literal(cls, value: str) -> SecretRef:
        """Wrap a secret that is at hand."""
        return cls("literal", value)

    @classmethod
    def parse(cls, text: str, folder: Path, place: str) -> SecretRef:
        """Read ``${ENV}``, ``file:PATH`` (relative to ``folder``) or a literal; ValueError with the mend."""
        if match := VARIABLE.fullmatch(text.strip()):
            return cls("env", match[1], place)
        if text.startswith("file:"):
            path = text.removeprefix("file:").removeprefix("//").strip()
            try:
                return cls("file", str(folder / Path(path).expanduser()), place)
            except RuntimeError:  # ~ stands for a home folder that nobody knows
                raise ValueError("begins with an unknown home folder; write the path out") from None
        if not text.strip() or text.startswith("$") or VARIABLE.search(text):
            raise ValueError("is neither a secret nor a reference; write ${NAME} or file:/path, and nothing around it")
        return cls("literal", text, place)

    def resolve(self, environ: Mapping[str, str]) -> str:
        """Return the secret; InputError at the place of the reference when it cannot be had or used."""
        source, secret = self._read(environ)
        if not secret.strip():
            missing = "is not set or blank" if self.kind == "env" else "is empty"
            raise self._refusal(f"{source} {missing}; put the secret there")
        if _UNSAFE.search(secret):
            raise self._refusal(f"{source} holds a blank, a line break or more than ASCII; give the bare secret")
        return secret

    def _read(self, environ: Mapping[str, str]) -> tuple[str, str]:
        match self.kind:
            case "env":
                return f"the environment variable {self.value}", environ.get(self.value, "")
            case "file":
                data = read(Path(self.value), SECRET_LIMIT, place=self.place)
                return f"the file {self.value}", data.decode("utf-8-sig", "replace").strip()
            case "literal":
                return "this secret", self.value

    def _refusal(self, message: str) -> InputError:
        return InputError([Problem(self.place, message)])
