"""Plans: which numbers to detach from which targets, from YAML, with every problem at its place."""

from runner.plan.kind import is_saved_check
from runner.plan.loading import json_schema, load
from runner.plan.model import Approved, Group, Plan

__all__ = ["Approved", "Group", "Plan", "is_saved_check", "json_schema", "load"]
