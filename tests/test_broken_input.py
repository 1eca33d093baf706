"""What a user can get wrong: every broken plan and config is refused at its place, with the mend."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner import config, plan
from runner.config import Settings
from runner.errors import InputError
from runner.plan import Plan

ACCOUNTS = {"unpod-main": "unpod", "unpod-two": "unpod", "videosdk-main": "videosdk"}
HEAD = "version: 1\nname: x\n"
GROUP = "teardown:\n  - account: unpod-main\n    bridge: b\n    numbers: [+14155550101]\n"
GOOD = HEAD + GROUP


def group(text):
    """A plan with one group; ``text`` begins on line 4, column 5."""
    return HEAD + "teardown:\n  - " + text


PLANS = {
    # the whole
    "empty": ("", "1:1", "write it as the README shows"),
    "list": ("- a\n", "1:1", "begins with `version: 1`"),
    "text": ("hello\n", "1:1", "begins with `version: 1`"),
    "no version": ("name: x\n" + GROUP, "1:1", "the plan lacks `version`; add it"),
    "other version": ("version: 2\nname: x\n" + GROUP, "1:10", "write `version: 1`"),
    "no name": ("version: 1\n" + GROUP, "1:1", "the plan lacks `name`; add it"),
    "blank name": ("version: 1\nname:\n" + GROUP, "2:6", "`name` is blank; give it a value"),
    "empty name": ("version: 1\nname: ''\n" + GROUP, "2:7", "write one line of text"),
    "name with escape": ('version: 1\nname: "a\\e[31m"\n' + GROUP, "2:7", "write one line of text"),
    "name as list": ("version: 1\nname: [x]\n" + GROUP, "2:7", "must be text"),
    "unknown key": (GOOD + "guard: {}\n", "7:1", "has no key 'guard'; did you mean `guards`?"),
    "unlike any key": (GOOD + "zzz: 1\n", "7:1", "known here: description, guards, metadata"),
    "duplicate key": (GOOD + "name: y\n", "7:1", "first at plan.yaml:2:1; keep one of them"),
    "metadata": (GOOD + "metadata: x\n", "7:11", "must be a mapping"),
    "tag": (HEAD + "description: !!python/name:os.system x\n" + GROUP, "3:14", "remove it"),
    "latin-1": (HEAD.encode() + b"description: caf\xe9\n", "3:17", "save the file as UTF-8"),
    "utf-16": (GOOD.encode("utf-16"), "1:1", "save the file as UTF-8"),
    "no teardown": (HEAD, "1:1", "the plan lacks `teardown`; add it"),
    "blank teardown": (HEAD + "teardown:\n", "3:10", "at least one group"),
    "empty teardown": (HEAD + "teardown: []\n", "3:11", "at least one group"),
    "teardown as mapping": (HEAD + "teardown: {account: a}\n", "3:11", "must be a list of at least one group"),
    # the window
    "no zone": (GOOD + "window: {not_before: 2026-11-22T01:00:00}\n", "7:22", "has no time zone; put Z"),
    "no time": (GOOD + "window: {not_before: tomorrow}\n", "7:22", "write it like 2026-11-22T01:00:00+01:00"),
    "no such day": (GOOD + "window: {not_before: 2026-02-30T01:00:00Z}\n", "7:22", "not in the calendar"),
    "window backwards": (
        GOOD + "window: {not_before: 2026-11-22T05:00:00Z, not_after: 2026-11-22T06:00:00+01:00}\n",
        "7:55",
        "put `not_after` after `not_before`",
    ),
    "empty window": (GOOD + "window: {}\n", "7:9", "give `not_before`, `not_after` or both"),
    "window as text": (GOOD + "window: tonight\n", "7:9", "must be a mapping"),
    # the guards
    "blank guard": (GOOD + "guards:\n  max_numbers:\n", "8:15", "`max_numbers` is blank"),
    "blank guards": (GOOD + "guards:\n", "7:8", "`guards` must be a mapping"),
    "no numbers allowed": (GOOD + "guards: {max_numbers: 0}\n", "7:23", "must be at least 1"),
    "guard as words": (
        GOOD + "guards: {max_numbers: many}\n",
        "7:23",
        "'many' is not a whole number; write it like 500",
    ),
    "huge guard": (GOOD + f"guards: {{max_numbers: {'9' * 5000}}}\n", "7:23", "is not a whole number"),
    "share above all": (GOOD + "guards: {max_percent: 101}\n", "7:23", "must be at most 100"),
    "share of nothing": (GOOD + "guards: {max_percent: 0}\n", "7:23", "must be above 0"),
    "not a share": (GOOD + "guards: {stop_after_failure_ratio: nan}\n", "7:36", "write it like 0.1 or 50"),
    "ratio above one": (GOOD + "guards: {stop_after_failure_ratio: 1.5}\n", "7:36", "must be at most 1"),
    "no failures": (GOOD + "guards: {stop_after_failures: 0}\n", "7:31", "must be at least 1"),
    "drift": (GOOD + "guards: {on_drift: ignore}\n", "7:20", "'ignore' is not one of block, skip"),
    "empty batches": (GOOD + "guards: {batches: []}\n", "7:19", "list at least one, or take the key out"),
    "batches as text": (GOOD + "guards: {batches: 5}\n", "7:19", "must be a list, like [a, b]"),
    "batch": (GOOD + "guards: {batches: [1, 120%]}\n", "7:23", "write a number of items like 5"),
    "batch as list": (GOOD + "guards: {batches: [[1]]}\n", "7:20", "is not one short text"),
    "blank batch": (GOOD + "guards: {batches: [1, ~]}\n", "7:23", "an item of `batches` is blank"),
    "empty protect": (GOOD + "guards: {protect: []}\n", "7:19", "list at least one, or take the key out"),
    "protect as text": (GOOD + "guards: {protect: '+1*'}\n", "7:19", "must be a list"),
    "protect everything": (GOOD + "guards: {protect: ['+*']}\n", "7:20", "some digits and one `*` at the end"),
    "protect a local number": (GOOD + "guards: {protect: ['415-555-0100']}\n", "7:20", "did you mean +14155550100?"),
    "protect_from nowhere": (
        GOOD + "guards: {protect_from: no.csv}\n",
        "7:24",
        "no.csv does not exist; check the path",
    ),
    "protect_from nothing": (GOOD + "guards: {protect_from: empty.txt}\n", "7:24", "holds no numbers; add some"),
    "gate as text": (GOOD + "guards: {gate: open}\n", "7:16", "`gate` must be a mapping of `key: value`"),
    "gate key": (GOOD + "guards: {gate: {urll: x}}\n", "7:17", "`gate` has no key 'urll'; did you mean `url`?"),
    "gate value": (GOOD + "guards: {gate: {command: a, every: 0s}}\n", "7:36", "`every` must be above 0"),
    "blank gate value": (GOOD + "guards: {gate: {url: }}\n", "7:22", "`url` is blank; give it a value"),
    "guards key": (GOOD + "guards: {max_number: 5}\n", "7:10", "did you mean `max_numbers`?"),
    # the groups
    "group as text": (group("unpod-main\n"), "4:5", "a group must be a mapping"),
    "empty group": (group("{}\n"), "4:5", "needs either `numbers` or `numbers_from`"),
    "no account": (group("{bridge: b, numbers: all}\n"), "4:6", "a group lacks `account`; add it"),
    "blank account": (group("{account: , bridge: b, numbers: all}\n"), "4:15", "`account` is blank"),
    "unknown account": (group("{account: unpod-man, bridge: b, numbers: all}\n"), "4:15", "did you mean `unpod-main`?"),
    "unknown provider": (group("{provider: unpot, bridge: b, numbers: all}\n"), "4:16", "did you mean `unpod`?"),
    "several accounts": (group("{provider: unpod, bridge: b, numbers: all}\n"), "4:16", "write `account` to say which"),
    "accounts disagree": (
        group("{account: unpod-main, provider: videosdk, bridge: b, numbers: all}\n"),
        "4:37",
        "the account 'unpod-main' is at unpod; correct one of the two",
    ),
    "two targets": (
        group("{account: unpod-main, bridge: b, gateway: g, numbers: all}\n"),
        "4:47",
        "keep either `bridge` or `gateway`",
    ),
    "no bridge": (group("{account: unpod-main, numbers: all}\n"), "4:6", "a group at unpod needs `bridge`; add it"),
    "bridge at videosdk": (
        group("{account: videosdk-main, bridge: b, numbers: all}\n"),
        "4:38",
        "write `gateway` for a target there",
    ),
    "gateway at unpod": (group("{account: unpod-main, gateway: g, numbers: all}\n"), "4:36", "write `bridge`"),
    "slug with slash": (
        group("{account: unpod-main, bridge: a/b, numbers: all}\n"),
        "4:35",
        "without blanks, /, ? and #",
    ),
    "slug with blank": (
        group("{account: unpod-main, bridge: a b, numbers: all}\n"),
        "4:35",
        "without blanks, /, ? and #",
    ),
    "slug of dots": (group("{account: unpod-main, bridge: .., numbers: all}\n"), "4:35", "cannot stand in an address"),
    "if_missing": (
        group("{account: unpod-main, bridge: b, if_missing: yes, numbers: all}\n"),
        "4:50",
        "'yes' is not one of ok, block",
    ),
    "reattach": (group("{account: unpod-main, bridge: b, reattach: 42, numbers: all}\n"), "4:48", "must be a mapping"),
    "reattach key": (
        group("{account: unpod-main, bridge: b, reattach: {config: 42}, numbers: all}\n"),
        "4:57",
        "'config' is nothing that a rollback at unpod uses",
    ),
    "reattach value": (
        group("{account: unpod-main, bridge: b, reattach: {provider_config_id: some}, numbers: all}\n"),
        "4:69",
        "must be a whole number from 1 on",
    ),
    "reattach secret": (
        group("{account: videosdk-main, reattach: {auth_password: hunter2}, numbers: all}\n"),
        "4:56",
        "write a reference, ${NAME} or file:/path",
    ),
    "group key": (group("{account: unpod-main, brige: b, numbers: all}\n"), "4:27", "did you mean `bridge`?"),
    # the numbers
    "no numbers": (group("{account: unpod-main, bridge: b}\n"), "4:6", "needs either `numbers` or `numbers_from`"),
    "both": (
        group("{account: unpod-main, bridge: b, numbers: all, numbers_from: n.csv}\n"),
        "4:52",
        "give one of them",
    ),
    "blank numbers": (group("account: unpod-main\n    bridge: b\n    numbers:\n"), "6:13", "`numbers` is blank"),
    "null numbers": (group("{account: unpod-main, bridge: b, numbers: null}\n"), "4:47", "`numbers` is blank"),
    "empty numbers": (group("{account: unpod-main, bridge: b, numbers: []}\n"), "4:47", "`numbers` is an empty list"),
    "numbers as text": (group("{account: unpod-main, bridge: b, numbers: ALL}\n"), "4:47", "or write `all`"),
    "all in a list": (
        group("{account: unpod-main, bridge: b, numbers: [all]}\n"),
        "4:48",
        "'all' is not an E.164 number",
    ),
    "blank number": (group("{account: unpod-main, bridge: b, numbers: [~]}\n"), "4:48", "'' is not an E.164 number"),
    "local number": (
        group("{account: unpod-main, bridge: b, numbers: ['(415) 555-0100']}\n"),
        "4:48",
        "did you mean +14155550100?",
    ),
    "too short": (group("{account: unpod-main, bridge: b, numbers: [+123456]}\n"), "4:48", "7 to 15 digits"),
    "leading zero": (group("{account: unpod-main, bridge: b, numbers: [+0123456789]}\n"), "4:48", "7 to 15 digits"),
    "pattern": (group("{account: unpod-main, bridge: b, numbers: ['+4420*']}\n"), "4:48", "7 to 15 digits"),
    "twice": (
        group("{account: unpod-main, bridge: b, numbers: [+14155550101, +14155550101]}\n"),
        "4:62",
        "+14155550101 is listed twice at unpod-main/b, first at plan.yaml:4:48; remove one of them",
    ),
    "twice over groups": (
        GOOD + "  - account: unpod-main\n    bridge: b\n    numbers: [{number: +14155550101}]\n",
        "9:24",
        "first at plan.yaml:6:15; remove one of them",
    ),
    "twice at an unclear target": (
        group("account: unpod-main\n    bridge: b b\n    numbers: [+14155550101, +14155550101]\n"),
        "5:13",
        "without blanks",
    ),
    "all after a list": (
        GOOD + "  - {account: unpod-main, bridge: b, numbers: all}\n",
        "7:47",
        "keep one of the groups",
    ),
    "all before a list": (
        group("{account: unpod-main, bridge: b, numbers: all}\n")
        + "  - {account: unpod-main, bridge: b, numbers: [+14155550101]}\n",
        "4:47",
        "keep one of them",
    ),
    "all twice": (
        group("{account: unpod-main, bridge: b, numbers: all}\n  - {account: unpod-main, bridge: b, numbers: all}\n"),
        "5:47",
        "keep one of the groups",
    ),
    "number without number": (
        group("{account: unpod-main, bridge: b, numbers: [{note: x}]}\n"),
        "4:49",
        "an item of `numbers` lacks `number`; add it",
    ),
    "number key": (
        group("{account: unpod-main, bridge: b, numbers: [{number: +14155550101, nota: x}]}\n"),
        "4:71",
        "did you mean `note`?",
    ),
    "note as list": (
        group("{account: unpod-main, bridge: b, numbers: [{number: +14155550101, note: [x]}]}\n"),
        "4:77",
        "`note` must be text",
    ),
    "list in a list": (
        group("{account: unpod-main, bridge: b, numbers: [[+14155550101]]}\n"),
        "4:48",
        "an item of `numbers` must be a mapping",
    ),
    # number files
    "file nowhere": (
        group("{account: unpod-main, bridge: b, numbers_from: no.txt}\n"),
        "4:52",
        "no.txt does not exist; check the path",
    ),
    "file as folder": (group("{account: unpod-main, bridge: b, numbers_from: d.csv}\n"), "4:52", "d.csv is a folder"),
    "file of another kind": (
        group("{account: unpod-main, bridge: b, numbers_from: n.xlsx}\n"),
        "4:52",
        "n.xlsx is neither .csv nor .txt",
    ),
    "file without numbers": (
        group("{account: unpod-main, bridge: b, numbers_from: empty.txt}\n"),
        "4:52",
        "holds no numbers",
    ),
    "table without rows": (
        group("{account: unpod-main, bridge: b, numbers_from: empty.csv}\n"),
        "4:52",
        "holds no numbers",
    ),
    "blank file": (group("{account: unpod-main, bridge: b, numbers_from: }\n"), "4:52", "`numbers_from` is blank"),
    "file as list": (group("{account: unpod-main, bridge: b, numbers_from: [a]}\n"), "4:52", "must be text"),
}

FILES = {
    "empty.txt": "# nothing\n\n",
    "empty.csv": "number,note\n,\n",
    "column.csv": "phone,note\n+14155550101,\n",
    "columns.csv": "number,Number\n+14155550101,\n",
    "local.csv": "name,number\nA,+14155550101\n\nB,415-555-0100\n",
    "short.csv": "name,number\nA\n",
    "quotes.csv": 'number\n+14155550101\n"+14155550102\n',
    "void.csv": "",
    "twice.txt": "+14155550101\n  +14155550102\n+14155550101\n",
}

TABLES = {
    "column.csv": ("column.csv:1:1", "no column is named `number` in the first row; name one column so"),
    "columns.csv": ("column.csv:1:1".replace("column", "columns"), "two columns are named `number`"),
    "local.csv": ("local.csv:4:3", "did you mean +14155550100?"),
    "short.csv": ("short.csv:2:3", "'' is not an E.164 number"),
    "quotes.csv": ("quotes.csv:3:1", "this row is not CSV"),
    "void.csv": ("void.csv:1:1", "no column is named `number`"),
    "twice.txt": ("twice.txt:3:1", "is listed twice at unpod-main/b, first at twice.txt:1:1; remove one of them"),
    "latin.txt": ("latin.txt:2:2", "byte 0xe9 here is not UTF-8; save the file as UTF-8"),
}

UNPOD = "accounts:\n  a: {provider: unpod, token: '${T}', org_handle: o}\n"
CONFIGS = {
    "empty": ("", "1:1", "the file is empty"),
    "list": ("- a\n", "1:1", "the config must be a mapping"),
    "unknown key": ("account: {}\n", "1:1", "did you mean `accounts`?"),
    "accounts as list": ("accounts: [a]\n", "1:11", "a name, and below it the account"),
    "account as text": ("accounts: {a: x}\n", "1:15", "the account 'a' must be a mapping"),
    "account name": (UNPOD.replace("  a:", "  a/b:"), "2:3", "use letters, digits, `-` and `_`"),
    "no provider": ("accounts: {a: {token: '${T}'}}\n", "1:16", "the account 'a' lacks `provider`; add it"),
    "unknown provider": ("accounts: {a: {provider: twilio}}\n", "1:26", "'twilio' is not one of unpod, videosdk"),
    "no token": (UNPOD.replace("token: '${T}', ", ""), "2:3", "needs `token`, and no other mix"),
    "no org": (UNPOD.replace(", org_handle: o", ""), "2:3", "lacks `org_handle`; unpod needs it"),
    "org at videosdk": (
        "accounts: {a: {provider: videosdk, token: '${T}', org_handle: o}}\n",
        "1:51",
        "`org_handle` is not for videosdk; take it out",
    ),
    "key at unpod": (
        UNPOD.replace("org_handle: o", "org_handle: o, secret: s"),
        "2:54",
        "is not for unpod; take it out",
    ),
    "half a pair": (
        "accounts: {a: {provider: videosdk, api_key: '${K}'}}\n",
        "1:12",
        "needs `token` or else `api_key` with `secret`",
    ),
    "token and pair": (
        "accounts: {a: {provider: videosdk, token: '${T}', api_key: '${K}', secret: '${S}'}}\n",
        "1:12",
        "and no other mix of credentials",
    ),
    "dollar": (UNPOD.replace("${T}", "$T"), "2:31", "write ${NAME} or file:/path"),
    "token around": (UNPOD.replace("${T}", "Token ${T}"), "2:31", "and nothing around it"),
    "blank token": (UNPOD.replace("'${T}'", ""), "2:31", "`token` is blank"),
    "http": (UNPOD.replace("o}", "o, base_url: 'http://api.example'}"), "2:64", "http:// is for localhost alone"),
    "like localhost": (UNPOD.replace("o}", "o, base_url: 'http://localhost.evil.com'}"), "2:64", "write https://"),
    "password": (UNPOD.replace("o}", "o, base_url: 'https://u:p@api.example'}"), "2:64", "take it out"),
    "query": (UNPOD.replace("o}", "o, base_url: 'https://api.example/?a=b'}"), "2:64", "end it before the ? or #"),
    "no host": (UNPOD.replace("o}", "o, base_url: 'https://'}"), "2:64", "write it like https://host/path"),
    "no address": (UNPOD.replace("o}", "o, base_url: 'https://a:99999'}"), "2:64", "write it like https://host/path"),
    "blank in address": (UNPOD.replace("o}", "o, base_url: 'https://a b'}"), "2:64", "holds a blank"),
    "rate": (UNPOD.replace("o}", "o, rate: 10}"), "2:60", "write it like 10/s or 300/min"),
    "zero rate": (UNPOD.replace("o}", "o, rate: 0/s}"), "2:60", "above zero"),
    "concurrency": (UNPOD.replace("o}", "o, concurrency: 1001}"), "2:67", "must be at most 1000"),
    "timeout": (UNPOD.replace("o}", "o, timeout: 0s}"), "2:63", "must be above 0"),
    "account key": (UNPOD.replace("o}", "o, base-url: x}"), "2:54", "did you mean `base_url`?"),
    "attempts": ("retry: {max_attempts: 0}\n", "1:23", "must be at least 1"),
    "duration": ("retry: {base_delay: soon}\n", "1:21", "write it like 500ms, 30s, 15m or 2h"),
    "endless": (f"retry: {{max_throttle_wait: {'9' * 400}}}\n", "1:28", "not a duration of at most a year"),
    "delays": ("retry: {base_delay: 1m}\n", "1:8", "`max_delay` is shorter than `base_delay`"),
    "log file": ("log: {file: maybe}\n", "1:13", "write true or false"),
    "log numbers": ("log: {numbers: none}\n", "1:16", "'none' is not one of full, masked"),
    "log as text": ("log: true\n", "1:6", "`log` must be a mapping"),
    "ledger": ("ledger: postgres\n", "1:9", "'postgres' is not one of sqlite"),
    "guards": ("guards: {protect: ['555']}\n", "1:20", "7 to 15 digits"),
    "bomb": ("a: &a {a: *a}\n", "1:11", "stands inside its own anchor"),
}

VARIABLES = {
    "TEARDOWN_RETRY__MAX_ATTEMPTS": ("none", "'none' is not a whole number; write it like 500"),
    "TEARDOWN_RETRY__MAX_ATEMPTS": ("3", "did you mean `max_attempts`?"),
    "TEARDOWN_RETRY__BASE_DELAY": (" ", "is blank; give it a value, or unset it"),
    "TEARDOWN_RETRY": ("3", "names no single setting; write it like TEARDOWN_RETRY__MAX_ATTEMPTS"),
    "TEARDOWN_RETRY__": ("3", "names no single setting"),
    "TEARDOWN_RETRI__MAX_ATTEMPTS": ("3", "there is no setting `retri`; did you mean `retry`?"),
    "TEARDOWN_ACCOUNTS__A": ("3", "names no single setting"),
    "TEARDOWN_ACCOUNTS__A__RATE": ("fast", "write it like 10/s or 300/min"),
    "TEARDOWN_ACCOUNTS__B__RATE": ("1/s", "the account 'b' lacks `provider`; add it"),
    "TEARDOWN_GUARDS__BATCHES": ("1,all", "write a number of items like 5"),
    "TEARDOWN_GUARDS__PROTECT_FROM": ("none.csv", "none.csv does not exist; check the path"),
    "TEARDOWN_LEDGER": ("redis", "is not one of sqlite"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with number files in it."""
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "latin.txt").write_bytes(b"+14155550101\n+\xe9\n")
    (tmp_path / "d.csv").mkdir()
    return tmp_path


def problems(call, *args):
    """The problems that ``call`` raises."""
    with pytest.raises(InputError) as caught:
        call(*args)
    return caught.value.problems


def expect_one(found, place, mend):
    """Make sure that ``found`` is one problem, at ``place``, in one line that holds ``mend``."""
    assert [problem.place for problem in found] == [place], found
    assert mend in found[0].message
    assert found[0].message.isprintable()


@pytest.mark.parametrize("case", PLANS)
def test_broken_plans_are_refused_at_their_place(folder, case):
    """Each fault of a plan is one problem with file:line:column and the mend."""
    text, place, mend = PLANS[case]
    Path("plan.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    found = problems(plan.load, "plan.yaml", ACCOUNTS)
    if case in ("empty group", "twice at an unclear target"):
        found = [problem for problem in found if problem.place == f"plan.yaml:{place}" and mend in problem.message]
    expect_one(found, f"plan.yaml:{place}", mend)


@pytest.mark.parametrize("name", TABLES)
def test_broken_number_files_are_refused_at_their_place(folder, name):
    """Each fault in a number file is one problem at its own line and column."""
    Path("plan.yaml").write_text(group(f"{{account: unpod-main, bridge: b, numbers_from: {name}}}\n"))
    expect_one(problems(plan.load, "plan.yaml", ACCOUNTS), *TABLES[name])


@pytest.mark.parametrize("case", CONFIGS)
def test_broken_configs_are_refused_at_their_place(folder, case):
    """Each fault of a config is one problem with file:line:column and the mend."""
    text, place, mend = CONFIGS[case]
    Path("config.yaml").write_text(text)
    expect_one(problems(config.load, Path("config.yaml"), {}), f"config.yaml:{place}", mend)


@pytest.mark.parametrize("variable", VARIABLES)
def test_broken_overrides_are_refused_by_name(folder, variable):
    """Each fault of an override is one problem at its environment variable."""
    value, mend = VARIABLES[variable]
    Path("config.yaml").write_text(UNPOD)
    found = problems(config.load, Path("config.yaml"), {variable: value})
    expect_one(found, f"environment variable {variable}", mend)


def test_an_override_of_two_accounts_is_refused(folder):
    """An override that could mean two accounts says so."""
    Path("config.yaml").write_text("accounts:\n  a-b: &a {provider: videosdk, token: '${T}'}\n  a_b: *a\n")
    found = problems(config.load, Path("config.yaml"), {"TEARDOWN_ACCOUNTS__A_B__RATE": "1/s"})
    expect_one(
        found,
        "environment variable TEARDOWN_ACCOUNTS__A_B__RATE",
        "could mean each of the accounts a-b, a_b; rename one of them",
    )


def test_overrides_do_not_hide_a_broken_section(folder):
    """A section of the wrong kind is refused at its place, whatever the environment sets below it."""
    Path("config.yaml").write_text("retry: [3]\n")
    found = problems(config.load, Path("config.yaml"), {"TEARDOWN_RETRY__MAX_ATTEMPTS": "3"})
    expect_one(found, "config.yaml:1:8", "`retry` must be a mapping")


def test_control_characters_from_the_environment_are_refused(folder):
    """A handle goes into a header: what a variable puts there is checked, too."""
    Path("config.yaml").write_text(UNPOD.replace("org_handle: o", "org_handle: '${ORG}'"))
    found = problems(config.load, Path("config.yaml"), {"ORG": "a\nb"})
    expect_one(found, "config.yaml:2:51", "control character from the environment")


def test_all_problems_come_at_once_in_the_order_of_the_files(folder):
    """One reading names everything that is wrong, in the plan first and then in its number files."""
    Path("plan.yaml").write_text(
        "name: ''\nversion: 1\nversion: 1\nteardown:\n"
        "  - {account: nobody, bridge: b, numbers_from: local.csv}\n"
        "  - {account: unpod-main, bridge: b/c, numbers: [+1, +14155550101]}\n"
        "  - {account: unpod-main, numbers: []}\n"
        "guards: {max_numbers: x, on_drift: y}\nwindow: {not_after: z}\ncolour: red\n"
    )
    found = problems(plan.load, "plan.yaml", ACCOUNTS)
    assert [problem.place.removeprefix("plan.yaml:") for problem in found] == [
        "1:7",
        "3:1",
        "5:15",
        "6:35",
        "6:50",
        "7:6",
        "7:36",
        "8:23",
        "8:36",
        "9:21",
        "10:1",
        "local.csv:4:3",
    ]


def test_what_stands_twice_is_named_each_time(folder):
    """Each repetition is a problem of its own that names the first place, over groups, files and an alias."""
    Path("plan.yaml").write_text(
        "version: 1\nname: x\nteardown:\n"
        "  - {account: unpod-main, bridge: b, numbers: [+14155550101, +14155550101, {number: +14155550101}]}\n"
        "  - {account: unpod-main, bridge: b, numbers_from: twice.txt}\n"
        "  - &g {account: videosdk-main, gateway: g, numbers: [+14155550101]}\n"
        "  - {<<: *g, gateway: h}\n"
    )
    found = problems(plan.load, "plan.yaml", ACCOUNTS)
    assert [(problem.place, problem.message.partition("listed twice ")[2]) for problem in found] == [
        ("plan.yaml:4:62", "at unpod-main/b, first at plan.yaml:4:48; remove one of them"),
        ("plan.yaml:4:85", "at unpod-main/b, first at plan.yaml:4:48; remove one of them"),
        ("plan.yaml:6:55", "at videosdk-main, first at plan.yaml:6:55; remove one of them"),
        ("twice.txt:1:1", "at unpod-main/b, first at plan.yaml:4:48; remove one of them"),
        ("twice.txt:3:1", "at unpod-main/b, first at plan.yaml:4:48; remove one of them"),
    ]


def test_secrets_and_addresses_are_not_repeated(folder):
    """No problem shows a secret, not even in an address or beside a reference."""
    text = UNPOD.replace("${T}", "hunter2 ${T}").replace("o}", "o, base_url: 'http://u:hunter2@x', rate: x}")
    Path("config.yaml").write_text(text)
    assert "hunter2" not in "".join(map(str, problems(config.load, Path("config.yaml"), {})))


YAMLISH = st.text(alphabet=st.sampled_from(list("ab:-[]{}*&!|>'\"#%@`,? \n\t\r~<+1\x00\ufeff\u2028é")), max_size=60)
WORDS = st.sampled_from(
    [
        "version",
        "name",
        "teardown",
        "account",
        "bridge",
        "gateway",
        "numbers",
        "numbers_from",
        "guards",
        "window",
        "metadata",
        "protect",
        "batches",
        "all",
        "unpod-main",
        "+14155550101",
        "1",
        "empty.txt",
        "retry",
        "accounts",
        "provider",
        "token",
        "log",
        "${T}",
        "file:x",
    ]
)
VALUES = st.recursive(
    WORDS | st.none() | st.text(max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(WORDS, below, max_size=4),
    max_leaves=12,
)
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)


def either(call, kind, *args):
    """Make sure that ``call`` gives a ``kind`` or an InputError whose problems are single sentences."""
    found = []
    try:
        assert isinstance(call(*args), kind)
    except InputError as error:
        found = error.problems or ["an error without a problem"]
    assert all(problem.place and "\n" not in problem.message for problem in found)


@FUZZ
@given(text=st.text() | YAMLISH)
def test_any_text_is_a_plan_or_refused(folder, text):
    """Whatever stands in a file, reading it gives a plan or settings, or sentences."""
    Path("any.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    either(plan.load, Plan, "any.yaml", ACCOUNTS)
    either(config.load, Settings, Path("any.yaml"), {})


@FUZZ
@given(data=st.binary(max_size=80))
def test_any_bytes_are_a_plan_or_refused(folder, data):
    """Bytes that are no text are refused as such, in number files too."""
    Path("any.yaml").write_bytes(data)
    Path("any.csv").write_bytes(b"number\n" + data)
    Path("plan.yaml").write_text(group("{account: unpod-main, bridge: b, numbers_from: any.csv}\n"))
    either(plan.load, Plan, "any.yaml", ACCOUNTS)
    either(plan.load, Plan, "plan.yaml", ACCOUNTS)


@FUZZ
@given(head=st.dictionaries(WORDS, VALUES, max_size=5), group=st.dictionaries(WORDS, VALUES, max_size=5))
def test_any_structure_is_a_plan_or_refused(folder, head, group):
    """Known keys with values of any shape give a plan or settings, or sentences."""
    import yaml  # noqa: PLC0415 - only to write the file

    Path("any.yaml").write_text(yaml.safe_dump({"version": 1, "name": "x", **head, "teardown": [group]}))
    either(plan.load, Plan, "any.yaml", ACCOUNTS)
    Path("any.yaml").write_text(yaml.safe_dump({**head, "accounts": {"a": group}}))
    either(config.load, Settings, Path("any.yaml"), {"T": "x"})
