"""The sections of the page: what can be written before its rows, and what comes after them."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from runner.report.fold import TROUBLED
from runner.report.markup import filled, joined, own, section, some, table, terms
from runner.report.words import counted, next_command, verdict_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from runner.report.fold import Report

Trouble = tuple[str, str, str, str, str, list[str]]
"""Account, target, outcome, how that is known, why, and the numbers that it happened to."""

_ICONS = {"succeeded": "✔", "failed": "✖", "aborted": "✖", "blocked": "⊘", "interrupted": "‖", "dry_run": "○"}
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
        report, plan = self._report, self._report.run["plan"]
        return filled(
            self._head,
            **self._assets,
            name=plan["name"],
            status=report.status,
            run_id=report.run["id"],
            description=some("<p>{}</p>", plan["description"]),
            icon=_ICONS[report.status],
            verdict=verdict_sentence(report),
            notes=joined("<p>{}</p>\n", ([note] for note in _notes(report))),
            counts=_counts(report),
            next=some("<p>Go on with <code>{}</code></p>", next_command(report)),
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
            lanes=_lanes(report),
            left_out=some("<p>{:,} more, for which nothing is left to be done, are only in report.json.</p>", missing),
            run=_run(report),
        )


def _notes(report: Report) -> list[str]:
    sandbox = ["Sandbox: no real number was touched."] if report.run["sandbox"] else []
    return [*sandbox, *report.run["notes"]]


def _counts(report: Report) -> Markup:
    rows = [("planned", f"{report.totals['planned']:,}", "planned")]
    rows += [(name, f"{count:,}", name.replace("_", " ")) for name, count in counted(report)]
    return filled('<ul class="counts">\n{}</ul>', joined('<li class="{}"><b>{}</b> {}</li>\n', rows))


def _troubled(report: Report, troubles: list[Trouble]) -> Markup:
    rows = [
        (f"{account}/{target}".rstrip("/"), outcome, why, f"{len(numbers):,}", " ".join(numbers))
        for account, target, outcome, _, why, numbers in troubles
    ]
    missing = sum(report.totals[name] for name in TROUBLED) - sum(len(numbers) for *_, numbers in troubles)
    return section(
        "troubled",
        "Failed and unknown",
        table("What went wrong, and where", ["where", "outcome", "why", "how many", "numbers"], rows),
        some("<p>{:,} more are in the table of numbers.</p>", missing),
    )


def _lanes(report: Report) -> Markup:
    rows = [(*(lane[key] for key in _LANE), *lane["latency_ms"].values()) for lane in report.lanes]
    return section("lanes", "Lanes", table("What each account was asked, and how fast it answered", _LANE_HEADS, rows))


def _run(report: Report) -> Markup:
    run, plan = report.run, report.run["plan"]
    facts = [
        ("plan", plan["path"]),
        ("SHA-256", plan["sha256"]),
        *plan["metadata"].items(),
        ("run", run["id"]),
        ("rollback of", run["rollback_of"]),
        ("reason", run["reason"]),
        ("started", run["started_at"]),
        ("finished", run["finished_at"]),
        ("duration, s", run["duration_s"]),
        ("exit code", run["exit_code"]),
        ("by", f"{run['user']} on {run['host']}, teardown {run['version']}"),
    ]
    return section("run", "Run", terms(facts))


def _asset(name: str) -> str:
    return (files("runner.report") / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
