"""The command line in a process that counts what it does: ``counted.py FILE calls|blocks WORDS…``.

``calls`` counts every call of a function, Python's and C's, in all threads; ``blocks`` what is still allocated at the
end, and the ledger's transactions. Counting calls makes a run several times slower, and so changes how many outcomes a
transaction gathers: the two are not counted together.
"""

from __future__ import annotations

import gc
import itertools
import json
import sqlite3
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

_calls = itertools.count()
_transactions = itertools.count()


def on_event(_frame: object, event: str, _argument: object) -> None:
    """Count a call."""
    if event in ("call", "c_call"):
        next(_calls)


def on_statement(statement: str) -> None:
    """Count a transaction that ends well."""
    if statement.startswith("COMMIT"):
        next(_transactions)


class Listened(sqlite3.Connection):
    """A connection to SQLite that tells of every statement."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.set_trace_callback(on_statement)


def main(file: str, what: str, *words: str) -> None:
    """Run the command on asyncio's own loop, and write what was counted, however it ends."""
    sys.modules["uvloop"] = None  # type: ignore[assignment] # how Python says that there is none
    sys.argv = ["teardown", *words]
    if what == "calls":
        threading.setprofile(on_event)
        sys.setprofile(on_event)
    else:
        sqlite3.connect = partial(sqlite3.connect, factory=Listened)  # type: ignore[assignment] # has overloads
    from runner.cli import main as teardown  # noqa: PLC0415 - what it imports has to find all this in place

    try:
        teardown()
    finally:
        sys.setprofile(None)
        gc.collect()
        counted = {"calls": next(_calls)} if what == "calls" else {"blocks": sys.getallocatedblocks()}
        counted |= {"transactions": next(_transactions)} if what == "blocks" else {}
        Path(file).write_text(json.dumps(counted), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
