"""A provider that behaves like the documented ones, with faults on request, and knows what is true.

Users try the tool against it, and every test that needs a provider uses it as the fake at the edge.
"""

from runner.sandbox.faults import KINDS, Faults
from runner.sandbox.record import Record, Request
from runner.sandbox.server import API_KEY, API_SECRET, ORG_HANDLE, TOKEN, Server, run_forever, serve
from runner.sandbox.world import World

__all__ = [
    "API_KEY",
    "API_SECRET",
    "KINDS",
    "ORG_HANDLE",
    "TOKEN",
    "Faults",
    "Record",
    "Request",
    "Server",
    "World",
    "run_forever",
    "serve",
]
