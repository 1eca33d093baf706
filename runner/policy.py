"""The rules of a run as values, and their arithmetic: rates, patience, guards, windows.

Durations are in seconds, rates in requests per second, times aware and in UTC where they are shown.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(s|sec|second|m|min|minute|h|hour)")
_PER = {"s": 1.0, "m": 60.0, "h": 3600.0}
_BATCH = re.compile(r"([1-9]\d*)(%?)")
_RATIO_FROM = 20
FAILURE_GUARD = "guards.stop_after_failure"
"""How the names of the guards begin that count failures, in what they say."""
_REJECTIONS = 2


def parse_duration(text: str) -> float:
    """Seconds in ``500ms``, ``30s``, ``15m``, ``2h``, ``1d`` or a bare number of seconds; ValueError with the mend."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a duration; write it like 500ms, 30s, 15m or 2h")
    return float(match[1]) * _SECONDS[match[2]]


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``count`` requests in ``period`` seconds."""

    count: float
    period: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Rate:
        """``10/s``, ``300/min`` or ``1000/h``; ValueError with the mend."""
        match = _RATE.fullmatch(text.strip())
        if not match or float(match[1]) <= 0:
            raise ValueError(f"{text!r} is not a rate; write it like 10/s or 300/min, above zero")
        return cls(float(match[1]), _PER[match[2][0]])

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return self.count / self.period


AUTO: Literal["auto"] = "auto"
"""In place of a rate: as fast as the provider takes."""
AnyRate = Rate | Literal["auto"]


def parse_rate(text: str) -> AnyRate:
    """Return what ``Rate.parse`` does, or ``auto`` as it stands; ValueError with the mend."""
    if text.strip() == AUTO:
        return AUTO
    try:
        return Rate.parse(text)
    except ValueError as error:
        raise ValueError(f"{error}; or auto, to find out what the provider takes") from error


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently one number is tried; delays in seconds."""

    max_attempts: int = 6
    base_delay: float = 0.5
    max_delay: float = 30.0
    max_throttle_wait: float = 900.0

    def backoff(self, tries: int, roll: float) -> float:
        """Seconds to wait after ``tries`` failures (from 1): exponential, capped, full jitter by ``roll`` in [0, 1)."""
        return roll * min(self.max_delay, self.base_delay * 2.0 ** min(tries - 1, 62))

    @property
    def max_refusals(self) -> int:
        """How many refusals, each followed by a look that still saw the number attached, make it failed."""
        return min(_REJECTIONS, self.max_attempts)

    @property
    def patience(self) -> float:
        """Seconds for which a provider that answers nothing at all is waited for before its lane stops."""
        return self.max_attempts * self.max_delay


@dataclass(frozen=True, slots=True)
class Window:
    """When a run may start and go on; a missing side is open."""

    not_before: datetime | None = None
    not_after: datetime | None = None

    def opens_in(self, now: datetime) -> float:
        """Seconds until it opens; 0 when it is open or past."""
        return max(0.0, (self.not_before - now).total_seconds()) if self.not_before else 0.0

    def refuses(self, now: datetime) -> str | None:
        """Why a run may not start at ``now``; None when it may."""
        if self.closes_in(now) <= 0:
            return f"the plan's window closed at {self.not_after}; change its not_after"
        if self.opens_in(now) > 0:
            return f"the plan's window opens at {self.not_before}; run it then, or with --wait"
        return None

    def closes_in(self, now: datetime) -> float:
        """Seconds until it closes, negative when it is past; infinite when it never does."""
        return (self.not_after - now).total_seconds() if self.not_after else math.inf


@dataclass(frozen=True, slots=True)
class Batch:
    """One step of a ramp: so many numbers, or so many per cent of the numbers to detach."""

    size: int
    percent: bool = False

    @classmethod
    def parse(cls, text: str) -> Batch:
        """``5`` or ``20%``; ValueError with the mend."""
        match = _BATCH.fullmatch(text.strip())
        if not match or (match[2] and int(match[1]) > 100):  # noqa: PLR2004 - a hundred per cent is all there is
            raise ValueError(f"{text!r} is not a batch; write a number of items like 5, or a share like 20%")
        return cls(int(match[1]), bool(match[2]))

    def of(self, total: int) -> int:
        """How many items of ``total``: percentages are rounded down, but never to less than one."""
        return max(1, total * self.size // 100) if self.percent else self.size


@dataclass(frozen=True, slots=True)
class Gate:
    """Asked before each batch: a ``url`` that has to answer 2xx, or a ``command`` that has to end with status 0.

    An answer has to come within ``timeout`` seconds; a run that pauses asks again ``every`` so many seconds.
    """

    url: str | None = None
    command: tuple[str, ...] = ()
    every: float = 30.0
    timeout: float = 10.0
    on_fail: Literal["pause", "stop"] = "stop"


@dataclass(frozen=True, slots=True)
class Guards:
    """What stops a run before or while it does harm; a guard that is not set does nothing."""

    max_numbers: int = 10_000
    max_percent: float = 100.0
    min_remaining: int = 0
    protect: tuple[str, ...] = ()
    batches: tuple[Batch, ...] = ()
    stop_after_failures: int | None = None
    stop_after_failure_ratio: float | None = None
    on_drift: Literal["block", "skip"] = "block"
    gate: Gate | None = None
    max_check_age: float | None = None
    """Seconds for which a saved check may be run."""
    live_calls: Literal["ignore", "skip", "wait"] = "ignore"
    live_calls_wait: float = 900.0
    """Seconds that a batch waits at most for calls to end, once its other numbers are through."""

    @property
    def needs_census(self) -> bool:
        """Whether all that is attached to a target has to be counted."""
        return self.max_percent < 100 or self.min_remaining > 0  # noqa: PLR2004 - a hundred per cent forbids nothing

    def refuse(self, target: str, detaching: int, attached: int) -> str | None:
        """Why ``detaching`` so many of the numbers ``attached`` to ``target`` is forbidden; None when it is not."""
        # Divided and never multiplied by the guard: 7 of 100 is 0.07 to the last bit, and 0.07 times 100 is not 7.
        if detaching and (detaching * 100 / attached if attached else math.inf) > self.max_percent:
            share = f"{detaching} of {attached} numbers at {target}"
            return f"{share} would be detached, and guards.max_percent is {self.max_percent:g}"
        if detaching and attached - detaching < self.min_remaining:
            rest = f"{attached - detaching} of {attached} numbers at {target}"
            return f"{rest} would remain, and guards.min_remaining is {self.min_remaining}"
        return None

    def tripped_by(self, failures: int, finished: int) -> str | None:
        """Why the run must stop after ``failures`` of ``finished`` items, both over the whole run; None to go on."""
        limit, ratio = self.stop_after_failures, self.stop_after_failure_ratio
        if limit is not None and failures >= limit:
            return f"{failures} items have failed, and {FAILURE_GUARD}s is {limit}"
        if ratio is not None and finished >= _RATIO_FROM and failures / finished >= ratio:
            return f"{failures} of {finished} items have failed, and {FAILURE_GUARD}_ratio is {ratio}"
        return None

    def ramp(self, total: int) -> list[int]:
        """Sizes of the batches that ``total`` items are done in; the last step repeats until all are done."""
        sizes: list[int] = []
        steps = self.batches or (Batch(100, percent=True),)
        while (rest := total - sum(sizes)) > 0:
            step = steps[min(len(sizes), len(steps) - 1)]
            sizes.append(min(rest, step.of(total)))
        return sizes
