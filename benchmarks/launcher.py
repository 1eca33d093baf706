"""Start a command and wait for it: ``launcher.py COMMAND…`` prints seconds of CPU, of the clock, KiB and exit code.

A process's most memory counts that of the process that started it, up to the moment of the start. So it is started from
here, where there is hardly any.
"""

import os
import sys
import time

if __name__ == "__main__":
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1)]
    started = time.perf_counter()
    child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=nothing)
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - started
    print(used.ru_utime + used.ru_stime, wall, used.ru_maxrss, os.waitstatus_to_exitcode(status))
