"""JUnit XML for a CI's test view: a suite per account and target, a case per number.

Only attributes that the schema of Jenkins' xUnit plugin knows, as that refuses a file with any other.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from runner.report.words import where, why

if TYPE_CHECKING:
    from typing import TextIO

    from runner.report.fold import Report, Row

_ELEMENTS = {
    "failed": "failure",
    "unknown": "failure",
    "stranded": "failure",
    "skipped": "skipped",
    "pending": "skipped",
}
# Compiled when it is first used: that takes milliseconds, which every run would pay.
_NOT_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


class Junit:
    """Numbers that failed, are unknown or stranded are failures, skipped and pending ones are skipped.

    A suite carries its counts in front of its cases, so the rows are read once more, before they are written.
    """

    def __init__(self, report: Report, stream: TextIO) -> None:
        self._stream, self._suite = stream, ""
        suites = groupby(report.numbers(), where)
        self._counts = iter([Counter(row["outcome"] for row in rows) for _, rows in suites])
        name = _attribute(report.run["plan"]["name"])
        outcomes = Counter({outcome: count for outcome, count in report.totals.items() if outcome != "planned"})
        took = f'time="{report.run["duration_s"] or 0:.3f}"'
        self._began = f'timestamp="{report.run["started_at"]}"'
        stream.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name={name} {_counts(outcomes)} {took}>\n')

    def add(self, rows: list[Row]) -> None:
        """Write a case per row, and a suite around those that stand together at one account and target."""
        for suite, cases in groupby(rows, where):
            if suite != self._suite:
                self._close()
                counts = next(self._counts)
                told = f'{_counts(counts)} skipped="{_elements(counts)["skipped"]}" {self._began}'
                self._stream.write(f"<testsuite name={_attribute(suite)} {told}>\n")
                self._suite = suite
            self._stream.writelines(map(_case, cases))

    def end(self) -> None:
        """Close the last suite and the document."""
        self._close()
        self._stream.write("</testsuites>\n")

    def _close(self) -> None:
        if self._suite:
            self._stream.write("</testsuite>\n")


def _case(row: Row) -> str:
    name, suite = _attribute(row["number"]), _attribute(where(row))
    element = _ELEMENTS.get(row["outcome"])
    if element is None:
        return f"<testcase name={name} classname={suite}/>\n"
    said = ": ".join(filter(None, [row["outcome"], why(row)]))
    inner = f"<{element} message={_attribute(said)}/>" if element == "skipped" else _failure(row, said)
    return f"<testcase name={name} classname={suite}>{inner}</testcase>\n"


def _failure(row: Row, said: str) -> str:
    """Return the element with a text as well, as some viewers show only that."""
    error = row["error"] or {"code": row["outcome"], "http_status": None}
    status = f", HTTP {error['http_status']}" if error["http_status"] else ""
    text = f"{row['number']} at {where(row)}: {said} ({error['code']}{status}, attempts: {row['attempts']})"
    return f"<failure type={_attribute(error['code'])} message={_attribute(said)}>{_text(text)}</failure>"


def _counts(outcomes: Counter[str]) -> str:
    return f'tests="{outcomes.total()}" failures="{_elements(outcomes)["failure"]}" errors="0"'


def _elements(outcomes: Counter[str]) -> Counter[str | None]:
    elements: Counter[str | None] = Counter()
    for outcome, count in outcomes.items():
        elements[_ELEMENTS.get(outcome)] += count
    return elements


def _attribute(text: str) -> str:
    from xml.sax.saxutils import quoteattr  # noqa: PLC0415 - it imports an HTTP client, and few reports are for JUnit

    return quoteattr(_printable(text))


def _text(text: str) -> str:
    from xml.sax.saxutils import escape  # noqa: PLC0415 - as above

    return escape(_printable(text))


def _printable(text: str) -> str:
    return re.sub(_NOT_XML, "\N{REPLACEMENT CHARACTER}", text)
