"""An event loop whose clock jumps: whatever is waited for comes at once, at the moment it was due."""

import asyncio
import math
import selectors

TURN = 1e-6
"""Seconds that one turn of the loop takes: time always goes by, as it does in a real one."""


class _Selector(selectors.DefaultSelector):
    """Takes what is ready; when nothing is, it moves the clock to the next timer instead of sleeping.

    ``listen`` is for how many real seconds a loop with sockets makes sure that nothing is under way before it jumps.
    """

    def __init__(self, listen):
        super().__init__()
        self.now = 0.0
        self.listen = listen
        self.grain = 0.0

    def select(self, timeout=None):
        self.now += TURN
        ready = super().select(self.listen if timeout is None or timeout > 0 else 0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("nobody will ever wake up")
        # A real selector wakes up late, by up to its grain.
        steps = math.ceil(timeout / self.grain) if self.grain else 0
        self.now += max(timeout, steps * self.grain)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, *, listen=0.0, grain=0.0):
        self._virtual = _Selector(listen)
        self._virtual.grain = grain
        super().__init__(self._virtual)

    def time(self):
        return self._virtual.now

    def advance(self, seconds):
        """Let so much time go by at once."""
        self._virtual.now += seconds


def now():
    return asyncio.get_running_loop().time()


def run(coroutine, *, grain=0.0):
    """Run without sockets: nothing here takes any real time."""
    return _run(coroutine, 0.0, grain)


def run_online(coroutine):
    """Run with sockets of this process: the clock jumps only when none of them has anything to say."""
    return _run(coroutine, 0.02, 0.0)


def _run(coroutine, listen, grain):
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(listen=listen, grain=grain)) as runner:
        return runner.run(coroutine)
