"""``notify`` and ``hooks`` of a config: addresses left as references, templates tried, commands split."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from runner import letter
from runner.config.grammar import HooksFile, RecipientFile
from runner.config.programs import found
from runner.config.secret import SecretRef
from runner.config.telling import Hook, Hooks, Moment, Recipient
from runner.document import Mapping, Node, Page, Scalar, Sequence
from runner.document.schema import validate


def read_recipients(node: Node | None, page: Page) -> tuple[Recipient, ...]:
    """Return the recipients under ``notify:`` that are sound, after noting what is wrong with the others."""
    if node is None:
        return ()
    if not isinstance(node, Sequence):
        page.problem(node, "`notify` must be a list, and each of its items a mapping with `urls`")
        return ()
    return tuple(recipient for item in node.items if (recipient := _recipient(item, page)))


def _recipient(node: Node, page: Page) -> Recipient | None:
    model = validate(RecipientFile, node, page, "an item of `notify`")
    if not isinstance(node, Mapping):
        return None
    listed = node.get("urls")
    items = listed.items if isinstance(listed, Sequence) else []
    refs = [_address(item, page) for item in items if isinstance(item, Scalar) and item.text]
    _try_template(node.get("template"), page)
    if model is None:
        return None
    values = vars(model) | {"urls": tuple(ref for ref in refs if ref), "events": frozenset(model.events)}
    return Recipient(**values)


def _address(node: Scalar, page: Page) -> SecretRef | None:
    try:
        ref = SecretRef.parse(node.text or "", Path(page.name).parent, page.place(node))
    except ValueError as error:
        page.problem(node, f"an item of `urls` {error}")
        return None
    if ref.kind == "literal":
        page.warn(node, "an address stands here in the clear, and it may hold a secret; write ${NAME} or file:/path")
    return ref


def _try_template(node: Node | None, page: Page) -> None:
    if isinstance(node, Scalar) and node.text is not None:
        try:
            letter.check(node.text)
        except ValueError as error:
            page.problem(node, f"`template` {error}")


def read_hooks(node: Node | None, page: Page) -> Hooks:
    """Return the hooks under ``hooks:``, after noting what is wrong with them."""
    if node is None or (model := validate(HooksFile, node, page, "`hooks`")) is None or not isinstance(node, Mapping):
        return Hooks()
    if model.required and not model.start:
        page.problem(node.get("required") or node, "`required` is about `start`, which is not there; add it")
    commands = {
        moment: Hook(found(command, page, spot), page.place(spot))
        for moment in get_args(Moment)
        if (command := getattr(model, moment)) and (spot := node.get(moment))
    }
    return Hooks(commands, model.timeout, model.required, model.dry_run)
