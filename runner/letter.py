"""What a notification says: a Jinja template over plain values, in a sandbox of its own.

A template of the user's is tried on an example when the config is read, so that a misspelt name is found before a
run, and not when somebody has to be told.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2.sandbox import SandboxedEnvironment

DEFAULT = """\
{{ verdict }}
{% for note in notes[:5] %}
- {{ note }}
{% endfor %}
{% for outcome, count in totals.items() if count and outcome != "planned" %}
{{ outcome }}: {{ count }}
{% endfor %}
{% for each in failures %}
{{ each.number }} ({{ each.where }}) {{ each.outcome }}: {{ each.why }}
{% endfor %}
{% if more_failures %}
... and {{ more_failures }} more
{% endif %}
{% if next_command %}
Next: {{ next_command }}
{% endif %}
{% if report %}
Report: {{ report }} on {{ host }}
{% endif %}
"""

EXAMPLE: Mapping[str, Any] = {
    "event": "finish",
    "plan": "sales-eu-decommission",
    "run_id": "20261122T010000000Z-1f3a",
    "status": "failed",
    "exit_code": 4,
    "verdict": "Failed: 1 still attached, of 3 numbers.",
    "notes": ["unpod-main: stopped by an operator"],
    "totals": {
        "planned": 3,
        "detached": 2,
        "already_detached": 0,
        "skipped": 0,
        "failed": 1,
        "unknown": 0,
        "pending": 0,
        "would_detach": 0,
        "reattached": 0,
        "already_attached": 0,
        "would_reattach": 0,
        "moved": 0,
        "already_moved": 0,
        "stranded": 0,
        "would_move": 0,
    },
    "failures": [
        {"number": "+14155550101", "where": "unpod-main/sales", "outcome": "failed", "why": "HTTP 400: refused"}
    ],
    "more_failures": 0,
    "next_command": "teardown resume 20261122T010000000Z-1f3a --retry-failed",
    "report": "/var/lib/teardown/runs/20261122T010000000Z-1f3a/report.html",
    "host": "ops-1",
    "user": "teardown",
    "reason": "CHG-20417",
    "metadata": {},
}
"""Every name that a template may use, with a value as it may be."""


def check(template: str) -> None:
    """Raise ValueError with the mend when ``template`` cannot be rendered."""
    import jinja2  # noqa: PLC0415 - only a config with a template pays for the engine

    try:
        text = render(template, EXAMPLE)
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"cannot be understood, in its line {error.lineno}: {error.message}; correct it") from error
    except jinja2.UndefinedError as error:
        raise ValueError(f"uses what is not there ({error.message}); known here: {', '.join(EXAMPLE)}") from error
    except Exception as error:
        raise ValueError(f"cannot be rendered ({type(error).__name__}: {error}); correct it") from error
    if not text:
        raise ValueError("comes to an empty text; write one, or take the key out")


def render(template: str, facts: Mapping[str, Any]) -> str:
    """Return the text of a notification; any exception of the template is let through.

    ``metadata`` is what plans make of it: a key that a plan does not have is empty there.
    """
    return _engine().from_string(template).render({**facts, "metadata": defaultdict(str, facts["metadata"])}).strip()


def _engine() -> SandboxedEnvironment:
    import jinja2  # noqa: PLC0415 - as above
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - as above

    return ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
