"""Faults on request: what the sandbox does wrong, how often, and to which requests.

Written as a list like ``lost_after=5%,slow=10%:2s,lag=3s,revoke_after=100``. A share is a percentage or a fraction; at
most one fault befalls a request. ``slow``, ``http_429`` and ``http_503`` take a duration after a colon: how slow, or
the ``Retry-After`` to send.
"""

from __future__ import annotations

import itertools
import random
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from runner.errors import InputError, Problem
from runner.policy import parse_duration

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from runner.sandbox.record import RequestKind

Scope = Literal["change", "attach", "read", "any"]
Effect = Literal[
    "lost",
    "reset",
    "hang",
    "truncated",
    "garbage",
    "slow",
    "redirect",
    "lie",
    "wrong",
    "206",
    "400",
    "409",
    "429",
    "500",
    "502",
    "503",
]


class Kind(Struct, frozen=True):
    """Which requests a fault befalls, what the client sees of it, and whether the work is done all the same."""

    scope: Scope
    effect: Effect
    works: bool = False


KINDS: Mapping[str, Kind] = {
    "lost_before": Kind("change", "lost"),
    "lost_after": Kind("change", "lost", works=True),
    "reset_before": Kind("change", "reset"),
    "reset_after": Kind("change", "reset", works=True),
    "hang_before": Kind("change", "hang"),
    "hang_after": Kind("change", "hang", works=True),
    "http_500_before": Kind("change", "500"),
    "http_500_after": Kind("change", "500", works=True),
    "http_502_html": Kind("change", "502"),
    "http_503_after": Kind("change", "503", works=True),
    "http_400_after": Kind("change", "400", works=True),
    "business_206": Kind("change", "206"),
    "redirect": Kind("change", "redirect"),
    "truncated": Kind("change", "truncated", works=True),
    "garbage": Kind("change", "garbage", works=True),
    "wrong_slug": Kind("change", "wrong"),
    "lying_200": Kind("change", "lie"),
    "http_409": Kind("attach", "409"),
    "read_500": Kind("read", "500"),
    "read_lost": Kind("read", "lost"),
    "read_reset": Kind("read", "reset"),
    "read_hang": Kind("read", "hang"),
    "read_truncated": Kind("read", "truncated"),
    "read_garbage": Kind("read", "garbage"),
    "http_429": Kind("any", "429"),
    "http_503": Kind("any", "503"),
    "slow": Kind("any", "slow", works=True),
}
_BEFALLS: Mapping[RequestKind, tuple[Scope, ...]] = {
    "detach": ("change", "any"),
    "attach": ("change", "attach", "any"),
    "delete": ("change", "any"),
    "read": ("read", "any"),
    "other": ("any",),
}
"""Which faults can befall a request."""
_CHANGES = ("detach", "attach", "delete")
_SETTINGS = ("lag", "revoke_after")
_SECONDS: Mapping[str, float | None] = {"slow": 1.0, "http_429": 1.0, "http_503": None}


class Fault(Struct, frozen=True):
    """One fault for one request; ``seconds`` is how slow, or the ``Retry-After`` (null: none is sent)."""

    name: str
    kind: Kind
    seconds: float | None = None


@dataclass(slots=True)
class Faults:
    """Shares in [0, 1] by name, durations in seconds; draws are the same for the same seed and order of requests.

    From the ``revoke_after``-th request on, tokens are refused. InputError when a name is unknown, or when the shares
    of what can befall one request add up to more than one.
    """

    shares: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    lag: float = 0.0
    revoke_after: int | None = None
    seed: int = 0
    _random: random.Random = field(init=False, repr=False)
    _tables: dict[RequestKind, tuple[list[float], list[str]]] = field(init=False, repr=False)
    _scripts: dict[str, deque[str]] = field(init=False, repr=False, default_factory=dict)
    _read_scripts: dict[str, deque[str]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        _refuse_unknown(self.shares, KINDS)
        self._random = random.Random(self.seed)  # noqa: S311 - a seeded die, not a secret
        self._tables = {kind: self._table(scopes) for kind, scopes in _BEFALLS.items()}

    @classmethod
    def parse(cls, text: str, *, seed: int = 0) -> Faults:
        """Give the faults listed in ``text``; InputError with every problem found."""
        entries: dict[str, _Entry] = {}
        problems: list[Problem] = []
        for part in filter(None, map(str.strip, text.split(","))):
            name, _, value = map(str.strip, part.partition("="))
            try:
                entries[name] = _parse_entry(name, value)
            except ValueError as error:
                problems.append(Problem(f"fault {part!r}", str(error)))
        if problems:
            raise InputError(problems)
        return cls._of(entries, seed)

    @classmethod
    def _of(cls, entries: Mapping[str, _Entry], seed: int) -> Faults:
        shares = {name: entry.value for name, entry in entries.items() if name not in _SETTINGS}
        seconds = {name: entry.seconds for name, entry in entries.items() if entry.seconds is not None}
        revoke = entries.get("revoke_after")
        lag = entries.get("lag", _Entry(0.0)).value
        return cls(shares, seconds, lag, int(revoke.value) if revoke else None, seed)

    def script(self, number: str, faults: Iterable[str]) -> None:
        """Let these befall the next requests that detach or attach ``number``, in order; ``ok`` is none at all.

        An attach that names several numbers is known by its first, a delete by what it deletes.
        """
        self._scripts[number] = deque(_scripted(faults, "attach"))

    def script_reads(self, path_prefix: str, faults: Iterable[str]) -> None:
        """Let these befall the next reads of paths that begin so, in order; ``ok`` is none at all."""
        self._read_scripts[path_prefix] = deque(_scripted(faults, "read"))

    def draw(self, kind: RequestKind, number: str | None, path: str) -> Fault | None:
        """Say what befalls a request of this kind; None when it is served as documented."""
        name = self._next_scripted(kind, number, path) or self._roll(kind)
        if name is None or name == "ok":
            return None
        return Fault(name, KINDS[name], self.seconds.get(name, _SECONDS.get(name)))

    def _next_scripted(self, kind: RequestKind, number: str | None, path: str) -> str | None:
        if kind in _CHANGES:
            queue = self._scripts.get(number or "")
            return queue.popleft() if queue else None
        if kind == "read":
            for prefix, queue in self._read_scripts.items():
                if queue and path.startswith(prefix):
                    return queue.popleft()
        return None

    def _roll(self, kind: RequestKind) -> str | None:
        bounds, names = self._tables[kind]
        if not bounds:
            return None
        place = bisect_right(bounds, self._random.random())
        return names[place] if place < len(names) else None

    def _table(self, scopes: Collection[Scope]) -> tuple[list[float], list[str]]:
        """Upper bounds on the roll, and the fault under each."""
        names = [name for name in self.shares if KINDS[name].scope in scopes]
        bounds = list(itertools.accumulate(self.shares[name] for name in names))
        if bounds and bounds[-1] > 1.0 + 1e-9:
            raise InputError(
                f"the shares of {', '.join(names)} add up to more than 100%; at most one befalls a request"
            )
        return bounds, names


class _Entry(Struct, frozen=True):
    value: float
    seconds: float | None = None


def _parse_entry(name: str, value: str) -> _Entry:
    if name == "lag":
        return _Entry(parse_duration(value))
    if name == "revoke_after":
        if not value.isdecimal() or int(value) < 1:
            raise ValueError("write the count of the first request that is refused, like revoke_after=100")
        return _Entry(int(value))
    if name not in KINDS:
        raise ValueError(f"there is no such fault; choose among {', '.join((*KINDS, *_SETTINGS))}")
    share, colon, duration = value.partition(":")
    if colon and name not in _SECONDS:
        raise ValueError(f"only {', '.join(_SECONDS)} take a duration")
    return _Entry(_parse_share(share), parse_duration(duration) if colon else None)


def _parse_share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError("write how often as a share, like 5% or 0.05")
    return share


def _scripted(faults: Iterable[str], kind: RequestKind) -> list[str]:
    names = list(faults)
    _refuse_unknown(names, ["ok", *(name for name, each in KINDS.items() if each.scope in _BEFALLS[kind])])
    return names


def _refuse_unknown(names: Iterable[str], known: Iterable[str]) -> None:
    known = list(known)
    problems = [
        Problem("", f"there is no fault {name!r} here; choose among {', '.join(known)}")
        for name in names
        if name not in known
    ]
    if problems:
        raise InputError(problems)
