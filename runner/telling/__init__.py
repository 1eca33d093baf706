"""Tell others what becomes of a run: people by notifications, programs by hooks; the run itself never depends on it."""

from runner.telling.commands import in_hook_of
from runner.telling.facts import Subject
from runner.telling.teller import Audience, Teller

__all__ = ["Audience", "Subject", "Teller", "in_hook_of"]
