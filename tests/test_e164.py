"""Phone numbers: what is E.164, what was meant, and what is doubtful."""

import subprocess
import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import e164


@pytest.mark.parametrize("number", ["+1415555", "+14155550101", "+442079460000", "+123456789012345"])
def test_e164_is_accepted(number):
    """`+` and 7 to 15 digits, the first not 0, is all that is asked."""
    assert e164.is_e164(number)
    assert e164.check(number) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("(415) 555-0100", "+14155550100"),
        ("415-555-0100", "+14155550100"),
        ("14155550101", "+14155550101"),
        ("tel:+1-415-555-0100", "+14155550100"),
        ("00 44 20 7946 0000", "+442079460000"),
        ("+44 (0)20 7946 0000", "+442079460000"),
        ("442079460000", "+442079460000"),
        ("'+14155550100", "+14155550100"),
        ("14155550100.0", "+14155550100"),
        ("+14155550101\n", "+14155550101"),
        ("+１4155550101", "+14155550101"),  # noqa: RUF001 - a full-width digit
    ],
)
def test_the_number_that_was_meant_is_suggested(text, meant):
    """Usual ways to write a number lead to its E.164 form."""
    assert e164.check(text) == f"{text!r} is not an E.164 number; did you mean {meant}?"
    assert e164.suggest(text) == meant


@pytest.mark.parametrize(
    "text", ["", "+", "abc", "+0123456789", "+123456", "+1234567890123456", "1.41555E+10", "9" * 999]
)
def test_what_cannot_be_guessed_gets_the_rule(text):
    """Without a guess the sentence says what E.164 is, and stays short."""
    complaint = e164.check(text)
    assert complaint is not None
    assert complaint.endswith("write `+`, the country code and the number: 7 to 15 digits")
    assert len(complaint) < 180


@pytest.mark.parametrize(
    "number", ["+14155550101", "+442079460000", "+12000000000", "+4915100000000", "+80012345678", "+390612345678"]
)
def test_possible_numbers_are_not_doubted(number):
    """A number that its numbering plan has room for is fine, handed out or not."""
    assert e164.doubt(number) is None


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("+9990000000", "no country code begins like +9990000000"),
        ("+1415555", "the numbering plan of country code +1 has no number like +1415555"),
        ("+10000000000", "the numbering plan of country code +1 has no number like"),
        ("+4420794600001111", "the numbering plan of country code +44"),
    ],
)
def test_unknown_numbers_are_doubted(number, why):
    """A country code that does not exist, a wrong length and a wrong beginning are doubtful."""
    assert e164.doubt(number).startswith(why)
    assert e164.doubt(number).endswith("; check it")


@pytest.mark.parametrize(("text", "good"), [("+4420*", True), ("+*", False), ("4420*", False), ("+44*20*", False)])
def test_patterns_are_the_beginning_of_a_number(text, good):
    """A pattern is `+`, at least one digit and one `*` at the end."""
    assert e164.is_pattern(text) is good


@given(st.text(max_size=80))
def test_any_text_gets_a_verdict(text):
    """Whatever the text, it is E.164 or gets one sentence, and a suggestion is E.164 itself."""
    assert (e164.check(text) is None) == e164.is_e164(text)
    meant = e164.suggest(text)
    assert meant is None or e164.is_e164(meant)


def test_a_list_of_numbers_reads_like_a_tuple():
    """A number list gives back what went in, whole, in parts and compared."""
    texts = ("+14155550101", "+999999999999999", "+1000000")
    listed = e164.NumberList(array("Q", map(int, texts)))
    assert (tuple(listed), len(listed), listed[1], listed[-1]) == (texts, 3, texts[1], texts[2])
    assert listed == texts
    assert listed == list(texts)
    assert listed[1:] == texts[1:]
    assert listed != texts[:2]
    assert listed != (*texts[:2], "+1000001")
    assert listed != set(texts)
    assert texts[0] in listed
    assert repr(listed) == f"NumberList({list(texts)})"


@given(st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True))
def test_any_number_can_be_judged(number):
    """Every E.164 number is doubted or not, without an error."""
    assert e164.check(number) is None
    assert e164.doubt(number) is None or number in e164.doubt(number)


def test_good_numbers_do_not_need_the_library():
    """Checking numbers that match the pattern imports nothing heavy."""
    code = "import sys; from runner import e164; e164.check('+14155550101'); print('phonenumbers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
