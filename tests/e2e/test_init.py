"""``teardown init``: what it asks, what it writes, and what it will not do."""

import json
import re

import jsonschema
import pytest
import yaml
from bench import ONE, TWO, call, private
from terminal import Terminal

from runner.drafting import Draft

UNPOD = ["--provider", "unpod", "--set", "org_handle=acme", "--target", "sales", "--number", ONE]


def written(folder):
    """Give the config and the plan that were written, as data."""
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    return config, yaml.load((folder / "plans" / "first.yaml").read_text(encoding="utf-8"), yaml.BaseLoader)  # noqa: S506 - it makes nothing but text


@pytest.fixture
def folder(tmp_path):
    """The working folder, without a config."""
    return tmp_path


def test_options_alone_write_files_that_validate_and_run(folder):
    """No terminal is needed; what no option says is as the provider has it."""
    said = call("init", *UNPOD, "--number", TWO, "--number", ONE, "--yes")
    assert (said.code, said.err) == (0, "")
    config, plan = written(folder)
    account = {"provider": "unpod", "token": "${UNPOD_TOKEN}", "org_handle": "acme", "rate": "10/s"}
    assert config == {"accounts": {"unpod-main": account}}
    assert plan["guards"] == {"max_numbers": "2"}
    assert plan["teardown"] == [{"account": "unpod-main", "bridge": "sales", "numbers": [ONE, TWO]}]
    assert call("validate", "plans/first.yaml").code == 0
    assert call("run", "plans/first.yaml", "--sandbox", "--yes", "--quiet", "--state-dir", "state").code == 0


def test_the_config_is_private_from_the_start(folder):
    """It says where secrets are."""
    call("init", *UNPOD, "--yes")
    assert private(folder / "config.yaml") == 0o600


def test_it_says_what_to_do_next(folder, monkeypatch):
    """Each command can be typed as it stands; a variable that is set need not be."""
    said = call("init", *UNPOD, "--yes", "--folder", "my files")
    assert "export UNPOD_TOKEN=…" in said.out
    next_one = re.search(r"teardown (run .* --sandbox --yes)", said.out)[1].replace("'", "")
    words = next_one.replace("my files", "my\0files").split()
    assert call(*(word.replace("\0", " ") for word in words), "--quiet", "--state-dir", "state").code == 0
    monkeypatch.setenv("UNPOD_TOKEN", "x")
    assert "export" not in call("init", *UNPOD, "--yes", "--folder", "other").out


def test_editors_find_the_schemas_that_the_files_name(folder):
    """The first line of each file leads to a schema that it fits."""
    call("init", *UNPOD, "--yes")
    for path in (folder / "config.yaml", folder / "plans" / "first.yaml"):
        text = path.read_text(encoding="utf-8")
        schema = json.loads((path.parent / re.match(r".*schema=(\S+)", text)[1]).read_text(encoding="utf-8"))
        jsonschema.validate(yaml.safe_load(text), schema)


def test_nothing_is_overwritten_unasked(folder):
    """A config that is there stays as it is, and so does a plan."""
    (folder / "config.yaml").write_text("mine", encoding="utf-8")
    said = call("init", *UNPOD, "--yes")
    assert (said.code, "--overwrite" in said.err) == (2, True)
    assert (folder / "config.yaml").read_text(encoding="utf-8") == "mine"
    assert not (folder / "plans").exists()
    assert call("init", *UNPOD, "--yes", "--overwrite").code == 0
    assert (private(folder / "config.yaml"), len(written(folder)[0])) == (0o600, 1)


def test_without_a_terminal_nothing_is_asked(folder):
    """Then --yes is needed, and every key that has no default."""
    said = call("init", *UNPOD)
    assert (said.code, said.err) == (2, "error: nothing was written: without a terminal to ask on, init needs --yes\n")
    said = call("init", "--provider", "unpod", "--yes")
    assert (said.code, said.err) == (2, "error: unpod also needs --set org_handle=…, --target, --number\n")
    assert "--provider must be one of unpod, videosdk" in call("init", "--yes").err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--set", "token=eyJhbGciOi.JIUzI1NiJ9"], "--set token: name the environment variable"),
        (["--set", "token=0A1B2C3D4E5F60718293A4B5"], "--set token: name the environment variable"),
        (["--set", "rate=fast"], "is not a rate"),
        (["--set", "colour=red"], "has no key 'colour'"),
        (["--set", "secret"], "--set takes KEY=VALUE"),
        (["--number", "(415) 555-0100"], "did you mean +14155550100?"),
        (["--account", "two words"], "a name that options cannot hold"),
        (["--folder", "config.yaml"], "is a file"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(options, words, folder):
    """Nothing is written, and a secret that was typed is not shown again."""
    (folder / "config.yaml").write_text("mine", encoding="utf-8")
    said = call("init", *UNPOD, "--yes", "--folder", "new", *options)
    assert said.code == 2
    assert words in said.err
    assert not re.search("eyJ|0A1B", said.err)
    assert not (folder / "new").exists()


def test_keys_choose_the_credentials(folder):
    """Where a provider takes one of several sets, a key that is given says which."""
    options = ["--set", "secret=file:/run/secrets/videosdk", "--set", "rate=300/min", "--account", "sip"]
    assert call("init", "--provider", "videosdk", *options, "--number", ONE, "--yes").code == 0
    config, plan = written(folder)
    assert config["accounts"]["sip"] == {
        "provider": "videosdk",
        "api_key": "${VIDEOSDK_API_KEY}",
        "secret": "file:/run/secrets/videosdk",
        "rate": "300/min",
    }
    assert plan["teardown"] == [{"account": "sip", "numbers": [ONE]}]


@pytest.mark.parametrize("provider", ["unpod", "videosdk"])
def test_the_sample_of_every_provider_is_good(provider):
    """Each answer is judged beside it, so that it may have no fault of its own."""
    assert Draft.sample(provider).complaint() is None


def test_a_person_is_asked_until_the_answer_can_be_used(folder):
    """Each question repeats with a sentence, a secret typed by mistake is not kept, and blank takes the default."""
    with Terminal("init") as terminal:
        for question, *answers in (
            ("Provider:", "unpot", "unpod"),
            ("What plans call the account [unpod-main]:", ""),
            ("variable that holds the token [UNPOD_TOKEN]:", "eyJhbGciOi.JIUzI1NiJ9", "ACME_TOKEN"),
            ("org_handle: The organisation's handle (unpod):", "acme"),
            ("[10/s]:", "fast", "5/s"),
            ("Bridge of the first plan:", "sales bridge", "sales"),
            ("Its numbers", "(415) 555-0101", f"{ONE}, {TWO} {ONE}"),
        ):
            for answer in answers:
                terminal.expect(question)
                terminal.text = ""
                terminal.type(f"{answer}\n")
        assert terminal.finish() == 0
    config, plan = written(folder)
    assert config["accounts"]["unpod-main"] == {
        "provider": "unpod",
        "token": "${ACME_TOKEN}",
        "org_handle": "acme",
        "rate": "5/s",
    }
    assert plan["teardown"] == [{"account": "unpod-main", "bridge": "sales", "numbers": [ONE, TWO]}]
    assert call("validate", "plans/first.yaml").code == 0


def test_a_person_who_says_no_keeps_their_files(folder):
    """The first question is whether they may go, before any other is asked."""
    (folder / "config.yaml").write_text("mine", encoding="utf-8")
    with Terminal("init") as terminal:
        terminal.expect("Write over config.yaml? [y/N]:")
        terminal.type("n\n")
        assert terminal.finish() == 2
    assert (folder / "config.yaml").read_text(encoding="utf-8") == "mine"
