"""What a lane counted: requests, retries, throttles and latencies, in a form that adds up over processes."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_STEPS_PER_DOUBLING = 16  # neighbouring buckets differ by 4.4 %: finer than any latency is steady


@dataclass(slots=True)
class Tally:
    """Counts of one lane; ``active_s`` is how long it worked, in seconds, ``longest_ms`` its slowest answer."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    active_s: float = 0.0
    longest_ms: float = 0.0
    buckets: Counter[int] = field(default_factory=Counter)

    def timed(self, latency_ms: float) -> None:
        """Count one answer that took ``latency_ms``."""
        self.buckets[round(math.log2(max(latency_ms, 0.01)) * _STEPS_PER_DOUBLING)] += 1
        self.longest_ms = max(self.longest_ms, latency_ms)

    def percentile(self, share: float) -> float | None:
        """Latency in ms that ``share`` (0 to 100) of the answers stayed within; None before the first answer."""
        rank = math.ceil(self.buckets.total() * share / 100)
        for bucket in sorted(self.buckets):
            rank -= self.buckets[bucket]
            if rank <= 0:
                return min(math.exp2(bucket / _STEPS_PER_DOUBLING), self.longest_ms)
        return None

    def latencies(self) -> Iterator[tuple[float, int]]:
        """Yield how many answers took about so many ms: within 2.2 %, and never more than the slowest."""
        for bucket, count in self.buckets.items():
            yield min(math.exp2(bucket / _STEPS_PER_DOUBLING), self.longest_ms), count

    def add(self, other: Tally) -> None:
        """Add what another process of the same lane counted."""
        self.requests += other.requests
        self.retries += other.retries
        self.throttled += other.throttled
        self.active_s += other.active_s
        self.longest_ms = max(self.longest_ms, other.longest_ms)
        self.buckets.update(other.buckets)
