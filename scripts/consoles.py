"""The terminal sessions that pages show: run as they stand, and compared with what is shown, or written anew.

    python -m scripts.consoles --write docs/tutorial.md

A block ``console`` holds commands behind ``$`` and what they print. One with the title "second terminal" (or third)
goes on while the rest of the page runs. A block with a file's name for its title is that file. A command that fails is
followed by ``$ echo $?``.

A line ``…`` stands for any lines, and ``…`` in a line for any words. Ids of runs, times, durations and rates may be
others than shown, other numbers only below ``<!-- counts vary -->``. Lines of progress are not shown. What stands under
``<!-- typed: y -->`` is run on a terminal, where that is answered.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
_ANY = "…\n"
BACKGROUND = ("second terminal", "third terminal")
_FENCE = re.compile(
    r"^(?:<!-- (?:typed: (?P<typed>.*)|(?P<vary>counts vary)) -->\n\n?)?"
    r'```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$',
    re.DOTALL | re.MULTILINE,
)
_RUN_ID = r"\d{8}T\d{9}Z-[0-9a-f]{4}"
_KINDS = {
    "run": _RUN_ID,
    "time": r"(?:\d{4}-\d\d-\d\d[T ])?\d\d:\d\d:\d\d(?:\.\d+)?Z?",
    "hash": r"[0-9a-f]{64}",
    "figure": r"\d[\d.,]*(?=(?: of [\d.]+/s| ?m?s|/s| min| MB)\b)|(?<![\w.])\d[\d,]*\.\d+(?![\w.])",
    "left_out": "…",
}
_CHANGING = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS.items()))
_PROGRESS = re.compile(r"^teardown: \d+/\d+ .*\n", re.MULTILINE)
_PORT = re.compile(r"(?<=:|[ ])8765\b")
_PORTS = range(20_000, 30_000)


def _free_port() -> str:
    """Return a port below those that the system hands out by itself: nobody gets it before the page needs it."""
    for step in range(len(_PORTS)):
        port = _PORTS[(os.getpid() * 37 + step) % len(_PORTS)]  # far from those of other processes
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return str(port)
    raise SystemExit("no port is free for a page's sandbox")


@dataclass(slots=True)
class Rehearsal:
    """A page while it is being run: the shell, and which of the page's ids and ports stand for which real ones."""

    shell: Shell
    folder: Path
    port: str = field(default_factory=_free_port)
    runs: dict[str, str] = field(default_factory=dict)

    def block(self, match: re.Match[str]) -> str:
        """Carry out one block, and return it as it should be shown."""
        title, language, text = match["title"], match["language"], match["text"]
        if language == "console":
            steps = list(_steps(text))
            shown = "".join(self._step(command, out, match) for command, out in steps)
            self._check_ending(steps)
            return match[0].removesuffix(f"{text}```") + shown + "```"
        if title:
            (self.folder / title).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / title).write_text(self._real(text), encoding="utf-8")
        return match[0]

    def _step(self, command: str, shown: str, block: re.Match[str]) -> str:
        if self.shell.code and not command.startswith("echo $?"):
            raise ValueError(
                f"the command before `{command}` failed with {self.shell.code}, and the page does not say so"
            )
        real = self._real(command)
        if block["title"] in BACKGROUND:
            said = self.shell.leave(real, shown.replace(_ANY, "").count("\n")) + (_ANY if _ANY in shown else "")
        else:
            said = self.shell.type(real, block["typed"]) if block["typed"] else self.shell.run(real)
        settled = self._settle(shown, self._tidy(said), vary=bool(block["vary"]))
        return f"$ {command}\n{settled}"

    def _check_ending(self, steps: list[tuple[str, str]]) -> None:
        if self.shell.code:
            raise ValueError(f"`{steps[-1][0]}` failed with {self.shell.code}, and the page does not say so")

    def _settle(self, shown: str, said: str, *, vary: bool) -> str:
        """Return what is shown where it means what was said, else what was said."""
        ids = re.findall(_RUN_ID, shown)
        if same := re.fullmatch(_pattern(shown, vary=vary), said):
            self.runs |= dict(zip(ids, same.groups(), strict=True))
            return shown
        new = [run for run in dict.fromkeys(re.findall(_RUN_ID, said)) if run not in self.runs.values()]
        old = [run for run in dict.fromkeys(ids) if run not in self.runs]
        self.runs |= dict(zip([*old, *new[len(old) :]], new, strict=False))
        for page, real in self.runs.items():
            said = said.replace(real, page)
        return said

    def _real(self, text: str) -> str:
        text = _PORT.sub(self.port, text)
        for shown, real in self.runs.items():
            text = text.replace(shown, real)
        return text

    def _tidy(self, text: str) -> str:
        who = f"{getpass.getuser()} on {socket.gethostname()}"
        for real, shown in {str(self.folder): "/home/you", f":{self.port}": ":8765", who: "ana on ops-1"}.items():
            text = text.replace(real, shown)
        return _PROGRESS.sub("", "".join(f"{line.rstrip()}\n" for line in text.splitlines()))


def rehearse(page: Path, folder: Path) -> str:
    """Run what ``page`` shows in the empty ``folder``; return its text, changed where something else was said.

    Raises ValueError where a command fails and the page does not say so.
    """
    home, kept = folder / "home", folder / "kept"
    home.mkdir()
    kept.mkdir()
    for name in ("plans", "config.example.yaml"):
        (home / name).symlink_to(ROOT / name)
    with Shell(home, kept) as shell:
        return _FENCE.sub(Rehearsal(shell, home).block, page.read_text(encoding="utf-8"))


def pages() -> list[Path]:
    """Return the pages that show sessions."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    return sorted(page for page in found if "```console" in page.read_text(encoding="utf-8"))


def _steps(text: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a block, each with what is shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, shown = _COMMAND.match(part), ""
        if command:
            shown = part[command.end() :]
            yield command[0].rstrip("\n"), shown


_COMMAND = re.compile(r"(?:.*\\\n)*.*\n")


def _pattern(shown: str, *, vary: bool) -> str:
    """Return what text means the same as ``shown``; each id of a run in it is a group."""
    lines = shown.splitlines(keepends=True)
    return "".join("(?:.*\n)*?" if line == _ANY else _line_pattern(line, vary=vary) for line in lines)


def _line_pattern(line: str, *, vary: bool) -> str:
    pattern, at = "", 0
    for found in _CHANGING.finditer(line):
        kind = str(found.lastgroup)
        same = {"run": f"({_RUN_ID})", "left_out": ".*"}.get(kind, f"(?:{_KINDS[kind]})")
        pattern, at = pattern + _literally(line[at : found.start()], vary=vary) + same, found.end()
    return pattern + _literally(line[at:], vary=vary)


def _literally(text: str, *, vary: bool) -> str:
    return re.sub(r"\d+", r"\\d+", re.escape(text)) if vary else re.escape(text)


def main(words: list[str]) -> int:
    """Say which pages show what is no longer so; with ``--write``, mend them."""
    named = [Path(word) for word in words if word != "--write"]
    stale = 0
    for page in named or pages():
        with tempfile.TemporaryDirectory() as folder:
            now = rehearse(page, Path(folder))
        if now != page.read_text(encoding="utf-8"):
            stale += 1
            print(f"{page}: {'written anew' if '--write' in words else 'shows what is no longer so'}")
            if "--write" in words:
                page.write_text(now, encoding="utf-8")
    return 0 if "--write" in words else min(stale, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
