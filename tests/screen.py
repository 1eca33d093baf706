"""A screen as a terminal keeps it: what of all that was written can be seen in the end."""

import re
from itertools import groupby
from operator import itemgetter

_PART = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|\x1b\][^\x07]*\x07|([\r\n])|([^\x1b\r\n]+)")


class Screen:
    """Rows of cells, each a character and its style; knows what displays use, and refuses the rest."""

    def __init__(self, width, height):
        self.width, self.height = width, height
        self.above = []
        """The rows that have scrolled away."""
        self.rows, self.at, self.column, self.style, self.cursor = [[]], 0, 0, "", True

    def feed(self, text):
        """Take what a program writes; an escape sequence has to be whole."""
        end = 0
        for part in _PART.finditer(text):
            assert part.start() == end, f"not understood: {text[end : part.start()]!r}"
            end = part.end()
            arguments, command, move, words = part.groups()
            if command:
                self._obey(command, arguments)
            elif move:
                self._move(move)
            elif words:
                self._write(words)
        assert end == len(text), f"not understood: {text[end:]!r}"

    def lines(self):
        """Return the text of every row that can be seen."""
        return ["".join(character for character, _ in row).rstrip() for row in self.rows]

    def everything(self):
        """Return the text of all rows, those that have scrolled away as well."""
        return ["".join(character for character, _ in row).rstrip() for row in (*self.above, *self.rows)]

    def styled(self):
        """Return every row with the codes of its colours."""
        return ["".join(map(_styled, groupby(row, key=itemgetter(1)))) for row in self.rows]

    def resize(self, width, height):
        """Become larger or smaller; rows that are too long are wrapped, as most terminals do."""
        self.width, self.height = width, height
        below = len(self.rows) - self.at
        self.rows = [row[at : at + width] for row in self.rows for at in range(0, max(1, len(row)), width)]
        self.at = len(self.rows) - below
        self._scroll()

    def _obey(self, command, arguments):
        match command:
            case "m":
                self.style = "" if arguments in {"", "0"} else f"\x1b[{arguments}m"
            case "A":
                self.at = max(0, self.at - int(arguments or 1))
            case "K" if arguments == "2":
                self.rows[self.at] = []
            case "h" | "l" if arguments == "?25":
                self.cursor = command == "h"
            case _:
                raise AssertionError(f"not understood: {arguments}{command}")

    def _move(self, move):
        self.column = 0
        if move == "\n":
            self.at += 1
            if self.at == len(self.rows):
                self.rows.append([])
            self._scroll()

    def _scroll(self):
        while len(self.rows) > self.height:
            self.above.append(self.rows.pop(0))
            self.at = max(0, self.at - 1)

    def _write(self, words):
        for character in words:
            if self.column == self.width:
                self._move("\n")
            row = self.rows[self.at]
            row.extend([(" ", "")] * (self.column + 1 - len(row)))
            row[self.column] = character, self.style
            self.column += 1


def _styled(run):
    style, cells = run
    return f"{style}{''.join(character for character, _ in cells)}\x1b[0m"
