"""Config: a file, the environment over it, and secrets by reference."""

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from runner import config
from runner.config import Account, LogSettings, MetricsSettings, SecretRef, Settings, TracingSettings
from runner.errors import InputError
from runner.policy import AUTO, Guards, Rate, RetryPolicy

EXAMPLE = Path(__file__).parent.parent / "config.example.yaml"
UNPOD = "accounts:\n  unpod-main: {provider: unpod, token: '${TOKEN}', org_handle: acme}\n"


@pytest.fixture
def write(tmp_path):
    """A function that writes a config and returns its path."""

    def put(text, name="config.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return put


def refused(call, *args):
    """The problems that ``call`` raises."""
    with pytest.raises(InputError) as caught:
        call(*args)
    return [str(problem) for problem in caught.value.problems]


def test_without_anything_there_are_defaults():
    """No file and no overrides give the documented defaults."""
    assert config.load(None, {}) == Settings()
    assert Settings() == Settings({}, RetryPolicy(6, 0.5, 30.0, 900.0), Guards(), LogSettings(), "sqlite", None, ())
    assert Account(name="a", provider="unpod", base_url="https://x").rate == Rate(10)


def test_the_example_shows_every_setting_with_its_default():
    """The example loads without a warning, names every key, and what it sets are the defaults."""
    settings = config.load(EXAMPLE, {})
    assert settings.warnings == ()
    assert (settings.retry, settings.guards, settings.log) == (RetryPolicy(), Guards(), LogSettings())
    assert (settings.metrics, settings.tracing) == (MetricsSettings(), TracingSettings())
    for account in settings.accounts.values():
        assert account.base_url == config.PROVIDERS[account.provider].base_url
        assert (account.rate, account.concurrency, account.timeout) == (Rate(10), 16, 30.0)
    text = EXAMPLE.read_text()
    schema = config.json_schema()
    for model in (schema, *schema["$defs"].values()):
        for name in model["properties"]:
            assert re.search(rf"^(# )? *(# |- )? *{name}:|`{name}: ", text, re.MULTILINE), name


def test_the_schema_accepts_the_example():
    """The JSON Schema is valid, takes the example, and refuses unknown keys and blank values."""
    schema = config.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    example = yaml.safe_load(EXAMPLE.read_text())
    assert list(validator.iter_errors(example)) == []
    assert not validator.is_valid(example | {"colour": "red"})
    assert not validator.is_valid(example | {"ledger": None})


def test_a_file_is_read(write):
    """Settings of the file arrive with their units."""
    path = write(
        UNPOD.replace("acme", "acme, rate: 300/min, concurrency: 2, timeout: 1m, base_url: http://127.0.0.1:8/x/")
        + "retry: {max_attempts: 3, base_delay: 10ms, max_delay: 2, max_throttle_wait: 0}\n"
        + "guards: {batches: [1, 50%], on_drift: skip}\nlog: {file: false, numbers: masked}\n"
    )
    settings = config.load(path, {})
    account = settings.accounts["unpod-main"]
    assert settings.path == path
    assert account.rate.per_second == 5
    assert (account.concurrency, account.timeout, account.base_url) == (2, 60.0, "http://127.0.0.1:8/x")
    assert account.place == f"{path}:2:3"
    assert settings.retry == RetryPolicy(3, 0.01, 2.0, 0.0)
    assert settings.guards.on_drift == "skip"
    assert settings.guards.ramp(10) == [1, 5, 4]
    assert settings.log == LogSettings(file=False, numbers="masked")


@pytest.mark.parametrize(
    "url", ["https://a.b", "https://a.b:8443/base", "http://localhost:1", "http://127.0.0.9", "http://[::1]:8080/x"]
)
def test_addresses_that_are_safe(write, url):
    """Encrypted addresses go anywhere, http stays on this machine."""
    settings = config.load(write(UNPOD.replace("acme", f"acme, base_url: '{url}/'")), {})
    assert settings.accounts["unpod-main"].base_url == url


def test_the_environment_overrides_the_file(write):
    """An override wins whatever the case and the dashes of the account, and leaves the rest alone."""
    path = write(UNPOD + "  other_one: {provider: videosdk, token: '${T}'}\nretry: {base_delay: 2s}\n")
    settings = config.load(
        path,
        {
            "TEARDOWN_RETRY__MAX_ATTEMPTS": "3",
            "TEARDOWN_ACCOUNTS__UNPOD_MAIN__RATE": " 5/s ",
            "TEARDOWN_ACCOUNTS__OTHER_ONE__CONCURRENCY": "7",
            "TEARDOWN_LOG__NUMBERS": "masked",
            "TEARDOWN_GUARDS__MAX_NUMBERS": "9",
            "TEARDOWN_GUARDS__PROTECT": "+14155550100, +44*",
            "TEARDOWN_LEDGER": "sqlite",
        },
    )
    assert settings.retry == RetryPolicy(max_attempts=3, base_delay=2.0)
    assert settings.accounts["unpod-main"].rate == Rate(5)
    assert settings.accounts["unpod-main"].org_handle == "acme"
    assert settings.accounts["other_one"].concurrency == 7
    assert settings.log.numbers == "masked"
    assert settings.guards == Guards(max_numbers=9, protect=("+14155550100", "+44*"))


def test_a_rate_may_be_left_to_be_found(write):
    """``rate: auto`` with a bound, and a fixed rate up to the same bound; the environment knows the word too."""
    path = write(UNPOD.replace("acme", "acme, rate: auto, max_rate: 300/min") + "  b: {provider: videosdk, token: t}\n")
    settings = config.load(path, {"TEARDOWN_ACCOUNTS__B__RATE": "auto"})
    account, other = settings.accounts.values()
    assert (account.rate, account.max_rate) == (AUTO, Rate(300, 60))
    assert (other.rate, other.max_rate) == (AUTO, None)
    overridden = config.load(path, {"TEARDOWN_ACCOUNTS__UNPOD_MAIN__RATE": "5/s"})
    assert overridden.accounts["unpod-main"].rate == Rate(5)


def test_an_account_can_come_from_the_environment_alone():
    """Without a file, overrides make an account, and a secret there is no secret in a file."""
    settings = config.load(
        None,
        {
            "TEARDOWN_ACCOUNTS__VIDEO_MAIN__PROVIDER": "videosdk",
            "TEARDOWN_ACCOUNTS__VIDEO_MAIN__TOKEN": "abc",
        },
    )
    assert settings.accounts["video-main"].credentials({}).token == "abc"
    assert settings.warnings == ()


def test_an_override_does_not_leak_through_an_alias(write):
    """Accounts that share a mapping by alias are overridden one by one."""
    path = write("accounts:\n  a: &a {provider: videosdk, token: '${T}'}\n  b: *a\n")
    settings = config.load(path, {"TEARDOWN_ACCOUNTS__B__RATE": "1/s"})
    assert [account.rate for account in settings.accounts.values()] == [Rate(10), Rate(1)]


@pytest.mark.parametrize(
    "variable", ["TEARDOWN_SERVICE_HOST", "TEARDOWN_PORT_8080_TCP", "TEARDOWN_CONFIG", "TEARDOWN_STATE_DIR", "RETRY__X"]
)
def test_other_variables_are_left_alone(variable):
    """Only settings are overrides."""
    assert config.load(None, {variable: "x"}) == Settings()


def test_secrets_are_resolved_when_asked(write, tmp_path):
    """A token comes from the environment, or from a file beside the config, without the blanks around it."""
    (tmp_path / "secret").write_text("\ufeff s3cret\n")
    path = write(UNPOD + "  v: {provider: videosdk, api_key: '${KEY}', secret: 'file:secret'}\n")
    accounts = config.load(path, {}).accounts
    assert accounts["unpod-main"].credentials({"TOKEN": "t0ken"}).token == "t0ken"
    found = accounts["v"].credentials({"KEY": "k"})
    assert (found.token, found.api_key, found.secret) == (None, "k", "s3cret")


def test_secrets_never_show(write):
    """Neither references nor credentials show a secret, and a literal one is warned of at its place."""
    path = write(UNPOD.replace("${TOKEN}", "hunter2"))
    settings = config.load(path, {})
    account = settings.accounts["unpod-main"]
    credentials = account.credentials({})
    assert credentials.token == "hunter2"
    assert "hunter2" not in f"{settings!r} {account!r} {credentials!r} {SecretRef.literal('hunter2')!r}"
    assert [str(warning) for warning in settings.warnings] == [
        f"{path}:2:40: `token` stands here in the clear; write ${{NAME}} or file:/path instead"
    ]


@pytest.mark.parametrize(
    ("token", "environ", "mend"),
    [
        ("${TOKEN}", {}, "the environment variable TOKEN is not set or blank; put the secret there"),
        ("${TOKEN}", {"TOKEN": " "}, "the environment variable TOKEN is not set or blank; put the secret there"),
        (
            "${TOKEN}",
            {"TOKEN": "a\nb"},
            "holds a blank, a line break or more than ASCII; give the bare secret",
        ),
        (
            "${TOKEN}",
            {"TOKEN": "“a”"},
            "holds a blank, a line break or more than ASCII; give the bare secret",
        ),
        ("file:none", {}, "none does not exist; check the path"),
        ("file:empty", {}, "empty is empty; put the secret there"),
        ("file:lines", {}, "holds a blank, a line break or more than ASCII; give the bare secret"),
    ],
)
def test_secrets_that_cannot_be_had_are_located(write, tmp_path, token, environ, mend):
    """A secret that is missing or unusable is a problem of the account that asks for it, at its place."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "lines").write_text("a\nb\n")
    path = write(UNPOD.replace("${TOKEN}", token))
    account = config.load(path, {}).accounts["unpod-main"]
    [problem] = refused(account.credentials, environ)
    assert problem.startswith(f"{path}:2:40: ")
    assert problem.endswith(mend)


@pytest.mark.parametrize("where", ["token: ", "api_key: k, secret: ", "token: t}\nnotify: [{urls: ["])
def test_a_secret_that_is_no_line_is_not_repeated(write, where):
    """The problem with a pasted secret names its place, and not what it is."""
    close = "]}]" if "[" in where else "}"
    path = write("accounts:\n  v: {provider: videosdk, " + where + '"hunter2\\n"' + close + "\n")
    problems = refused(config.load, path, {})
    assert any(each.endswith("is empty or holds control characters; write one line of text") for each in problems)
    assert "hunter2" not in "".join(problems)


def test_references_work_outside_secrets_too(write):
    """Handles and addresses may name variables; an unset one matters only to runs that use the account."""
    path = write(UNPOD.replace("acme", "'${ORG}', product_id: 'p-${ORG}', base_url: 'https://${HOST}/x'"))
    account = config.load(path, {"ORG": "acme", "HOST": "api.example"}).accounts["unpod-main"]
    assert (account.org_handle, account.product_id, account.base_url) == ("acme", "p-acme", "https://api.example/x")
    unset = config.load(path, {"ORG": "acme"}).accounts["unpod-main"]
    assert refused(unset.credentials, {"TOKEN": "t"}) == [
        f"{path}:2:108: the environment variable HOST is not set or blank; `base_url` needs it"
    ]


def test_every_missing_reference_of_an_account_is_named(write):
    """An account with two secrets that cannot be had has two problems."""
    path = write("accounts:\n  v: {provider: videosdk, api_key: '${A}', secret: '${B}'}\n")
    assert len(refused(config.load(path, {}).accounts["v"].credentials, {})) == 2


def test_the_config_is_found_in_order(tmp_path, monkeypatch):
    """The option comes first, then the variable, the current folder, the user's folder, and then there is none."""
    here, home = tmp_path / "here", tmp_path / "home"
    (home / "teardown").mkdir(parents=True)
    here.mkdir()
    monkeypatch.chdir(here)
    environ = {"XDG_CONFIG_HOME": str(home)}
    named = tmp_path / "named.yaml"
    named.write_text("{}")
    assert config.find(None, environ) is None
    (home / "teardown" / "config.yaml").write_text("{}")
    assert config.find(None, environ) == home / "teardown" / "config.yaml"
    (here / "config.yaml").write_text("{}")
    assert config.find(None, environ) == Path("config.yaml")
    assert config.find(None, environ | {"TEARDOWN_CONFIG": str(named)}) == named
    assert config.find("config.yaml", environ | {"TEARDOWN_CONFIG": str(named)}) == Path("config.yaml")


def test_the_user_s_folder_is_the_platform_s_by_default(tmp_path, monkeypatch):
    """Without an absolute XDG_CONFIG_HOME the platform says where configs are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "teardown").mkdir()
    (tmp_path / "teardown" / "config.yaml").write_text("{}")
    assert config.find(None, {}) == tmp_path / "teardown" / "config.yaml"


def test_a_config_that_was_asked_for_must_be_there(tmp_path):
    """A missing file or a blank variable is an error, never "no config"."""
    none = str(tmp_path / "none")
    assert refused(config.find, none, {}) == [f"--config: {none} does not exist; name a config file that does"]
    assert refused(config.find, None, {"TEARDOWN_CONFIG": none}) == [
        f"environment variable TEARDOWN_CONFIG: {none} does not exist; name a config file that does"
    ]
    assert refused(config.find, None, {"TEARDOWN_CONFIG": " "}) == [
        "environment variable TEARDOWN_CONFIG: is blank; name a config file, or leave it out"
    ]
