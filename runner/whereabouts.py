"""Where the config is, found without reading it: whoever only wants to know that needs no grammar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

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
    here = Path("config.yaml")
    if _is_seen(here):
        return here
    usual = _user_folder(environ) / "config.yaml"
    return usual if _is_seen(usual) else None


def _explicit(text: str, place: str) -> Path:
    if not text.strip():
        raise InputError([Problem(place, "is blank; name a config file, or leave it out")])
    try:
        path = Path(text).expanduser()
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError([Problem(place, f"{path} does not exist; name a config file that does")]) from None
    except OSError as error:
        raise InputError([Problem(place, f"{text} cannot be read ({error.strerror}); check the path")]) from error
    except RuntimeError as error:  # ~ stands for a home folder that nobody knows
        mend = "begins with an unknown home folder; write the path out"
        raise InputError([Problem(place, f"{text} {mend}")]) from error
    return path


def _is_seen(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that this user may not enter: nobody asked for it
        return False


def _user_folder(environ: Mapping[str, str]) -> Path:
    folder = environ.get("XDG_CONFIG_HOME", "")
    if Path(folder).is_absolute():
        return Path(folder) / "teardown"
    from platformdirs import user_config_path  # noqa: PLC0415 - 10 ms that only who has no config at hand pays

    return user_config_path("teardown")
