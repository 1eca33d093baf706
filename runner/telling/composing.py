"""From facts to a message: its title, its text, and the report that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from runner import letter
from runner.log import mask_text, plain
from runner.report import ReportUnwritable, save

if TYPE_CHECKING:
    from pathlib import Path

    from runner.config import Recipient
    from runner.report import Report
    from runner.telling.facts import Facts

_LARGEST = 8 * 2**20
"""Bytes of a report that still goes with a message; mail servers and chats refuse more."""


class Composing(Struct, frozen=True):
    """What to tell of one event; ``report`` is null where there is none yet, ``masked`` hides numbers in the text."""

    folder: Path
    facts: Facts
    report: Report | None
    masked: bool

    def message(self, recipient: Recipient) -> tuple[str, str, Path | None]:
        """Return title, text and the file to attach; what cannot be had of them is said in the text."""
        parts, enclosed = [self._body(recipient)], None
        try:
            enclosed = self._enclosed(recipient)
        except (ReportUnwritable, OSError) as error:
            parts.append(f"The report is not attached: {error}")
        text = "\n".join(plain(line) for part in parts for line in part.splitlines())
        return self._title(), mask_text(text) if self.masked else text, enclosed

    def _title(self) -> str:
        how = "a guard tripped" if self.facts["event"] == "guard" else self.facts["status"]
        return plain(f"teardown {self.facts['plan']}: {how}")

    def _body(self, recipient: Recipient) -> str:
        """Return what the recipient's template makes of the facts; where it cannot, the usual text that says so."""
        usual = letter.render(letter.DEFAULT, self.facts)
        if recipient.template is None:
            return usual
        try:
            return letter.render(recipient.template, self.facts)
        except Exception as error:  # noqa: BLE001 - a template of the user's may do anything wrong
            return f"{usual}\nThis is the usual text: the template failed ({type(error).__name__}: {error})."

    def _enclosed(self, recipient: Recipient) -> Path | None:
        if self.report is None or recipient.attach == "none":
            return None
        path = self.folder / f"report.{recipient.attach}"
        if recipient.attach == "md":  # the other two are written by every run
            save(self.report, path)
        if (size := path.stat().st_size) > _LARGEST:
            raise OSError(f"it has {size / 2**20:.0f} MiB")
        return path
