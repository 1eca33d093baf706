"""Where the config is, found without reading it: whoever only wants to know that needs no grammar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from runner.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "TEARDOWN_CONFIG"


def find_config(option: str | None, environ: Mapping[str, str]) -> Path | None:
    """Return the config to use: ``--config``, else $TEARDOWN_CONFIG, ./config.yaml, the XDG config folder, else None.

    InputError when a file that was asked for by option or variable is not there.
    """
    if option is not None:
        return _explicit(option, "--config")
    if VARIABLE in environ:
        return _explicit(environ[VARIABLE], f"environment variable {VARIABLE}")
    usual = (Path("config.yaml"), _user_folder(environ) / "config.yaml")
    return next((path for path in usual if path.is_file()), None)


def _explicit(text: str, place: str) -> Path:
    if not text.strip():
        raise InputError([Problem(place, "is blank; name a config file, or leave it out")])
    path = Path(text).expanduser()
    if not path.exists():
        raise InputError([Problem(place, f"{path} does not exist; name a config file that does")])
    return path


def _user_folder(environ: Mapping[str, str]) -> Path:
    folder = environ.get("XDG_CONFIG_HOME", "")
    return Path(folder) / "teardown" if Path(folder).is_absolute() else platformdirs.user_config_path("teardown")
