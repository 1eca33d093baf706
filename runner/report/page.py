"""The sections of the page: what can be written before its rows, and what comes after them."""

from __future__ import annotations

import shlex
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from runner.report.charts import charts
from runner.report.facts import guards, plan, run
from runner.report.markup import filled, joined, own, section, some, table
from runner.report.words import counted, next_command, rollback_command, verdict_sentence, why_kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from runner.report.fold import Report

Trouble = tuple[str, str, str, str, str, list[str]]
"""Account, target, outcome, how that is known, why, and the numbers that it happened to."""

_ICONS = {"succeeded": "✔", "failed": "✖", "aborted": "✖", "blocked": "⊘", "interrupted": "‖", "dry_run": "○"}
_TARGETS = 200
_FATES = 100
"""How many things that went wrong have a line of their own; where each number has its own message, that is enough."""
_NAMED = 20
"""How many numbers of one fate stand in a line; more of them fold up, or what else there is would be out of sight."""
_LANE = ("account", "provider", "planned", "requests", "retries", "throttled", "achieved_rate", "rate")
_LANE_HEADS = (*_LANE[:6], "achieved /s", "limit /s", "p50 ms", "p95 ms", "max ms")


class Page:
    """One report as the two halves of a page, around its rows."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._head, self._tail = _asset("page.html").split("{rows}")
        style, script = _asset("page.css"), _asset("page.js")
        self._assets = {
            "style": own(style),
            "style_hash": _hash(style),
            "script": own(script),
            "script_hash": _hash(script),
        }

    def head(self) -> str:
        """Return everything in front of the rows: the verdict and the counts."""
        report = self._report
        return filled(
            self._head,
            **self._assets,
            name=report.run["plan"]["name"],
            status=report.status,
            over=" · ".join(filter(None, _over(report))),
            description=some("<p>{}</p>", report.run["plan"]["description"]),
            icon=_ICONS[report.status],
            verdict=verdict_sentence(report),
            lead=_lead(report),
            notes=joined("<p>{}</p>\n", ([note] for note in _notes(report))),
            counts=_counts(report),
            next=_next(report),
        )

    def tail(self, words: str, held: int, troubles: list[Trouble]) -> Iterator[str]:
        """Yield everything behind the ``held`` rows; ``words`` is JSON, without any <, that says what they mean."""
        report = self._report
        missing = report.totals["planned"] - held
        yield filled(
            self._tail,
            **self._assets,
            words=own(words),
            troubled=_troubled(report, troubles),
            targets=_targets(report),
            speed=section("speed", "Over time", charts(report)),
            lanes=_lanes(report),
            left_out=some("<p>{:,} more, for which nothing is left to be done, are only in report.json.</p>", missing),
            plan=plan(report),
            guards=guards(report),
            run=run(report),
        )


def _notes(report: Report) -> list[str]:
    sandbox = ["Sandbox: no real number was touched."] if report.run["sandbox"] else []
    return [*sandbox, *report.run["notes"]]


def _over(report: Report) -> list[str | None]:
    run = report.run
    when = run["started_at"][:19].replace("T", " ")
    took = None if run["duration_s"] is None else f"{run['duration_s']:,.0f} s"
    return ["Teardown report", run["id"], f"{when} UTC", took, f"{run['user']} on {run['host']}", run["reason"]]


def _lead(report: Report) -> str:
    """Say in one sentence what became of all numbers, for who has never read such a page."""
    totals, goal = report.totals, report.goal
    there, already = totals[goal.done] + totals[goal.already], totals[goal.already]
    before = f", {already:,} of them already {goal.participle}" if already else ""
    rest = {
        "left alone on purpose": totals["skipped"],
        "attached to nothing": totals.get("stranded", 0),
        goal.undone: totals["failed"],
        "that nobody knows of": totals["unknown"],
        "not touched": totals["pending"] + totals.get(goal.would, 0),
    }
    said = ", ".join(f"{count:,} {what}" for what, count in rest.items() if count)
    return f"{there:,} of {totals['planned']:,} numbers are {goal.there}{before}{said and '; '}{said}."


def _counts(report: Report) -> Markup:
    rows = [("planned", f"{report.totals['planned']:,}", "planned")]
    rows += [(name, f"{count:,}", name.replace("_", " ")) for name, count in counted(report)]
    return filled('<ul class="counts">\n{}</ul>', joined('<li class="{}"><b>{}</b> {}</li>\n', rows))


def _next(report: Report) -> Markup:
    steps = joined("<li>{}: <code>{}</code></li>\n", _steps(report))
    return section("next", "What to do next", some("<ul>\n{}</ul>", steps))


def _steps(report: Report) -> Iterator[tuple[str, str]]:
    run_id, path = report.run["id"], shlex.quote(report.run["plan"]["path"])
    if command := next_command(report):
        yield "Once what stands below is mended" if report.status == "failed" else "Go on where it stopped", command
    of = report.run["rollback_of"]
    if report.status == "blocked":
        look = f"teardown rollback {of} --dry-run" if of else f"teardown check {path}"
        yield "Mend what stands above, then look again", look
    if report.status == "dry_run" and report.totals[report.goal.would]:
        yield "Do what was looked at", f"teardown rollback {of}" if of else f"teardown run {path}"
    if command := rollback_command(report):
        yield "Put back what is attached to nothing" if report.run["moves"] else "Put back what was detached", command
    yield "Every row, for a spreadsheet", f"teardown report {run_id} -o report.csv"


def _troubled(report: Report, troubles: list[Trouble]) -> Markup:
    rows = [
        (f"{account}/{target}".rstrip("/"), outcome, why, f"{len(numbers):,}", _named(numbers))
        for account, target, outcome, _, why, numbers in _gathered(troubles)
    ]
    missing = report.troubles - sum(len(numbers) for *_, numbers in troubles)
    return section(
        "troubled",
        "Failed, unknown and stranded" if report.totals.get("stranded") else "Failed and unknown",
        table("What went wrong, and where", ["where", "outcome", "why", "how many", "numbers"], rows),
        some("<p>{:,} more are in the table of numbers.</p>", missing),
    )


def _gathered(troubles: list[Trouble]) -> Iterator[Trouble]:
    """Yield what befell most numbers as it is, and what is left of it by place and outcome alone."""
    ordered = sorted(troubles, key=lambda trouble: -len(trouble[-1]))
    yield from ordered[:_FATES]
    rest: dict[tuple[str, str, str], list[str]] = {}
    for account, target, outcome, _, _, numbers in ordered[_FATES:]:
        rest.setdefault((account, target, outcome), []).extend(numbers)
    for place, numbers in rest.items():
        yield (*place, "", "other reasons; the table of numbers has each of them", numbers)


def _named(numbers: list[str]) -> Markup:
    folded = "<details><summary>All {:,}</summary><p>{}</p></details>"
    listed = " ".join(numbers)
    return filled(folded, len(numbers), listed) if len(numbers) > _NAMED else filled("{}", listed)


def _targets(report: Report) -> Markup:
    keys = ("account", "kind", "target", "outcome")
    rows = [(*(each[key] for key in keys), why_kept(each)) for each in report.targets[:_TARGETS]]
    missing = len(report.targets) - len(rows)
    return section(
        "targets",
        "Targets",
        table("What was to be deleted, and what became of it", [*keys, "why"], rows),
        some("<p>{:,} more are only in report.json.</p>", missing),
    )


def _lanes(report: Report) -> Markup:
    rows = [map(_figure, (*(lane[key] for key in _LANE), *lane["latency_ms"].values())) for lane in report.lanes]
    return section("lanes", "Lanes", table("What each account was asked, and how fast it answered", _LANE_HEADS, rows))


def _figure(value: str | float | None) -> str | None:
    return value if value is None or isinstance(value, str) else f"{value:,}".removesuffix(".0")


def _asset(name: str) -> str:
    return (files("runner.report") / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
