"""How a provider behaves where its documentation leaves the behaviour open."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

DetachedRows = Literal["gone", "stay_null", "unassigned"]
"""What becomes of a number's row on its Unpod bridge: it leaves, or stays without a provider, or stays unassigned."""


@dataclass(slots=True)
class Habits:
    """``lag`` is for how many seconds reads still show a number as attached after its detach.

    ``not_connected`` is the status for a detach of a number that is not connected (206 is Unpod's business error), and
    ``show_configurations`` puts the provider configuration, with its secrets, on every number of a bridge, and
    ``show_gateways`` all that is known of its gateways on every number of VideoSDK, in place of ids and names.
    """

    detached_rows: DetachedRows = "gone"
    not_connected: Literal[206, 400] = 400
    show_configurations: bool = False
    lag: float = 0.0
    clock: Callable[[], float] = time.monotonic
    show_gateways: bool = True
