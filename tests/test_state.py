"""The state folder: where it is, and that it is private."""

import stat
from pathlib import Path

import platformdirs
import pytest

from runner.errors import InputError, LedgerError
from runner.state import VARIABLE, StateFolder


@pytest.fixture
def folder(tmp_path):
    return StateFolder(tmp_path / "deep" / "state")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_option_comes_before_the_environment_and_that_before_the_default(tmp_path):
    """--state-dir, $TEARDOWN_STATE_DIR, $XDG_STATE_HOME, and last the system's own place."""
    environ = {VARIABLE: "/from/environment", "XDG_STATE_HOME": str(tmp_path)}
    assert StateFolder.find("given", environ).path == Path("given")
    assert StateFolder.find(None, environ).path == Path("/from/environment")
    assert StateFolder.find(None, {"XDG_STATE_HOME": str(tmp_path)}).path == tmp_path / "teardown"
    assert StateFolder.find("~/state", {}).path == Path.home() / "state"
    for unusable in ({}, {"XDG_STATE_HOME": ""}, {"XDG_STATE_HOME": "relative/path"}):
        assert StateFolder.find(None, unusable).path == platformdirs.user_state_path("teardown")


@pytest.mark.parametrize(
    ("option", "environ", "said"),
    [
        ("  ", {}, "--state-dir is blank"),
        (None, {VARIABLE: ""}, f"environment variable {VARIABLE} is blank"),
        ("~nobody-of-this-name/x", {}, "--state-dir: ~nobody-of-this-name/x begins with an unknown home folder"),
    ],
)
def test_a_folder_that_means_nothing_is_refused(option, environ, said):
    """A blank value, or a home folder that nobody knows, is one sentence and never the default."""
    with pytest.raises(InputError, match=said):
        StateFolder.find(option, environ)


def test_nothing_is_made_before_it_is_needed(folder):
    """Asking where things are makes no folder."""
    assert folder.ledger == folder.path / "ledger.db"
    assert folder.run_folder("20261122T000000000Z-1a2b") == folder.path / "runs" / "20261122T000000000Z-1a2b"
    assert not folder.path.exists()


@pytest.mark.parametrize("run", ["", "..", "../etc", "a/b", "a.b", "a\n", "ü", " "])
def test_what_cannot_be_a_run_leads_nowhere(folder, run):
    """An id that would lead out of the folder is refused with the mend."""
    with pytest.raises(InputError, match="is not the id of a run; `teardown status` lists them"):
        folder.run_folder(run)


def test_folders_and_files_are_private(folder):
    """The state folder, the runs folder and the run's own are 0700, a file is 0600, also when it is rewritten."""
    made = folder.make("run-1")
    for text in ("a longer text than the next", "text: ü"):
        folder.keep("run-1", "plan.yaml", text)
        assert (made / "plan.yaml").read_text(encoding="utf-8") == text
        assert mode(made / "plan.yaml") == 0o600
    assert [mode(each) for each in (folder.path, folder.path / "runs", made)] == [0o700] * 3
    assert folder.make("run-1") == made


def test_what_cannot_be_made_or_written_is_a_sentence(folder):
    """A file in the folder's place, and a folder in the file's, are named with the mend."""
    folder.make("run-1")
    (folder.path / "runs" / "run-2").write_text("")
    with pytest.raises(LedgerError, match=r"run-2 cannot be made: File exists; give another --state-dir"):
        folder.make("run-2")
    (folder.run_folder("run-1") / "plan.yaml").mkdir()
    with pytest.raises(LedgerError, match=r"plan\.yaml cannot be written: Is a directory; give another --state-dir"):
        folder.keep("run-1", "plan.yaml", "")
