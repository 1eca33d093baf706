"""The navigation of the site: patterns in ``nav`` of mkdocs.yml stand for the pages that no other line names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Nav = list[Any]


def on_config(config: Any) -> Any:
    """Give mkdocs a ``nav`` without patterns."""
    config.nav = expanded(config.nav, Path(config.docs_dir))
    return config


def expanded(nav: Nav, docs: Path) -> Nav:
    """Return ``nav`` with the pages that are there in place of patterns, and without empty sections."""
    return _expanded(nav, docs, set(_named(nav)))


def _expanded(nav: Nav, docs: Path, named: set[str]) -> Nav:
    found: Nav = []
    for entry in nav:
        if isinstance(entry, dict):
            sections = {title: _expanded(inner, docs, named) for title, inner in entry.items()}
            found += [{title: inner} for title, inner in sections.items() if inner]
        elif "*" in entry:
            pages = sorted(path.relative_to(docs).as_posix() for path in docs.glob(entry))
            found += [page for page in pages if page not in named]
        else:
            found.append(entry)
    return found


def _named(nav: Nav) -> list[str]:
    """Return the pages that stand in ``nav`` by name."""
    inner = [part for entry in nav if isinstance(entry, dict) for part in entry.values()]
    return [entry for entry in nav if isinstance(entry, str)] + [name for part in inner for name in _named(part)]
