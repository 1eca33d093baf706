"""Guards from a config or a plan: laid over the defaults, with every protected number checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner import e164
from runner.config.grammar import GateFile, GuardsFile
from runner.config.programs import found
from runner.document import Mapping, Node, Page, Scalar, Sequence, quoted, tables
from runner.document.schema import validate
from runner.policy import Gate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.policy import Guards


def read_guards(node: Node | None, page: Page, defaults: Guards) -> tuple[Guards, list[bytes]]:
    """Return the guards of one ``guards:`` mapping over ``defaults``, and the SHA-256 of each file it names.

    What is set wins over the default, but protected numbers add up: a plan cannot lift what the config protects.
    """
    if node is None or (model := validate(GuardsFile, node, page, "`guards`")) is None:
        return defaults, []
    assert isinstance(node, Mapping)  # noqa: S101 - or it would not be valid
    digests, listed = _protected_file(node.get("protect_from"), page)
    protect = node.get("protect")
    inline = protect.items if isinstance(protect, Sequence) else []
    entries = _patterns(page, (item for item in inline if isinstance(item, Scalar)))
    values = {name: value for name, value in vars(model).items() if value is not None and name != "protect_from"}
    if model.gate and (spot := node.get("gate")):
        values["gate"] = _gate(model.gate, page, spot)
    values["protect"] = tuple(dict.fromkeys([*defaults.protect, *entries, *listed]))
    return replace(defaults, **values), digests


def _gate(model: GateFile, page: Page, spot: Node) -> Gate:
    if (model.url is None) is (model.command is None):
        page.problem(spot, "`gate` asks one thing: give either `url` or `command`")
    command = found(model.command, page, spot) if model.command else ()
    return Gate(model.url, command, model.every, model.timeout, model.on_fail)


def _protected_file(node: Node | None, page: Page) -> tuple[list[bytes], list[str]]:
    if not isinstance(node, Scalar) or not node.text:
        return [], []
    table = tables.load(Path(page.name).parent / node.text, page, node)
    return ([table.digest], _patterns(table.page, (number for number, _ in table.rows))) if table else ([], [])


def _patterns(page: Page, entries: Iterable[Scalar]) -> list[str]:
    """Return the entries as text, after noting each that is neither a number nor the beginning of one with ``*``."""
    kept: list[str] = []
    for entry in entries:
        text = entry.text or ""
        if "*" in text and not e164.is_pattern(text):
            page.problem(entry, f"{quoted(text)} is not a pattern; write `+`, some digits and one `*` at the end")
        elif "*" not in text and (complaint := e164.check(text)):
            page.problem(entry, complaint)
        kept.append(text)
    return kept
