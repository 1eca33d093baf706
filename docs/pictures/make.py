"""Make run.svg: what a terminal shows in the middle of a real run against the sandbox, with faults of a fixed seed."""

import io
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "e2e")]

from terminal import Terminal  # noqa: E402 - found only by the paths above

WIDTH, HEIGHT = 92, 30
COMMAND = ["run", "plans/decommission-200.yaml", "--sandbox", "--seed", "4"]
SHOWN = "$ teardown run plans/decommission-200.yaml --sandbox --faults ..."
FAULTS = "lost_after=5%,http_500_after=4%,http_400_after=2%,lying_200=2%,http_429=1%:3s"
FORM = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="A run">
<style>{styles} .{unique_id}-matrix {{ font: {char_height}px monospace; white-space: pre }}</style>
<rect width="100%" height="100%" rx="8" fill="#1c1f24"/>
<g transform="translate(12, 10)"><g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""


def main() -> None:
    """Run the demo's plan, and keep what can be seen when a lane waits in the midst of it."""
    environment = {
        "TERM": "xterm",
        "TEARDOWN_CONFIG": str(ROOT / "config.example.yaml"),
        "TEARDOWN_RETRY__MAX_DELAY": "1s",
    }
    with tempfile.TemporaryDirectory() as folder:
        options = [
            "--faults",
            FAULTS,
            "--rate",
            "unpod-main=20/s",
            "--rate",
            "videosdk-main=10/s",
            "--state-dir",
            folder,
        ]
        with Terminal(*COMMAND, *options, size=(WIDTH, HEIGHT), **environment) as terminal:
            terminal.expect("to go on: ")
            terminal.type("sales-eu-decommission\n")
            terminal.until(worth_a_picture)
            rows = terminal.screen.styled()
    (HERE / "run.svg").write_text(drawn([SHOWN, *rows]), encoding="utf-8")


def worth_a_picture(lines: list[str]) -> bool:
    """Whether both lanes have done something, one of them waits, and there was trouble."""
    lanes = [line for line in lines if line.startswith(("unpod-main ", "videosdk-main "))]
    waits = any("throttled by the provider, " in line for line in lanes)
    return waits and not any(" 0/" in line for line in lanes) and any("Z failed " in line for line in lines)


def drawn(rows: list[str]) -> str:
    """Return an SVG of rows that have colour codes in them."""
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_terminal=True, highlight=False)
    for row in rows:
        console.print(Text.from_ansi(row), no_wrap=True, overflow="crop")
    picture = console.export_svg(theme=MONOKAI, code_format=FORM, unique_id="t")
    return re.sub(r' clip-path="[^"]*"', "", picture)  # nothing is wider than its row


if __name__ == "__main__":
    main()
