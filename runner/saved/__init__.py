"""Checks as files: saved, approved by their hash, and run once, just as they are."""

from runner.saved.approval import Approval, admit
from runner.saved.form import json_schema
from runner.saved.reading import SavedCheck, load
from runner.saved.writing import Look, check_free, save

__all__ = ["Approval", "Look", "SavedCheck", "admit", "check_free", "json_schema", "load", "save"]
