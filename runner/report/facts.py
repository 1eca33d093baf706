"""The sections of the page that say what was asked for, under which rules, and who did it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.log import plain
from runner.report.markup import filled, own, section, terms
from runner.report.tables import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from runner.report.fold import Report

_PLAN = 32_768
"""How many characters of the plan's text the page holds."""
_SHOWN = 20
_PLAN_TEXT = """<details><summary>The plan as it ran: {}</summary>
<pre tabindex="0" aria-label="The plan as it ran">{}</pre></details>"""


def plan(report: Report) -> Markup:
    """Return what the plan was: its name, where it lay, its metadata, and its text where that is still there."""
    told = report.run["plan"]
    facts = [("name", told["name"]), ("description", told["description"]), ("path", told["path"])]
    text = report.source.plan_text(report.run["id"], _PLAN + 1) or ""
    cut = "its beginning, as it is long" if len(text) > _PLAN else "all of it"
    shown = filled(_PLAN_TEXT, cut, own("\n").join(map(plain, text[:_PLAN].splitlines()))) if text else own("")
    return section("plan", "Plan", terms([*facts, ("SHA-256", told["sha256"]), *told["metadata"].items()]), shown)


def guards(report: Report) -> Markup:
    """Return the rules that every process of the run held to."""
    return section("guards", "Guards", terms(_rules(report.source.rules(report.run["id"]))))


def _rules(rules: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield what is set of a run's guards, its window and its limit, as a plan writes it."""
    gate = rules["guards"].get("gate")
    shown_gate = {"gate": _gate(gate)} if gate else {}
    for name, value in {**rules["guards"], **shown_gate, **rules["window"], "limit": rules["limit"]}.items():
        values = value if isinstance(value, list) else [value]
        shown = [_batch(each) if isinstance(each, dict) else str(each) for each in values[:_SHOWN] if each is not None]
        more = [f"and {len(values) - _SHOWN:,} more"] if len(values) > _SHOWN else []
        yield name, ", ".join(shown + more)


def run(report: Report) -> Markup:
    """Return who ran it, when, and with what."""
    told = report.run
    facts = [
        ("run", told["id"]),
        ("saved check", told["check"]),
        ("rollback of", told["rollback_of"]),
        ("reason", told["reason"]),
        ("started", told["started_at"]),
        ("finished", told["finished_at"]),
        ("duration, s", told["duration_s"]),
        ("exit code", told["exit_code"]),
        ("by", f"{told['user']} on {told['host']}"),
        ("versions", f"teardown {told['version']}, schema {SCHEMA}"),
    ]
    return section("run", "Run", terms(facts))


def _gate(gate: dict[str, Any]) -> str:
    """Return what is asked, without a query or arguments, and what a bad answer does."""
    asked = gate["url"].partition("?")[0] if gate["url"] else gate["command"][0]
    return f"{asked}, on_fail: {gate['on_fail']}"


def _batch(batch: dict[str, Any]) -> str:
    return f"{batch['size']}%" if batch["percent"] else str(batch["size"])
