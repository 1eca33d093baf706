"""One self-contained HTML page; the template beside this module is the page, and everything in it is escaped."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from runner.log import plain
from runner.report.fold import TROUBLED
from runner.report.words import counted, next_command, verdict_sentence, why

if TYPE_CHECKING:
    from typing import TextIO

    from runner.report.fold import Report, Row

_SHOWN = 10_000


class Html:
    """Verdict, counts, lanes, what failed, then the numbers: so many as a browser shows with ease."""

    def __init__(self, report: Report, stream: TextIO) -> None:
        self._report, self._stream = report, stream
        self._rows: list[tuple[Any, ...]] = []
        self._troubled: list[tuple[Any, ...]] = []

    def add(self, rows: list[Row]) -> None:
        """Keep the first rows, and the first that failed or are unknown."""
        troubled = [row for row in rows if row["outcome"] in TROUBLED]
        self._rows += map(_cells, rows[: _SHOWN - len(self._rows)])
        self._troubled += map(_cells, troubled[: _SHOWN - len(self._troubled)])

    def end(self) -> None:
        """Render the page."""
        import jinja2  # noqa: PLC0415 - only who writes a page pays for the template engine

        environment = jinja2.Environment(
            autoescape=True, finalize=_shown, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        template = environment.from_string((files("runner.report") / "report.html.jinja").read_text("utf-8"))
        page = template.generate(
            report=self._report,
            verdict=verdict_sentence(self._report),
            counted=counted(self._report),
            troubled=self._troubled,
            trouble_total=sum(self._report.totals[name] for name in TROUBLED),
            rows=self._rows,
            next_command=next_command(self._report),
        )
        self._stream.writelines(page)


def _cells(row: Row) -> tuple[Any, ...]:
    """Pick what the table shows: a tuple costs the template a third of what a mapping does."""
    reason, finished_at = why(row), row["finished_at"]
    where = (row["number"], row["account"], row["target"])
    return (*where, row["outcome"], row["confirmed_by"], reason, row["attempts"], finished_at)


def _shown(value: Any) -> Any:
    """Make any text harmless before it is escaped; markup is the template's own."""
    if isinstance(value, str):
        return value if hasattr(value, "__html__") else plain(value)
    return "" if value is None else value
