"""From a file to a saved check, or to the sentence that says why it is none."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import orjson
from msgspec import DecodeError
from msgspec.json import Decoder

from runner.begin import Rules
from runner.e164 import NumberList
from runner.errors import BlockedError, InputError
from runner.plan import Approved, Group, Plan
from runner.saved.form import BEGIN, END, Form, Head, Place, SavedItem, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.policy import Guards

F = TypeVar("F", bound=Form)

_MEND = "save a new check by `teardown check PLAN --out FILE`"
_HEAD, _ITEM = Decoder(Head), Decoder(SavedItem)


class _AlteredError(Exception):
    """The file is not as it was written."""


@dataclass(frozen=True, slots=True)
class SavedCheck:
    """A saved check whose every byte was as it was written when it was loaded."""

    path: Path
    sha256: str
    head: Head
    rules: Rules

    def items(self) -> Iterator[SavedItem]:
        """Yield the items in the plan's order, read from the file again; BlockedError when it was altered since."""
        try:
            for part in _parts(self.path, self.sha256):
                if isinstance(part, SavedItem):
                    yield part
        except (_AlteredError, OSError) as error:
            raise BlockedError(f"{self.path} was altered while it was used; {_MEND}") from error

    def plan(self, guards: Guards, *, attached_only: bool = False) -> Plan:
        """Return the plan that detaches just this list; with ``attached_only`` of what was attached alone.

        What ``guards`` (the config's, as they are now) protect stays protected; the shorter of two age limits holds.
        """
        digits = [array("Q") for _ in self.head.groups]
        for item in self.items():
            if item.outcome.startswith("would_") or not attached_only:
                digits[item.group].append(int(item.number))
        known, homes = self.head.plan, self.head.accounts
        return Plan(
            name=known.name,
            description=known.description,
            metadata=known.metadata,
            path=known.path,
            sha256=known.sha256,
            text=known.text,
            guards=_tightened(self.rules.guards, guards),
            window=self.rules.window,
            groups=tuple(map(self._group, self.head.groups, map(NumberList, digits))),
            warnings=(),
            approved=Approved(
                path=self.path,
                sha256=self.sha256,
                checked_at=seconds_of(self.head.checked_at),
                sandbox=self.head.sandbox,
                homes={name: (home.base_url, home.org_handle) for name, home in homes.items()},
            ),
        )

    def _group(self, place: Place, numbers: NumberList) -> Group:
        return Group(
            account=place.account,
            provider=place.provider,
            target=place.target,
            numbers=numbers,
            notes={},
            if_missing=place.if_missing,
            reattach=place.reattach,
            reassign=place.reassign,
            delete_target=place.then == "delete_target",
            place=str(self.path),
        )


def load(path: Path, expected: str | None = None) -> SavedCheck:
    """Read a saved check whole; InputError when it does not parse, BlockedError when it was altered.

    BlockedError also when ``expected`` is not its SHA-256.
    """
    try:
        head, sha256 = _verified(path)
    except _AlteredError as error:
        _check_parses(path)
        raise BlockedError(f"{path} was altered after it was saved; {_MEND}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path") from error
    if expected is not None and expected.lower() != sha256:
        raise BlockedError(f"{path} has the SHA-256 {sha256}, and not the expected one; nothing was sent")
    try:
        rules = Rules.load(head.rules)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}:1: `rules` are none of teardown's; {_MEND}") from error
    return SavedCheck(path, sha256, head, rules)


def _verified(path: Path) -> tuple[Head, str]:
    head, sha256 = None, None
    for part in _parts(path):
        if isinstance(part, Head):
            head = part
        elif isinstance(part, str):
            sha256 = part
    if head is None or sha256 is None:
        raise _AlteredError
    return head, sha256


def _parts(path: Path, expected: str | None = None) -> Iterator[Head | SavedItem | str]:
    """Yield the head, the items, and at last the hash that the file has and says it has."""
    digest, head, ended = hashlib.sha256(), None, False
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if ended:
                raise _AlteredError
            if end := END.fullmatch(line):
                if end[1].decode() != digest.hexdigest() or expected not in (None, digest.hexdigest()):
                    raise _AlteredError
                ended = True
                yield digest.hexdigest()
            elif head is None:
                digest.update(line)
                head = _head(path, line)
                yield head
            else:
                digest.update(line)
                yield _item(path, number, line, len(head.groups))
    if not ended:
        raise _AlteredError


def _head(path: Path, line: bytes) -> Head:
    if not line.startswith(BEGIN) or not line.endswith(b',"items":[\n'):
        raise _AlteredError
    return _parsed(_HEAD, path, 1, b"{" + line[len(BEGIN) :].removesuffix(b',"items":[\n') + b"}")


def _item(path: Path, number: int, line: bytes, groups: int) -> SavedItem:
    item = _parsed(_ITEM, path, number, line.rstrip(b",\n"))
    if item.group >= groups:
        raise _AlteredError
    return item


def _parsed(decoder: Decoder[F], path: Path, number: int, text: bytes) -> F:
    try:
        return decoder.decode(text)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _AlteredError(f"{path}:{number}") from error


def _check_parses(path: Path) -> None:
    """Raise InputError when the file is no JSON at all, or one of another format."""
    try:
        found = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(
            f"{path}:{error.lineno}:{error.colno}: this saved check is cut short or damaged; {_MEND}"
        ) from error
    if isinstance(found, dict) and found.get("schema") != "teardown.check/1":
        raise InputError(f"{path} is a saved check of another teardown ({found.get('schema')}); {_MEND}")


def _tightened(saved: Guards, now: Guards) -> Guards:
    ages = [age for age in (saved.max_check_age, now.max_check_age) if age is not None]
    return replace(
        saved, protect=tuple(dict.fromkeys([*saved.protect, *now.protect])), max_check_age=min(ages, default=None)
    )
