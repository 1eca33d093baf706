"""docs/reference: made from the code, and as new as the code."""

import pytest

from runner.report.fold import MOVED, OUTCOMES
from scripts import reference
from scripts.keys import sections, value_of

ROLLBACK = ("would_reattach", "reattached", "already_attached")


@pytest.mark.parametrize("name", reference.pages())
def test_pages_are_as_new_as_the_code(name):
    """`make reference` would change nothing."""
    assert (reference.FOLDER / name).read_text(encoding="utf-8") == reference.pages()[name], "run `make reference`"


def test_no_other_page_is_there():
    """What is no longer made is no longer shown."""
    assert {path.name for path in reference.FOLDER.iterdir()} == set(reference.pages())


def test_every_event_is_explained():
    """Each event that the code logs has its sentence, and each sentence its event."""
    assert reference.events() == sorted(reference.EVENTS)
    assert {"run.started", "number.finished", "run.paused"} <= set(reference.events())


def test_every_outcome_is_explained():
    """The page has every outcome that a report can show, and no other."""
    rows = [line.split("|") for line in reference.pages()["outcomes.md"].splitlines() if line.startswith("| `")]
    assert [row[1].strip(" `") for row in rows] == [*OUTCOMES, "would_detach", *ROLLBACK, "would_move", *MOVED]
    assert all(row[2].strip() for row in rows)


def test_every_key_of_plan_and_config_is_explained():
    """No row of these pages lacks what the key is for."""
    pages = reference.pages()
    rows = [line for name in ("plan.md", "config.md") for line in pages[name].splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "whole number, from 1 up to 9"),
        ({"type": "number", "exclusiveMinimum": 0}, "number, above 0"),
        ({"type": ["string", "null"]}, "text or null"),
        ({"enum": ["ok", "block"]}, "`ok`, `block`"),
        ({"anyOf": [{"const": "auto"}, {"type": "boolean"}]}, "`auto` or true or false"),
        ({"type": "array", "items": {"$ref": "#/$defs/GroupFile"}}, "list of: [A group](#a-group)"),
        ({"properties": {"a": {}, "b": {}}}, "mapping of `a`, `b`"),
    ],
)
def test_what_a_key_may_hold(schema, words):
    """A schema is said in words that need no schema to be understood."""
    assert value_of(schema) == words


def test_defaults_are_written_as_in_a_file():
    """Durations with their unit, true as YAML has it, and what must be there as such."""
    duration = {"anyOf": [{"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h|d)?$"}], "default": 900.0}
    schema = {
        "properties": {"wait": duration, "on": {"type": "boolean", "default": True}, "name": {}},
        "required": ["name"],
    }
    assert [row[2] for row in sections(schema, "")[0].rows] == ["`15m`", "`true`", "required"]
