"""The global options: where config and state come from, how the log looks, and what is said at all."""

import json
import os

import pytest
from bench import call, environment


def test_config_is_found_in_order(bench, monkeypatch, tmp_path_factory):
    """--config, else $TEARDOWN_CONFIG, else ./config.yaml, else the XDG folder."""
    plan, _ = bench.sales(1)
    text = (bench.folder / "config.yaml").read_text()
    other = tmp_path_factory.mktemp("elsewhere")
    broken = other / "broken.yaml"
    broken.write_text("accounts: nonsense\n")
    good = other / "good.yaml"
    good.write_text(text)
    monkeypatch.setenv("TEARDOWN_CONFIG", str(broken))
    assert call("check", plan).code == 2
    assert call("check", plan, "--config", good).code == 0
    monkeypatch.delenv("TEARDOWN_CONFIG")
    assert call("check", plan).code == 0
    (bench.folder / "config.yaml").unlink()
    assert call("check", plan).code == 2
    (other / "teardown").mkdir()
    (other / "teardown" / "config.yaml").write_text(text)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(other))
    assert call("check", plan).code == 0


@pytest.mark.parametrize(
    ("option", "variable"), [("--config", "TEARDOWN_CONFIG"), ("--state-dir", "TEARDOWN_STATE_DIR")]
)
def test_blank_places_are_errors(bench, monkeypatch, option, variable):
    """A blank path, as an unset variable in a script leaves it, is refused by name and never guessed."""
    plan, _ = bench.sales(1)
    said = call("check", plan, option, "")
    assert (said.code, option in said.err) == (2, True)
    monkeypatch.setenv(variable, " ")
    said = call("check", plan)
    assert (said.code, variable in said.err) == (2, True)
    assert list(bench.record) == []


UNUSABLE = "x" * 300
"""No file system takes such a name."""


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["status", "--state-dir", UNUSABLE], "cannot be read: File name too long; give another --state-dir"),
        (["resume", "--state-dir", UNUSABLE], "cannot be read: File name too long; give another --state-dir"),
        (["status", "--state-dir", __file__], "cannot be read: Not a directory; give another --state-dir"),
        (["check", "plan", "--config", UNUSABLE], "--config: xxx"),
        (["check", "plan", "--config", "~nobody-of-this-name/x"], "begins with an unknown home folder"),
        (["check", "plan", "--report", f"{UNUSABLE}.md"], "cannot be reached (File name too long); name another file"),
        (["check", "plan", "--out", UNUSABLE], "cannot be reached (File name too long); name another file"),
        (["discover", "unpod-main", "-o", UNUSABLE], "cannot be reached (File name too long); name another file"),
        (["init", "--yes", "--provider", "unpod", "--folder", UNUSABLE], "(File name too long); give another --folder"),
    ],
    ids=lambda value: "-".join(value)[:40] if isinstance(value, list) else "",
)
def test_a_place_that_cannot_be_is_no_bug(bench, words, sentence):
    """What the system says of a path becomes one sentence with the mend, before anything is asked of a provider."""
    plan, _ = bench.sales(1)
    said = call(*(plan if word == "plan" else word for word in words))
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert sentence in said.err
    assert list(bench.record) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to the superuser")
def test_a_folder_that_is_closed_to_the_user_is_no_bug(bench, monkeypatch):
    """One that is named is refused in a sentence; one where a config is only looked for has none."""
    plan, _ = bench.sales(1)
    closed = bench.folder / "closed"
    closed.mkdir(mode=0o000)
    for words in (("status", "--state-dir", closed / "x"), ("discover", "unpod-main", "--config", closed / "x")):
        said = call(*words)
        assert (said.code, "Permission denied" in said.err) == (2, True)
    (bench.folder / "config.yaml").unlink()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(closed))
    assert call("check", plan, "--sandbox").code == 0


def test_state_is_found_in_order(bench, monkeypatch, tmp_path_factory):
    """--state-dir, else $TEARDOWN_STATE_DIR, else the XDG folder."""
    plan, _ = bench.sales(1)
    option, xdg = tmp_path_factory.mktemp("option"), tmp_path_factory.mktemp("xdg")
    assert call("check", plan, "--state-dir", option).code == 0
    assert (option / "ledger.db").exists()
    assert not bench.state.exists()
    assert call("check", plan).code == 0
    assert (bench.state / "ledger.db").exists()
    monkeypatch.delenv("TEARDOWN_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(xdg))
    assert call("check", plan).code == 0
    assert (xdg / "teardown" / "ledger.db").exists()


def test_options_stand_before_or_after_the_command(bench, tmp_path_factory):
    """Both places mean the same."""
    plan, _ = bench.sales(1)
    folder = tmp_path_factory.mktemp("state")
    assert call("--state-dir", folder, "-q", "check", plan).err == ""
    assert call("status", "--state-dir", folder).out.count("\n") == 1


def test_environment_overrides_the_config(bench, monkeypatch):
    """TEARDOWN_… variables win over the file; one that is no setting is refused by name."""
    plan, _ = bench.sales(2)
    monkeypatch.setenv("TEARDOWN_ACCOUNTS__UNPOD_MAIN__RATE", "7/s")
    monkeypatch.setenv("TEARDOWN_GUARDS__MAX_NUMBERS", "1")
    said = bench.check(plan)
    assert (said.code, said.report["lanes"][0]["rate"]) == (3, 7.0)
    monkeypatch.setenv("TEARDOWN_RETRY__MAX_ATEMPTS", "3")
    said = call("check", plan)
    assert said.code == 2
    assert "TEARDOWN_RETRY__MAX_ATEMPTS" in said.err


def test_log_format_json(bench):
    """With --log-format json what the log shows on stderr is one JSON object a line."""
    plan, listed = bench.sales(2)
    bench.faults.script(listed[0], ["lost_before"])
    said = call("run", plan, "--yes", "--log-format", "json", "--log-level", "debug", "--no-progress")
    events = [json.loads(line) for line in said.err.splitlines() if line.startswith("{")]
    assert {"run.started", "number.attempt", "number.finished", "run.finished"} <= {each["event"] for each in events}


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], set()),
        (["-v"], {"run.started", "number.finished"}),
        (["-vv"], {"run.started", "number.finished", "number.attempt"}),
        (["--log-level", "debug"], {"run.started", "number.finished", "number.attempt"}),
        (["--log-level", "error"], set()),
    ],
)
def test_log_level(bench, options, shown):
    """How much of the log the console shows; by default warnings only."""
    plan, listed = bench.sales(1)
    bench.faults.script(listed[0], ["http_500_before"])
    err = call("run", plan, "--yes", *options).err
    assert {event for event in ("run.started", "number.finished", "number.attempt") if event in err} == shown


def test_quiet(bench):
    """-q: nothing on stderr unless something is wrong."""
    plan, _ = bench.sales(2)
    assert call("run", plan, "--yes", "-q").err == ""
    assert call("run", "missing.yaml", "--yes", "-q").err != ""


def test_no_colour_off_a_terminal(bench, monkeypatch):
    """Without a terminal there are no escape codes, with or without NO_COLOR."""
    plan, _ = bench.sales(1)
    for _ in range(2):
        said = call("run", plan, "--yes")
        assert "\x1b" not in said.err + said.out
        monkeypatch.setenv("NO_COLOR", "1")


def test_version_and_help():
    """--version names the program and its version; -h and --help are the same; no argument shows help."""
    assert call("--version").out.split()[0] == "teardown"
    assert call("-h") == call("--help")
    assert "Usage: teardown" in call("--help").out


def test_wrong_options():
    """An option that does not exist is exit 2, with the one that was meant."""
    said = call("check", "plan.yaml", "--deadlin", "2h")
    assert (said.code, said.out) == (2, "")
    assert "--deadlin" in said.err
    assert call("--log-format", "xml", "providers").code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(bench, shell):
    """Each shell gets its script, and the commands and options are offered."""
    script = bench.process(env=environment(_TEARDOWN_COMPLETE=f"{shell}_source"))
    assert (script.code, "_TEARDOWN_COMPLETE" in script.out) == (0, True)


def test_completion_offers_commands(bench):
    """``teardown re<TAB>`` offers resume and report."""
    asked = environment(_TEARDOWN_COMPLETE="bash_complete", COMP_WORDS="teardown re", COMP_CWORD="1")
    said = bench.process(env=asked)
    assert {line.rpartition(",")[2] for line in said.out.split()} >= {"resume", "report"}
