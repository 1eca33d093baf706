"""What exit codes mean, for `teardown --help` and the documents."""

from __future__ import annotations

EXIT_CODES: dict[str, tuple[str, str]] = {
    "0": (
        "every number is detached, was so already, or is skipped; a check: nothing blocks",
        "nothing",
    ),
    "1": (
        "a bug",
        "report it; what is recorded stands, so `teardown resume` is safe",
    ),
    "2": (
        "wrong usage, plan or config; nothing was sent",
        "mend what the sentence names",
    ),
    "3": (
        "blocked before the first detach: pre-check, guard, window or saved check, or you said no",
        "read the notes of the report; correct the plan, wait for the window, or raise the guard if you mean it",
    ),
    "4": (
        "finished, and some numbers ended failed or unknown",
        "look at those rows; `teardown resume RUN_ID --retry-failed`",
    ),
    "5": (
        "aborted part-way, and some numbers are pending",
        "mend what the notes of the report name; `teardown resume RUN_ID`",
    ),
    "11": (
        "by check --detailed-exitcode: nothing blocks, and a run would detach something",
        "run it",
    ),
    "75": (
        "another run holds the account",
        "try again later; the sentence says which run it is",
    ),
    "130": (
        "Ctrl-C (SIGINT); requests in flight were finished, the report is written",
        "`teardown resume RUN_ID`",
    ),
    "143": (
        "the same, by SIGTERM",
        "`teardown resume RUN_ID`",
    ),
}
"""By code: what it means, and what to do about it."""


def epilog() -> str:
    """Return the meanings as the end of a help page."""
    lines = (f"  {code:<5}{meaning}" for code, (meaning, _) in EXIT_CODES.items())
    return "\n".join(["\b", "Exit codes:", *lines])
