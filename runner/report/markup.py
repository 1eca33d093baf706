"""Pieces of a page: whatever is put into one is escaped and made printable, unless it is markup already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from runner.log import plain

if TYPE_CHECKING:
    from collections.abc import Iterable


def own(text: str) -> Markup:
    """Mark ``text`` as markup: only for what this package itself has written."""
    return Markup(text)  # noqa: S704 - that is what it is for


def filled(pattern: str, *values: object, **named: object) -> Markup:
    """Return ``pattern``, our own markup, with values in its fields; what is None shows as nothing."""
    return own(pattern).format(*map(_printable, values), **{name: _printable(value) for name, value in named.items()})


def joined(pattern: str, rows: Iterable[Iterable[object]]) -> Markup:
    """Return ``pattern`` filled with each of the rows, one behind the other."""
    return own("").join(filled(pattern, *row) for row in rows)


def some(pattern: str, value: object) -> Markup:
    """Return ``pattern`` filled with ``value``, or nothing where there is none."""
    return filled(pattern, value) if value else own("")


def section(name: str, title: str, *parts: Markup) -> Markup:
    """Return a section with a heading, or nothing where it has no content."""
    content = own("\n").join(filter(None, parts))
    pattern = '<section id="{0}" aria-labelledby="{0}-title">\n<h2 id="{0}-title">{1}</h2>\n{2}\n</section>'
    return filled(pattern, name, title, content) if content else content


def table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[object]]) -> Markup:
    """Return a table that scrolls sideways where it is too wide, by keyboard as well; nothing where it has no rows."""
    lines = joined("<tr>{}</tr>\n", ([joined("<td>{}", ([cell] for cell in row))] for row in rows))
    return lines and filled(
        '<div class="wide" role="region" aria-label="{0}" tabindex="0"><table>\n'
        "<caption>{0}</caption>\n<thead><tr>{1}</tr></thead>\n<tbody>\n{2}</tbody>\n</table></div>",
        caption,
        joined('<th scope="col">{}', ([head] for head in heads)),
        lines,
    )


def terms(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Return a list of what is called how; those without a value are left out."""
    rows = joined("<dt>{}</dt><dd>{}</dd>\n", (pair for pair in pairs if pair[1] is not None and pair[1] != ""))
    return some("<dl>\n{}</dl>", rows)


def _printable(value: object) -> Any:
    if isinstance(value, Markup | int | float):
        return value
    return "" if value is None else plain(str(value))
