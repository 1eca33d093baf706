"""docs/python.md: its examples run as they stand, and its names are the public ones."""

import asyncio
import os
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import runner
from runner.sandbox import ORG_HANDLE, TOKEN, World, serve

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
BRIDGE = "sales-bridge-001"
NUMBERS = ["+14155550101", "+14155550102", "+14155550103", "+14155550104"]


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def python(code, folder, **environ):
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def folder(tmp_path):
    """A folder with the tutorial's plan and config, as a user makes them."""
    plan, config = blocks(TUTORIAL, 'yaml title="[a-z.]+"')
    (tmp_path / "config.yaml").write_text(config, encoding="utf-8")
    (tmp_path / "plan.yaml").write_text(plan, encoding="utf-8")
    return tmp_path


async def test_the_examples_run_as_they_stand(folder):
    """One after the other they look, detach, find nothing to resume, and put back; the sandbox agrees."""
    world = World.from_plan(runner.load_plan(folder / "plan.yaml").groups)
    async with serve(world) as server:
        overrides = {
            "UNPOD_TOKEN": TOKEN,
            "TEARDOWN_ACCOUNTS__UNPOD_MAIN__BASE_URL": server.url,
            "TEARDOWN_ACCOUNTS__UNPOD_MAIN__ORG_HANDLE": ORG_HANDLE,
        }
        said = await asyncio.to_thread(python, "\n".join(blocks(PAGE, "python")), folder, **overrides)
    assert (said.returncode, said.stderr) == (0, "")
    looked, ran, refused, back = said.stdout.splitlines()
    assert looked == "dry_run 4"
    assert ran.startswith("succeeded 0 {'planned': 4, 'detached': 4, ")
    assert refused.endswith("has nothing to resume")
    assert back.endswith(" 4 0")
    assert all(world.attached("unpod", BRIDGE, number) for number in NUMBERS)
    assert (folder / "report.csv").read_text("utf-8").count(",detached,") == len(NUMBERS)


def test_the_page_explains_every_public_name():
    """The table of names and `__all__` are the same, and each name can be had."""
    table = PAGE.split("## The names")[1]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == sorted(runner.__all__)
    assert all(getattr(runner, name) is not None for name in runner.__all__)


@pytest.mark.parametrize("name", runner.__all__)
def test_every_public_name_explains_itself(name):
    """`help()` shows what it takes, and what it is for."""
    shown = pydoc.render_doc(getattr(runner, name), renderer=pydoc.plaintext)
    assert f"{getattr(runner, name).__name__}(" in shown


def test_an_unknown_name_is_refused():
    """As any module refuses it."""
    with pytest.raises(AttributeError, match="no attribute 'detach_everything'"):
        _ = runner.detach_everything


def test_importing_the_package_loads_no_network_client(tmp_path):
    """So that a script, or `teardown --help`, starts at once."""
    said = python("import sys, runner; print('aiohttp' in sys.modules, runner.Options.__name__)", tmp_path)
    assert (said.stdout, said.returncode) == ("False Options\n", 0)
