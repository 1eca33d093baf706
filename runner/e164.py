"""Phone numbers as E.164: a pattern first, and phonenumbers only for what the pattern cannot judge.

The pattern costs a fraction of a microsecond a number. What a numbering plan knows is asked once per country calling
code and then costs about a microsecond, so every number of a plan is asked about. phonenumbers is imported when the
first of these questions comes up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from array import array

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_PATTERN = re.compile(r"\+[1-9][0-9]{0,13}\*")
_LONGEST = 60
_MEND = "write `+`, the country code and the number: 7 to 15 digits"


class NumberList(Sequence[str]):
    """E.164 numbers at eight bytes each; reads as a sequence of text, and equals any that holds the same.

    ``digits`` are their digits as whole numbers, in an array of type ``Q``.
    """

    __slots__ = ("_digits",)

    def __init__(self, digits: array[int]) -> None:
        self._digits = digits

    def __len__(self) -> int:
        return len(self._digits)

    def __iter__(self) -> Iterator[str]:
        return map("+%d".__mod__, self._digits)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> NumberList: ...
    def __getitem__(self, index: int | slice) -> str | NumberList:
        found = self._digits[index]
        return f"+{found}" if isinstance(found, int) else NumberList(found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(str.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment] # it may equal a list

    def __repr__(self) -> str:
        return f"NumberList({list(self)})"


def is_e164(text: str) -> bool:
    """Say whether ``text`` is ``+`` and 7 to 15 digits, the first not 0."""
    return _E164.fullmatch(text) is not None


def is_pattern(text: str) -> bool:
    """Say whether ``text`` is the beginning of a number with ``*`` at its end, such as ``+4420*``."""
    return _PATTERN.fullmatch(text) is not None


def check(text: str) -> str | None:
    """One sentence with the mend when ``text`` is not E.164, with the number that was meant where it shows."""
    if _E164.fullmatch(text):
        return None
    shown = repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
    if meant := suggest(text):
        return f"{shown} is not an E.164 number; did you mean {meant}?"
    return f"{shown} is not an E.164 number; {_MEND}"


def suggest(text: str) -> str | None:
    """Guess the E.164 number that ``text`` means; a number without a country code is read as a North American one."""
    if not 7 <= len(text) <= _LONGEST:  # noqa: PLR2004 - the shortest number has seven digits
        return None
    bare = text.strip().removeprefix("'").removesuffix(".0")
    if bare.startswith("00"):
        return _parsed(f"+{bare[2:]}", None)
    return _parsed(bare, None) or _parsed(bare, "US") or (_parsed(f"+{bare}", None) if bare[:1].isdigit() else None)


def doubt(number: str) -> str | None:
    """One sentence when the numbering plan of an E.164 ``number`` has no such number, else None.

    Judges the country calling code, the length and the digits that a number there can begin with. Numbers that are
    merely not handed out, such as the fictional +14155550101, are not doubted.
    """
    code, lengths, pattern = _numbering_plan(number[1:4])
    if len(number) in lengths and pattern.fullmatch(number, 1 + len(code)):
        return None
    if code:
        return f"the numbering plan of country code +{code} has no number like {number}; check it"
    return f"no country code begins like {number}; check it"


def _parsed(text: str, region: str | None) -> str | None:
    import phonenumbers  # noqa: PLC0415 - a third of the start-up time of a command that needs none of it

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    shown = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return shown if phonenumbers.is_valid_number(number) and is_e164(shown) else None


@cache
def _numbering_plan(begin: str) -> tuple[str, frozenset[int], re.Pattern[str]]:
    """Return the country calling code of numbers whose first three digits are ``begin``, empty where there is none.

    With it come how long such numbers are with their plus, and what follows the code.
    """
    import phonenumbers  # noqa: PLC0415 - as above

    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE
    code = next((begin[:digits] for digits in (1, 2, 3) if int(begin[:digits]) in regions), "")
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code
    found = [metadata(int(code), region) for region in regions[int(code)]] if code else []
    known = [one.general_desc for one in found if one and one.general_desc]
    lengths = frozenset(1 + len(code) + length for one in known for length in one.possible_length)
    return code, lengths, re.compile("|".join(f"(?:{one.national_number_pattern})" for one in known))
