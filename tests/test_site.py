"""The site: every page has its place in it, and nothing in it comes from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.site import expanded, inside

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NAV = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]


def leaves(nav):
    """Yield the pages of a navigation."""
    for entry in nav:
        if isinstance(entry, dict):
            for inner in entry.values():
                yield from leaves(inner)
        else:
            yield entry


def test_every_page_has_one_place():
    """Each page is in the navigation once, whoever adds it."""
    assert sorted(leaves(expanded(NAV, DOCS))) == sorted(
        path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")
    )


def test_a_new_page_falls_into_place(tmp_path):
    """A pattern takes what no other line names, and a section that stays empty is left out."""
    for name in ("index.md", "how-to/b.md", "how-to/a.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    nav = ["index.md", {"How to": ["how-to/b.md", "how-to/*.md"]}, {"Empty": ["schedulers/*.md"]}]
    assert expanded(nav, tmp_path) == ["index.md", {"How to": ["how-to/b.md", "how-to/a.md"]}]


def test_links_out_of_the_documents_become_words(tmp_path):
    """The site has neither other files of the repository nor lists of folders; a reader sees the name, no dead link."""
    docs = tmp_path / "docs"
    (docs / "recipes").mkdir(parents=True)
    text = "[a](b.md#c) [Docker](../Dockerfile) [all of them](recipes) [far](https://example.org)"
    assert inside(text, docs, docs) == "[a](b.md#c) Docker all of them [far](https://example.org)"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as `make docs` builds it: every broken link or anchor is an error."""
    pytest.importorskip("material", reason="the extra `docs` is not installed; `make docs` does that")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--site-dir", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_builds(site):
    """It has every page."""
    missing = [path for path in DOCS.rglob("*.md") if not (site / path.relative_to(DOCS)).with_suffix(".html").exists()]
    assert [path.name for path in missing if path.name != "README.md"] == []


def test_the_site_fetches_nothing(site):
    """A reader without a network sees all of it: no font, script, style or picture is elsewhere."""
    text = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.html"))
    loaded = re.findall(r'<(?:script|img|iframe|source)[^>]* src="([^"]+)"', text)
    loaded += re.findall(r'<link[^>]* rel="(?:stylesheet|preconnect|preload)"[^>]*>', text)
    assert len(loaded) > len(list(site.rglob("*.html")))
    assert [each for each in loaded if re.search(r'(?:^|")(?:https?:)?//', each)] == []
