"""Reading what the user points at: bounded, UTF-8, and every refusal one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.errors import InputError, Problem

if TYPE_CHECKING:
    from pathlib import Path

PLAN_LIMIT = 128 * 2**20
"""Bytes that a plan or a number file may have."""
CONFIG_LIMIT = 2**20
"""Bytes that a config may have."""
SECRET_LIMIT = 2**16
"""Bytes that a file with a secret may have."""


def read(path: Path, limit: int, *, place: str = "") -> bytes:
    """Return the bytes of ``path``, at most ``limit``; InputError at ``place`` (or it)."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        raise _refusal(place, path, _why(error)) from error
    if len(data) > limit:
        raise _refusal(place, path, f"is larger than {limit:,} bytes; is it the right file?")
    return data


def decode(data: bytes, name: str) -> str:
    """Return ``data`` as text, a byte order mark dropped; InputError with its place where it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        message = f"byte 0x{data[error.start]:02x} here is not UTF-8; save the file as UTF-8"
        raise InputError([Problem(f"{name}:{line}:{column}", message)]) from error


def _refusal(place: str, path: Path, why: str) -> InputError:
    return InputError([Problem(place, f"{path} {why}") if place else Problem(str(path), f"the file {why}")])


def _why(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError():
            return "does not exist; check the path"
        case IsADirectoryError():
            return "is a folder; name a file in it"
        case PermissionError():
            return "may not be read by this user; check its permissions"
        case OSError(strerror=str(reason)):
            return f"cannot be read ({reason.lower()}); check the path"
        case _:
            return "cannot be read; check the path"
