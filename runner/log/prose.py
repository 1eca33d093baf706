"""What a person reads of an event that matters: a sentence in place of its name and its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SENTENCES = {
    "number.finished": "{outcome} {number} at {place}: {error}",
    "lane.throttled": "throttled {account} for {wait_s:g} s: {error}",
    "lane.stopped": "stopped {account}: {error}",
    "guard.tripped": "stopped by a guard: {error}",
    "precheck.warning": "warning: {message}",
    "verification.incomplete": "not verified: {error}",
    "report.unwritable": "no report: {error}",
}


def sentence(event: str, fields: Mapping[str, Any]) -> str | None:
    """Return what ``event`` says to a person; None where it has no sentence, or not the fields for it."""
    if (form := _SENTENCES.get(event)) is None:
        return None
    place = "/".join(str(fields[key]) for key in ("account", "target") if fields.get(key))
    try:
        return form.format_map({**fields, "place": place})
    except (KeyError, ValueError):
        return None
