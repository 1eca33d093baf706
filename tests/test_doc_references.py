"""What the documents point at exists: files, functions, tables of words."""

import ast
import re
from pathlib import Path

import pytest

from runner.model import STEPS
from runner.sandbox import KINDS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def definitions(path):
    """Names of the functions, classes, methods and constants of a module."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found.add(node.name)
            case ast.ClassDef():
                found |= {node.name} | {f"{node.name}.{each.name}" for each in node.body if hasattr(each, "name")}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Every link to a file of this repository names one that is there."""
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_in_the_text_exist(page):
    """Every path below a folder of this repository that is named as code is there."""
    text = page.read_text(encoding="utf-8")
    paths = re.findall(r"`((?:runner|tests|docs|plans|benchmarks|scripts|\.ci)/[\w./-]*)`", text)
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []


def test_the_design_names_code_that_exists():
    """Every `file.py:name` of the design is a definition in that file."""
    named = set(re.findall(r"`([\w/]+\.py):([\w.]+)`", DESIGN))
    assert len(named) > 20
    assert [f"{file}:{name}" for file, name in named if name not in definitions(ROOT / "runner" / file)] == []


def test_the_design_names_triggers_that_exist():
    """Every trigger that enforces an invariant is in the storage."""
    triggers = set(re.findall(r"CREATE TRIGGER (\w+)", (ROOT / "runner" / "ledger.sql").read_text(encoding="utf-8")))
    named = set(re.findall(r"`((?:item|attempt)_[a-z_]+)`", DESIGN))
    assert named
    assert named <= triggers


def test_the_picture_of_states_is_the_table_of_steps():
    """The arrows of the design's diagram are the allowed steps, no more and no fewer."""
    arrows = re.findall(r"^    (\w+) --> (\w+)", DESIGN, re.MULTILINE)
    assert sorted(arrows) == sorted((str(old), str(new)) for old, new in STEPS)


def test_every_fault_of_the_sandbox_is_explained():
    """The table of faults has all of them, and nothing else."""
    page = (ROOT / "docs" / "how-to" / "rehearse.md").read_text(encoding="utf-8").split("| fault |")[1]
    cells = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`(\w+)", cell)}
    assert named == {*KINDS, "lag", "revoke_after"}
