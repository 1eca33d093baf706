"""Numbers that are in a call, as a provider's rows name those who talk: not always in E.164."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCHEME = re.compile(r"^(sips?|tel):", re.IGNORECASE)
_NO_DIGITS = re.compile("[^0-9]+")
_FEWEST = 7
"""Fewer digits are an extension, and no number of a plan."""


class Busy:
    """Those who are in a call, written as E.164, as a SIP address, with a dialling prefix or without a country.

    What cannot be told apart is in a call: a number is wrongly spared rather than wrongly cut off.
    """

    def __init__(self, parties: Iterable[str] = ()) -> None:
        self._whole = {digits for party in parties if len(digits := _digits(party)) >= _FEWEST}
        self._ends = {end for digits in self._whole for end in _ends_of(digits)}

    def __contains__(self, number: str) -> bool:
        """Whether ``number``, in E.164, is in a call."""
        digits = _digits(number)
        return digits in self._ends or any(end in self._whole for end in _ends_of(digits))


def _digits(party: str) -> str:
    user = _SCHEME.sub("", party.strip()).partition("@")[0].partition(";")[0]
    return _NO_DIGITS.sub("", user).lstrip("0")


def _ends_of(digits: str) -> list[str]:
    return [digits[begin:] for begin in range(len(digits) - _FEWEST + 1)]
