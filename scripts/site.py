"""What mkdocs is told of the site: where each page stands, and that files beside the documents are not in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

Nav = list[Any]
_LINK = re.compile(r"\[([^]]*)\]\(([^)#:]+)(?:#[^)]*)?\)")


def on_config(config: Any) -> Any:
    """Give mkdocs a ``nav`` without patterns."""
    config.nav = expanded(config.nav, Path(config.docs_dir))
    return config


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Give mkdocs a page whose links to files of the repository that are not in the site are plain words."""
    return inside(markdown, Path(page.file.abs_src_path).parent, Path(config.docs_dir))


def inside(markdown: str, folder: Path, docs: Path) -> str:
    """Return the page that stands in ``folder`` without its links to folders and to what is not below ``docs``."""

    def kept(link: re.Match[str]) -> str:
        path = (folder / link[2]).resolve()
        return link[1] if path.is_dir() or not path.is_relative_to(docs) else link[0]

    return _LINK.sub(kept, markdown)


def expanded(nav: Nav, docs: Path) -> Nav:
    """Return ``nav`` with pages that no other line names in place of patterns, and without empty sections."""
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
