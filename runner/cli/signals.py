"""Signals: the first one drains, the second one leaves at once, and a lost terminal ends no run that asked nothing."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_STOPPING = (signal.SIGINT, signal.SIGTERM)


def mind_signals(interrupt: Callable[[int], None], *, unattended: bool) -> None:
    """Call ``interrupt`` at the first SIGINT or SIGTERM, and leave at the second: that is as safe as a SIGKILL.

    A lost terminal (SIGHUP) counts as one of them, unless the run is ``unattended``: then nothing was to be asked
    there, and the run goes on.
    """
    loop = asyncio.get_running_loop()
    heard = False

    def handle(number: int) -> None:
        nonlocal heard
        if heard:
            os._exit(128 + number)
        heard = True
        interrupt(number)

    for number in _STOPPING if unattended else (*_STOPPING, signal.SIGHUP):
        loop.add_signal_handler(number, handle, number)
    if unattended:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
