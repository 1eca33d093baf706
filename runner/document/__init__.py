"""What the user writes, as located values: YAML, number files, and the sentences about what is wrong with them.

Every scalar stays text (``+14155550101`` keeps its plus, ``NO`` is not false), and every value knows its line and
column, so that plan and config can note all problems of a reading at once and at their places.
"""

from runner.document.compose import ITEMS, compose, uncollected
from runner.document.files import CONFIG_LIMIT, PLAN_LIMIT, SECRET_LIMIT, decode, read
from runner.document.nodes import Findings, Given, Mapping, Node, Page, Scalar, Sequence, Spot, Taken, quoted

__all__ = [
    "CONFIG_LIMIT",
    "ITEMS",
    "PLAN_LIMIT",
    "SECRET_LIMIT",
    "Findings",
    "Given",
    "Mapping",
    "Node",
    "Page",
    "Scalar",
    "Sequence",
    "Spot",
    "Taken",
    "compose",
    "decode",
    "quoted",
    "read",
    "uncollected",
]
