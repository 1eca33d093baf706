"""The pages of docs/reference, made from the code: ``python -m scripts.reference`` writes them."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner import config, plan, report
from runner.cli.codes import EXIT_CODES
from runner.cli.main import teardown
from scripts.keys import sections

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
_EVENT = re.compile(r"[a-z]+\.[a-z]+")
_LEVELS = ("debug", "info", "warning", "error", "record")
EVENTS = {
    "guard.tripped": "a guard stopped the run part-way; `error` says which",
    "hook.failed": "a command of yours failed or took too long; the run is what it would have been",
    "hook.finished": "a command of yours ended well",
    "hook.output": "what such a command printed last (level debug)",
    "lane.stopped": "an account sends nothing more; `reason` is a code, `error` a sentence",
    "lane.throttled": "the provider asked for a pause of `wait_s` seconds, and the whole lane keeps it",
    "metrics.failed": "figures could not be written or sent",
    "notify.failed": "somebody could not be told",
    "notify.sent": "somebody was told",
    "number.attempt": "a request that detaches or attaches did not succeed (level debug)",
    "number.finished": "an item has its outcome; `attempt` is how many requests were sent for it. In a move `moved_to`"
    " says where to, and `gap_ms` how long it was attached to nothing",
    "number.retry": "another request will be sent for it, in `wait_s` seconds at the earliest",
    "precheck.finished": "the pre-check is done: `to_detach`, `to_move` or `to_reattach` counts, `blocks` says what"
    " forbids it",
    "precheck.warning": "something that a person should know before it begins",
    "report.unwritable": "a report file could not be written",
    "run.finished": "the last line: `status`, `exit_code` and how many items have each outcome",
    "run.interrupted": "a signal came; requests in flight finish",
    "run.paused": "somebody paused it",
    "run.started": "a process began to work on the run; `rollback_of` is the run that it puts back",
    "run.unpaused": "somebody let it go on",
    "verification.incomplete": "the look at the end failed; outcomes stand as the provider answered",
    "tracing.failed": "traces could not be sent",
    "tracing.started": "traces are sent",
}
"""What each event of ``log.jsonl`` tells."""


def pages() -> dict[str, str]:
    """Return each page's text by the name of its file."""
    bodies = {
        "commands": ("Commands", _commands()),
        "config": ("Config keys", _config()),
        "plan": ("Plan keys", _keys(plan.json_schema(), "The top of a plan")),
        "report": ("Report keys", _keys(report.json_schema(), "The top of a report", with_defaults=False)),
        "outcomes": ("Outcomes", _outcomes()),
        "exit-codes": ("Exit codes", _exit_codes()),
        "events": ("Events", _events()),
    }
    made = "<!-- Made by `make reference` from the code; do not edit. -->"
    return {f"{name}.md": f"{made}\n\n# {title}\n\n{body.rstrip()}\n" for name, (title, body) in bodies.items()}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; bars in its cells are escaped."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines) + "\n"


def events() -> list[str]:
    """Return the events that the code logs, by name."""
    found: set[str] = set()
    for path in (ROOT / "runner").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found |= set(_logged(node))
    return sorted(found)


def _logged(node: ast.AST) -> Iterator[str]:
    if not (isinstance(node, ast.Call) and node.args):
        return
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in _LEVELS:
        texts = (each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant))
        yield from (text for text in texts if isinstance(text, str) and _EVENT.fullmatch(text))


def _commands() -> str:
    shared = [option for option in teardown.params if isinstance(option, click.Option)]
    names = {option.name for option in shared}
    parts = [
        "`teardown COMMAND --help` says the same. Every command also takes the [options of all](#options-of-all).\n\n"
    ]
    context = click.Context(teardown, info_name="teardown")
    for name in teardown.list_commands(context):
        command = teardown.get_command(context, name)
        if command:
            parts.append(_command(command, click.Context(command, context, name), names))
    return "".join([*parts, "## Options of all\n\n", _options(shared, context)])


def _command(command: click.Command, context: click.Context, shared: set[str]) -> str:
    usage = command.get_usage(context).removeprefix("Usage: ")
    own = [each for each in command.params if isinstance(each, click.Option) and each.name not in shared]
    text = f"## {context.info_name}\n\n{command.help}\n\n```text\n{' '.join(usage.split())}\n```\n\n"
    return text + (_options(own, context) if own else "")


def _options(options: Iterable[click.Option], context: click.Context) -> str:
    records = (option.get_help_record(context) for option in options)
    return table(("option", "what"), ([f"`{names}`", text] for names, text in filter(None, records)))


def _config() -> str:
    above = (
        "`config.example.yaml` shows all of it with the defaults. Each value can be overridden by an environment\n"
        "variable: `TEARDOWN_` and the keys, joined by two underscores: `TEARDOWN_RETRY__MAX_ATTEMPTS=3`,\n"
        "`TEARDOWN_ACCOUNTS__UNPOD_MAIN__RATE=5/s`. `teardown schema config` prints the JSON Schema.\n\n"
    )
    return above + _keys(config.json_schema(), "The top of a config")


def _keys(schema: dict[str, object], top: str, *, with_defaults: bool = True) -> str:
    parts = []
    for section in sections(schema, top):
        parts.append(f"## {section.title}\n\n{section.about}\n\n" if section.about else f"## {section.title}\n\n")
        columns = (0, 1, 2, 3) if with_defaults else (0, 1, 3)
        rows = [("key", "value", "default", "meaning"), *section.rows]
        head, *body = [[row[column] for column in columns] for row in rows]
        parts.append(table(head, body))
    return "".join(parts)


def _outcomes() -> str:
    schema = report.json_schema()["$defs"]
    above = "Every item of a plan ends in exactly one of these, and the counts add up to `planned`.\n\n"
    rows = (
        [f"`{name}`", value["description"]]
        for name, value in schema["totals"]["properties"].items()
        if name != "planned"
    )
    words = schema["number"]["properties"]
    below = "`reason` is one of {}; `confirmed_by` is one of {}.\n".format(
        *(", ".join(f"`{word}`" for word in words[key]["enum"] if word) for key in ("reason", "confirmed_by"))
    )
    return above + table(("outcome", "meaning"), rows) + below


def _exit_codes() -> str:
    above = "The exit code is computed from the report alone.\n\n"
    return above + table(
        ("exit", "meaning", "what to do"), ([code, meaning, do] for code, (meaning, do) in EXIT_CODES.items())
    )


def _events() -> str:
    above = (
        "`runs/RUN_ID/log.jsonl` in the state folder holds one JSON object a line: `ts`, `level`, `event`, `run_id`,\n"
        "and where they apply `account`, `provider`, `target`, `number`, `attempt`, `http_status`, `latency_ms`,\n"
        "`outcome` and `error`. A number that goes well has one line, `number.finished`.\n\n"
    )
    return above + table(("event", "what it tells"), ([f"`{name}`", EVENTS.get(name, "")] for name in events()))


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
