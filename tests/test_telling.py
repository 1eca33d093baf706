"""What there is to tell of a run, also when next to nothing can be found out about it."""

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import yaml
from reporting import RUN

from runner import config, letter
from runner.config import Recipient
from runner.telling import Subject
from runner.telling.commands import variables
from runner.telling.post import Mailbox, in_time

PAGE = (Path(__file__).parents[1] / "docs" / "notifications.md").read_text(encoding="utf-8")


def test_a_ledger_that_cannot_be_read(tmp_path):
    """What broke the run off is told all the same, by every name that templates may use."""
    (tmp_path / "ledger.db").write_bytes(b"no ledger" * 999)
    facts = Subject(RUN, tmp_path / "ledger.db", tmp_path).broken_off("the disk is gone")
    assert set(facts) == set(letter.EXAMPLE)
    assert (facts["event"], facts["totals"], facts["plan"]) == ("failure", {}, RUN.plan_name)
    assert letter.render(letter.DEFAULT, facts) == "Broken off: the disk is gone"


def test_what_a_service_says_of_its_failure_is_told_without_the_address():
    """Every part of an address may be the secret, so none of them is shown, whatever else is."""

    class Indiscreet:
        """A service that fails, and repeats what it was given."""

        def __bool__(self):
            return False

        def notify(self, **_):
            return self

        def logs(self):
            return [SimpleNamespace(message="HTTP 404 from chat.example for T0KEN-a/b-SECRET?pw=hunter2")]

    url = "slack://user:hunter2@chat.example/T0KEN-a/b-SECRET"
    assert Mailbox(Recipient(()), "", url, Indiscreet()).send("", "", None) == "HTTP 404 from *** for ***/***?pw=***"


async def test_blocking_work_that_fails():
    """Whatever goes wrong in a thread is the reason that is given."""

    def fail():
        raise ZeroDivisionError("by hand")

    assert await asyncio.wait_for(in_time(fail, 60), 60) == "ZeroDivisionError: by hand"


def test_the_page_shows_the_usual_text():
    """docs/notifications.md has the template that is used where none is given, and every name of it."""
    assert f"```jinja\n{letter.DEFAULT}```" in PAGE
    rows = re.findall(r"^\| (`.*?`) \|", PAGE.split("| name | what |")[1].split("\n\n")[0], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(letter.EXAMPLE)


def test_the_configs_of_the_page_load(tmp_path):
    """Each of its examples is a config without a problem or a warning, to editors as to the program."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    for block in blocks:
        path = tmp_path / "config.yaml"
        path.write_text(block, encoding="utf-8")
        jsonschema.validate(yaml.safe_load(block), config.json_schema())
        settings = config.load(path, {})
        assert settings.warnings == ()
        assert settings.notify or settings.hooks.commands


def test_the_variables_of_the_page():
    """Its table has what a hook is told, and all but the counts by name."""
    facts = {**letter.EXAMPLE, "totals": {"to_detach": 3, "planned": 3, "detached": 2, "failed": 1}}
    told = {*variables("finish", facts, Path("/run"), Path("/state")), "TEARDOWN_CONFIG"}
    table = PAGE.split("| variable | what |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(TEARDOWN_\w+)`", table)) == told
