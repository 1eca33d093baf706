"""Commands in a config or a plan: where their program is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.document import Given, quoted

if TYPE_CHECKING:
    from runner.document import Node, Page


def found(command: tuple[str, ...], page: Page, spot: Node) -> tuple[str, ...]:
    """Return the command; a relative path to its program starts at the folder of the file that it stands in."""
    program, *arguments = command
    if "/" not in program or isinstance(spot, Given):
        return command
    try:
        return (str((Path(page.name).parent / Path(program).expanduser()).absolute()), *arguments)
    except RuntimeError:  # ~ stands for a home folder that nobody knows
        page.problem(spot, f"{quoted(program)} begins with an unknown home folder; write the path out")
        return command
