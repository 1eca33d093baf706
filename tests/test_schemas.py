"""What an editor knows: the schemas that are shipped, the line that names them, and what they underline."""

import json
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from runner import config, plan

ROOT = Path(__file__).parents[1]
EXAMPLES = [ROOT / "config.example.yaml", *sorted((ROOT / "plans").glob("*.yaml"))]
GROUP = {"account": "unpod-main", "bridge": "sales", "numbers": ["+14155550101"]}


def plan_of(**changes):
    """Give a plan of one group, with changes to the group; None takes a key out."""
    group = {key: value for key, value in (GROUP | changes).items() if value is not None}
    return {"version": 1, "name": "test", "teardown": [group]}


def account_of(**changes):
    """Give a config of one account, with changes to it."""
    return {"accounts": {"unpod-main": {"provider": "unpod", "token": "${TOKEN}", "org_handle": "acme"} | changes}}


def shipped(name):
    """Give the validator of a schema of this repository."""
    return Draft202012Validator(json.loads((ROOT / "schemas" / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("grammar", [plan, config], ids=["plan", "config"])
def test_the_shipped_schemas_are_those_of_the_program(grammar):
    """They are what `teardown schema` prints; where this fails, `make schemas` writes them again."""
    name = grammar.__name__.removeprefix("runner.")
    assert shipped(f"{name}.json").schema == grammar.json_schema()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_names_the_schema_that_it_fits(path):
    """Its first line leads an editor to a schema, which finds nothing to underline."""
    text = path.read_text(encoding="utf-8")
    named = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert named
    schema = json.loads((path.parent / named[1]).read_text(encoding="utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(yaml.safe_load(text))) == []


def test_what_is_right_is_not_underlined():
    """The files that the wrong ones below differ from."""
    assert shipped("plan.json").is_valid(plan_of())
    assert shipped("plan.json").is_valid(plan_of() | {"guards": {"protect": ["+4420*", "+14155550100", 14155550100]}})
    assert shipped("config.json").is_valid(account_of())
    for address in ("https://unpod.dev", "http://127.0.0.1:8765", "http://localhost:8765", "http://[::1]:8765/x"):
        assert shipped("config.json").is_valid(account_of(base_url=address))
    assert shipped("config.json").is_valid(account_of() | {"metrics": {"pushgateway": "http://gateway.example:9091"}})


@pytest.mark.parametrize(
    "wrong",
    [
        plan_of(numbers=None),
        plan_of(numbers_from="numbers.csv"),
        plan_of(account=None),
        plan_of(gateway="gw_1"),
        plan_of(brigde="sales"),
        plan_of(bridge="sales bridge"),
        plan_of(numbers=[]),
        plan_of(numbers="every"),
        plan_of(numbers=["(415) 555-0100"]),
        plan_of(if_missing="maybe"),
        plan_of() | {"version": 2},
        plan_of() | {"name": ""},
        plan_of() | {"teardown": []},
        plan_of() | {"guards": {"max_numbers": 0}},
        plan_of() | {"guards": {"batches": []}},
        plan_of() | {"guards": {"protect": ["4420*"]}},
        plan_of() | {"guards": {"protect": ["+4420*1"]}},
        {"version": 1, "name": "test"},
    ],
    ids=str,
)
def test_a_wrong_plan_is_underlined(wrong):
    """What an editor can see without the rest of the world."""
    assert not shipped("plan.json").is_valid(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        account_of(provider="unpot"),
        account_of(rate="fast"),
        account_of(timeout="soon"),
        account_of(concurrency=0),
        account_of(tokn="${TOKEN}"),
        account_of(base_url="unpod.dev"),
        account_of(base_url="http://unpod.dev"),
        account_of() | {"metrics": {"pushgateway": "gateway:9091"}},
        account_of() | {"retry": {"max_attempts": 0}},
        account_of() | {"log": {"numbers": "some"}},
        {"accounts": {"unpod-main": {"token": "${TOKEN}"}}},
    ],
    ids=str,
)
def test_a_wrong_config_is_underlined(wrong):
    """What an editor can see without the environment."""
    assert not shipped("config.json").is_valid(wrong)
