"""Packages of npm that a test drives, installed where pytest keeps its cache; without Node the test is skipped."""

import fcntl
import json
import os
import shutil
import subprocess

import pytest

INSTALL = ("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--prefer-offline")


def installed(request, name, source):
    """A folder with the files of ``source`` and the packages that its package.json pins; kept between test runs."""
    missing = [tool for tool in ("node", "npm") if not shutil.which(tool)]
    if missing:
        pytest.skip(f"this needs a package of npm: {' and '.join(missing)} not found")
    cache = getattr(request.config, "cache", None)  # pytest can be told to keep none
    folder = cache.mkdir(name) if cache else request.getfixturevalue("tmp_path_factory").mktemp(name)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests beside this one may want the same
        for path in source.iterdir():
            shutil.copy(path, folder)
        problem = None if is_installed(folder) else install(folder)
    if problem and os.environ.get("CI") == "true":
        pytest.fail(problem)
    if problem:
        pytest.skip(problem)
    return folder


def is_installed(folder):
    """Whether every pinned package is there in its version."""
    for package, wanted in json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"].items():
        manifest = folder / "node_modules" / package / "package.json"
        if not manifest.exists() or json.loads(manifest.read_text(encoding="utf-8"))["version"] != wanted:
            return False
    return True


def install(folder):
    """Install the packages; why that did not work, or None."""
    try:
        done = subprocess.run(INSTALL, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        return "npm did not install a package within three minutes"
    lines = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
    return f"npm could not install a package: {'; '.join(lines[:3])}" if done.returncode else None
