"""The command line: parse, wire, signals, exit codes; no logic."""

from runner.cli.main import main

__all__ = ["main"]
