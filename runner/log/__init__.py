"""Events as facts: one JSON object a line in the run's file, and what matters on the console.

Every event goes through one chain: stamp it, drop what is null, mask the number where that is asked for, render
it once. Secrets are searched in the rendered line, which costs next to nothing; only a line that holds one is taken
apart again. structlog is imported when a log is opened, so that :func:`mask`, :func:`plain` and :func:`stamp` are
cheap to import.
"""

from runner.log.chain import Event, Log, open  # noqa: A004 - reads as log.open
from runner.log.sinks import LEVELS, ConsoleFormat
from runner.log.text import folded, mask, mask_text, plain, stamp

__all__ = ["LEVELS", "ConsoleFormat", "Event", "Log", "folded", "mask", "mask_text", "open", "plain", "stamp"]
