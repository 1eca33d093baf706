"""The state folder: the ledger, and one folder a run. Private to the user."""

from __future__ import annotations

import io
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from runner.durable import make_folder
from runner.errors import InputError, LedgerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

VARIABLE = "TEARDOWN_STATE_DIR"
_RUN_ID = re.compile(r"[0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class StateFolder:
    """Where runs are recorded; nothing is made before it is needed."""

    path: Path

    @classmethod
    def find(cls, option: str | None, environ: Mapping[str, str]) -> StateFolder:
        """Return ``--state-dir``, else $TEARDOWN_STATE_DIR, else the XDG state folder; InputError for a blank one."""
        for name, value in (("--state-dir", option), (f"environment variable {VARIABLE}", environ.get(VARIABLE))):
            if value is not None:
                if not value.strip():
                    raise InputError(f"{name} is blank; name a folder, or leave it out")
                return cls(_expanded(value, name))
        folder = environ.get("XDG_STATE_HOME", "")
        return cls(
            Path(folder) / "teardown" if Path(folder).is_absolute() else platformdirs.user_state_path("teardown")
        )

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.path / "ledger.db"

    def holds_runs(self) -> bool:
        """Say whether there is a ledger; LedgerError when nobody can tell."""
        try:
            self.ledger.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise LedgerError(f"{self.path} cannot be read: {error.strerror}; give another --state-dir") from error
        return True

    def run_folder(self, run_id: str) -> Path:
        """Return the folder of one run; InputError for what cannot be the id of a run."""
        if not _RUN_ID.fullmatch(run_id):
            raise InputError(f"{run_id!r} is not the id of a run; `teardown status` lists them")
        return self.path / "runs" / run_id

    def make(self, run_id: str) -> Path:
        """Make the folder of a run, 0700 all the way; LedgerError when that cannot be."""
        folder = self.run_folder(run_id)
        self.prepare()
        for each in (folder.parent, folder):
            _make(each)
        return folder

    def prepare(self) -> None:
        """Make the folder itself, 0700; LedgerError when that cannot be, or when it belongs to somebody else."""
        _make(self.path)

    def keep(self, run_id: str, name: str, text: str) -> None:
        """Write a file of a run, 0600."""
        self._keep(run_id, name, io.BytesIO(text.encode()))

    def keep_copy(self, run_id: str, name: str, original: Path) -> None:
        """Copy a file into the folder of a run, 0600."""
        try:
            with original.open("rb") as file:
                self._keep(run_id, name, file)
        except OSError as error:
            raise InputError(f"{original} cannot be read ({error.strerror}); check the path") from error

    def _keep(self, run_id: str, name: str, source: BinaryIO) -> None:
        path = self.make(run_id) / name
        try:
            with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
                shutil.copyfileobj(source, file)
        except OSError as error:
            raise LedgerError(f"{path} cannot be written: {error.strerror}; give another --state-dir") from error


def _make(folder: Path) -> None:
    try:
        make_folder(folder)
        owner = folder.stat().st_uid
    except OSError as error:
        raise LedgerError(f"{folder} cannot be made: {error.strerror}; give another --state-dir") from error
    if owner != os.geteuid():  # they could read what is written there, or write it themselves
        raise LedgerError(f"{folder} belongs to user {owner}; give a --state-dir of your own")


def _expanded(value: str, name: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError as error:  # ~ stands for a home folder that nobody knows
        raise InputError(f"{name}: {value} begins with an unknown home folder; write the path out") from error
