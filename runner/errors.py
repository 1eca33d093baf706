"""What can go wrong, as one tree.

    TeardownError
    ├── InputError               the user's plan, config, environment or command line: exit 2
    ├── BlockedError             nothing may be done, although the input is sound: exit 3
    ├── BusyError                another run holds a lane: exit 75
    │   └── LeaseLost            … that this process had held
    ├── LedgerError              the ledger cannot be read, written or understood
    │   └── RecordingFailed      … in the middle of a run: exit 5
    ├── StepRefused              a step that the table of allowed steps forbids: a bug
    └── RequestError             one request to a provider; was it processed?
        ├── NotSent              no        refused connection, DNS, TLS handshake
        │   └── LaneStopped      no        held back because the lane is stopping
        ├── Throttled            no        429; 503 perhaps
        ├── AccessDenied         no        401, 403
        ├── Refused              refused   400, 404, and 206 at Unpod: "not attached" and "bad request" look alike
        └── Unclear              perhaps
            ├── LostAnswer       perhaps   timeout, reset, truncated answer: it may have been done
            └── UnexpectedAnswer perhaps   5xx, 3xx, a success whose body disagrees, everything unforeseen

The middle column of the requests is what ``decide`` goes by.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.model import Fault


class TeardownError(Exception):
    """Root of everything this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with what the user gave: where it stands, what it is, and how to mend it.

    ``place`` is ``file:line:column``, an option, or an environment variable; empty when there is none.
    """

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class InputError(TeardownError):
    """The user's input cannot be used; holds every problem found, in the order in which they stand."""

    def __init__(self, problems: list[Problem] | str) -> None:
        self.problems = [Problem("", problems)] if isinstance(problems, str) else problems
        super().__init__("\n".join(map(str, self.problems)))


def first_of(group: BaseException) -> BaseException:
    """Return the first error in a group of errors, however deep."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


class BlockedError(TeardownError):
    """What was asked for is sound and may not be done now; nothing was sent, and no run was begun."""


class BusyError(TeardownError):
    """Another run holds a lane that this one needs; the message says who and until when."""


class LeaseLost(BusyError):
    """Another run has taken a lane over from this process, which may write nothing any more."""


class LedgerError(TeardownError):
    """The ledger cannot be opened, read or written; the message says what to do."""


class RecordingFailed(LedgerError):
    """The ledger failed in the middle of a run: nothing more is sent, and what was in flight is looked at on resume."""


class StepRefused(LedgerError):
    """An item was asked to take a step that the table of allowed steps forbids."""


class RequestError(TeardownError):
    """One request to a provider that did not end in its documented success."""

    code = "request_error"

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or type(self).code

    @property
    def fault(self) -> Fault:
        """The error as the report shows it."""
        return Fault(self.code, str(self), self.status)


class NotSent(RequestError):
    """The request never left: it was certainly not processed."""

    code = "not_sent"


class LaneStopped(NotSent):
    """The request was not let out because its lane is stopping."""

    code = "lane_stopped"


class Throttled(RequestError):
    """The provider asked for patience; ``wait`` is in seconds, null where it did not say how long.

    ``processed`` is true where the request may have been processed all the same (a 503 can come from a proxy
    whose upstream had already done the work).
    """

    code = "throttled"

    def __init__(self, message: str, *, status: int, wait: float | None, processed: bool) -> None:
        super().__init__(message, status=status)
        self.wait = wait
        self.processed = processed


class AccessDenied(RequestError):
    """401 or 403: the account's credentials are not accepted; nothing was processed."""

    code = "access_denied"


class Refused(RequestError):
    """The provider processed the request and said no; only a look tells "not attached" from "bad request"."""

    code = "refused"


class Unclear(RequestError):
    """The request may have been processed; only a look can tell."""

    code = "unclear"


class LostAnswer(Unclear):
    """The request left and its answer was lost."""

    code = "lost_answer"


class UnexpectedAnswer(Unclear):
    """The provider answered in a way that is not documented."""

    code = "unexpected_answer"
