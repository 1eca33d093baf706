"""What is installed is what was tested: sdist and wheel, each in an environment of its own, and their types."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import textwrap
import zipfile
from pathlib import Path

import pytest

from runner.version import VERSION

ROOT = Path(__file__).parents[1]
PLAN = ROOT / "plans" / "unpod-bridge.yaml"
NOT_SOURCE = (".git", ".venv", "*.egg-info", "build", "dist", "__pycache__", ".*_cache", ".hypothesis", "node_modules")
CONSUMER = """
    import asyncio
    from pathlib import Path

    from runner import Front, Options, StateFolder, load_config, load_plan, start


    def detached(config: Path, plan: Path) -> int:
        settings, state = load_config(config, {}), StateFolder(Path("state"))
        report = asyncio.run(start(load_plan(plan), settings, state, Options(), Front()))
        return report.totals["detached"]


    WRONG: str = load_plan("plan.yaml").listed
"""


def run(*words, **options):
    """Run a command, and give its output."""
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE_", "COV_", "PYTHON"))}
    done = subprocess.run(list(map(str, words)), env=usual, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist, and the wheel that was made of it, by their endings; needs no network."""
    source, out = tmp_path_factory.mktemp("source") / "teardown", tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_SOURCE, ".demo"))
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source)
    return {path.suffix: path for path in out.iterdir()}


@pytest.fixture(scope="module", params=[".whl", ".gz"])
def installed(request, built, tmp_path_factory):
    """An environment with the program from the wheel or the sdist, which borrows this one's dependencies."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python3*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--disable-pip-version-check")
    fresh = (*offline, "--ignore-installed")  # the borrowed one, where it is no editable one
    run(sys.executable, "-m", "pip", "--python", python, "install", *fresh, built[request.param])
    return python


def test_what_is_installed_runs(installed, tmp_path):
    """The command and `python -m runner` are there, and all that a run reads besides code came along."""
    assert run(installed.parent / "teardown", "--version") == f"teardown {VERSION}\n"
    where = run(installed, "-c", "import runner; print(runner.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parents[1])
    run(installed, "-m", "runner", "run", PLAN, "--sandbox", "--yes", "-q", "--state-dir", "state", cwd=tmp_path)
    (report,) = (tmp_path / "state" / "runs").glob("*/report.html")
    assert "retire-sales-bridge" in report.read_text(encoding="utf-8")
    assert "teardown.report/1" in run(installed, "-m", "runner", "schema", "report", cwd=tmp_path)
    assert "videosdk" in run(installed, "-m", "runner", "providers", cwd=tmp_path)


@pytest.mark.parametrize("installed", [".whl"], indirect=True)
def test_the_types_are_for_those_who_install_it(installed, tmp_path):
    """A checker finds the one line of a consumer that is wrong, and nothing else."""
    consumer = tmp_path / "consumer.py"
    consumer.write_text(textwrap.dedent(CONSUMER), encoding="utf-8")
    checker = (sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", tmp_path / "cache")
    words = [*checker, "--python-executable", installed, consumer]
    said = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    wrong, found = said.stdout.splitlines()
    assert 'consumer.py:14: error: Incompatible types in assignment (expression has type "int"' in wrong
    assert found == "Found 1 error in 1 file (checked 1 source file)"


def test_the_wheel_holds_the_package_alone(built):
    """No tests, no benchmarks; the licence and the mark that it has types."""
    names = zipfile.ZipFile(built[".whl"]).namelist()
    assert {name.split("/")[0] for name in names} == {"runner", f"teardown-{VERSION}.dist-info"}
    assert "runner/py.typed" in names
    assert f"teardown-{VERSION}.dist-info/licenses/LICENSE" in names


def test_the_sdist_holds_what_its_documents_point_at(built):
    """Documents, example plans and schemas; no tests, as half of them would be of no use."""
    with tarfile.open(built[".gz"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = ("docs/schedulers.md", "docs/schedulers/cron/teardown-quiet", "config.example.yaml", "schemas/plan.json")
    assert names >= {
        *wanted,
        "plans/unpod-bridge.yaml",
        "plans/numbers/eu-sales.csv",
        "CHANGELOG.md",
        "constraints.txt",
    }
    assert not [name for name in names if name.startswith(("tests", ".venv", ".git"))]
