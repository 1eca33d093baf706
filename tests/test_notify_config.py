"""``notify`` and ``hooks`` of a config: what is read, and what is refused at its place."""

import re
from pathlib import Path

import pytest

from runner import config
from runner.config import Hook, Hooks, Recipient
from runner.errors import InputError

ROOT = Path(__file__).parents[1]


def load(tmp_path, text, environ=None):
    """Read a config."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return config.load(path, environ or {})


def refused(tmp_path, text, environ=None):
    """What is wrong with a config, without its folder."""
    with pytest.raises(InputError) as caught:
        load(tmp_path, text, environ)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def test_recipients_are_read(tmp_path):
    """What is set arrives, addresses stay references, and the rest has its documented default."""
    text = 'notify:\n  - urls: ["${A}", "file:b"]\n'
    text += '  - {urls: ["${C}"], events: [guard], template: "{{ plan }}", attach: md, dry_run: true, timeout: 2s}\n'
    first, second = load(tmp_path, text).notify
    assert [(ref.kind, ref.value) for ref in first.urls] == [("env", "A"), ("file", str(tmp_path / "b"))]
    assert first == Recipient(first.urls, frozenset({"finish", "guard"}), None, "none", dry_run=False, timeout=10.0)
    assert second == Recipient(second.urls, frozenset({"guard"}), "{{ plan }}", "md", dry_run=True, timeout=2.0)


def test_an_address_in_the_clear_is_warned_of(tmp_path):
    """Such an address may hold a secret; the warning has the place, and shows nothing of it."""
    (warning,) = load(tmp_path, "notify:\n  - urls: [slack://s3cret]\n").warnings
    assert str(warning).endswith(
        "config.yaml:2:12: an address stands here in the clear, and it may hold a secret; write ${NAME} or file:/path"
    )
    assert "s3cret" not in repr(load(tmp_path, "notify:\n  - urls: [slack://s3cret]\n"))


def test_hooks_are_read(tmp_path):
    """As a list or as a line; a relative path to a program starts at the config, unless a variable gave it."""
    text = "hooks:\n  start: [./begin, --on]\n  failure: page 'on call'\n  timeout: 5s\n  required: true\n"
    hooks = load(tmp_path, text, {"TEARDOWN_HOOKS__FINISH": "bin/end now"}).hooks
    place = str(tmp_path / "config.yaml")
    assert hooks.commands == {
        "start": Hook((f"{tmp_path}/begin", "--on"), f"{place}:2:10"),
        "failure": Hook(("page", "on call"), f"{place}:3:12"),
        "finish": Hook(("bin/end", "now"), "environment variable TEARDOWN_HOOKS__FINISH"),
    }
    assert (hooks.timeout, hooks.required, hooks.dry_run) == (5.0, True, False)
    assert load(tmp_path, "ledger: sqlite").hooks == Hooks({}, timeout=60.0, required=False, dry_run=False)


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ("hello", "3:5: an item of `notify` must be a mapping of `key: value`"),
        ("{events: [finish]}", "3:6: an item of `notify` lacks `urls`; add it"),
        ("{urls: []}", "3:12: `urls` is an empty list; list at least one, or take the key out"),
        ("{urls: $A}", "3:12: `urls` must be a list, like [a, b]"),
        ('{urls: ["$A"]}', "3:13: an item of `urls` is neither a secret nor a reference; write ${NAME} or file:/path"),
        (
            '{urls: ["file:~nobody-here/x"]}',
            "3:13: an item of `urls` begins with an unknown home folder; write the path",
        ),
        ("{urls: [a], event: [finish]}", "3:17: an item of `notify` has no key 'event'; did you mean `events`?"),
        ("{urls: [a], events: [end]}", "3:26: an item of `events`: 'end' is not one of finish, failure, guard"),
        ("{urls: [a], attach: pdf}", "3:25: `attach`: 'pdf' is not one of none, html, json, md; write one of them"),
        ("{urls: [a], timeout: 0}", "3:26: `timeout` must be above 0"),
        ("{urls: [a], template: }", "3:27: `template` is blank; give it a value, or take the key out"),
        ("{urls: [a], template: '{{ a'}", "3:27: `template` cannot be understood, in its line 1: "),
        (
            "{urls: [a], template: '{{ verdikt }}'}",
            "3:27: `template` uses what is not there ('verdikt' is undefined); ",
        ),
        ("{urls: [a], template: '{{ 1 / 0 }}'}", "3:27: `template` cannot be rendered (ZeroDivisionError: "),
        ("{urls: [a], template: '{# #}'}", "3:27: `template` comes to an empty text; write one, or take the key out"),
        ("{urls: [a], template: '{{ ().__class__.__mro__ }}'}", "3:27: `template` cannot be rendered (SecurityError: "),
    ],
)
def test_recipients_that_cannot_be(tmp_path, item, sentence):
    """Each is refused in one sentence at its place."""
    (problem,) = refused(tmp_path, f"notify:\n  - urls: ['${{A}}']\n  - {item}\n")
    assert problem.startswith(f"config.yaml:{sentence}")


@pytest.mark.parametrize(
    ("hooks", "sentence"),
    [
        ("[a]", "1:8: `hooks` must be a mapping of `key: value`"),
        ("{strat: a}", "1:9: `hooks` has no key 'strat'; did you mean `start`?"),
        ('{start: "a \'b"}', '1:16: `start`: "a \'b" ends inside a quote or after a backslash; complete it'),
        ("{start: []}", "1:16: `start`: this is not a command; write one line, or a list like [program, argument]"),
        ("{start: ' '}", "1:16: `start`: this is not a command; "),
        ("{start: [a, [b]]}", "1:16: `start`: this is not a command; "),
        ("{start: }", "1:16: `start` is blank; give it a value, or take the key out"),
        ("{start: a, required: yes}", "1:29: `required`: write true or false"),
        ("{finish: a, required: true}", "1:30: `required` is about `start`, which is not there; add it"),
        ("{finish: ~nobody-here/x}", "1:17: '~nobody-here/x' begins with an unknown home folder; write the path out"),
        ("{finish: a, timeout: soon}", "1:29: `timeout`: 'soon' is not a duration"),
    ],
)
def test_hooks_that_cannot_be(tmp_path, hooks, sentence):
    """Each is refused in one sentence at its place."""
    (problem,) = refused(tmp_path, f"hooks: {hooks}\n")
    assert problem.startswith(f"config.yaml:{sentence}")


def test_a_list_that_is_none(tmp_path):
    """`notify` is a list, in the file as in the environment."""
    assert refused(tmp_path, "notify: {urls: [a]}\n") == [
        "config.yaml:1:9: `notify` must be a list, and each of its items a mapping with `urls`"
    ]
    (problem,) = refused(tmp_path, "ledger: sqlite", {"TEARDOWN_NOTIFY__0__URLS": "a"})
    assert problem.startswith(
        "environment variable TEARDOWN_NOTIFY__0__URLS: no variable can change the list `notify`;"
    )


def test_the_variables_of_a_hook_are_no_settings(tmp_path):
    """A hook that starts teardown hands its own variables on, and none of them overrides a setting."""
    told = ("HOOK", "RUN_ID", "PLAN", "STATUS", "EXIT_CODE", "REPORT", "MESSAGE", "DETACHED", "RUN_DIR", "TO_DETACH")
    assert load(tmp_path, "ledger: sqlite", {f"TEARDOWN_{name}": "x" for name in told}).hooks == Hooks()


def test_the_example_shows_recipients_and_hooks(tmp_path):
    """What is commented out there loads, with the documented defaults."""
    text = (ROOT / "config.example.yaml").read_text("utf-8")
    part = text[text.index("# notify:") :].split("\n\n")
    recipients, hooks = "\n".join(line.removeprefix("# ") for line in part[0].splitlines()), part[1]
    settings = load(tmp_path, f"{recipients}\n{re.sub(r'^  # ', '  ', hooks, flags=re.MULTILINE)}\n")
    assert settings.warnings == ()
    (recipient,) = settings.notify
    assert recipient == Recipient(recipient.urls, template=recipient.template)
    assert sorted(settings.hooks.commands) == ["failure", "finish", "start"]
    assert settings.hooks == Hooks(settings.hooks.commands)
