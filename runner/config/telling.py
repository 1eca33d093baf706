"""Whom to tell and what to start, as values: recipients of notifications, and hooks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.config.secret import SecretRef

Event = Literal["finish", "failure", "guard"]
Attachment = Literal["none", "html", "json", "md"]
Moment = Literal["start", "failure", "finish"]


@dataclass(frozen=True, slots=True)
class Recipient:
    """One entry of ``notify``: addresses of Apprise, of what they are told, and how; ``timeout`` in seconds."""

    urls: tuple[SecretRef, ...]
    events: frozenset[Event] = frozenset({"finish", "guard"})
    template: str | None = None
    attach: Attachment = "none"
    dry_run: bool = False
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class Hook:
    """One command: a program and its arguments, started without a shell; ``place`` is where the config has it."""

    command: tuple[str, ...]
    place: str = ""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The commands by the moment of a run at which they are started; ``timeout`` in seconds for each."""

    commands: Mapping[Moment, Hook] = field(default_factory=dict)
    timeout: float = 60.0
    required: bool = False
    """Whether nothing is sent when the start hook fails."""
    dry_run: bool = False
