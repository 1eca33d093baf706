"""What an answer says: its sentence without secrets, and how long it asks to wait."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from raw_server import EPOCH, TOKEN, answer, meet, say

from runner.transport import Quota, message_of, quota, told_wait

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJhcGlrZXkiOiJrIn0.c2lnbmF0dXJl"


def http_date(seconds):
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


# -- messages

ERROR_BODIES = [
    ({"status_code": 401, "message": "Authentication credentials were not provided."}, "Authentication credentials"),
    ({"error": {"code": "rate_limit_exceeded", "message": "Rate limit exceeded."}}, "Rate limit exceeded."),
    ({"status_code": 206, "message": "No provider linked to this number.", "data": {}}, "No provider linked"),
    ({"detail": "Not found."}, "Not found."),
    ({"status_code": 400, "message": "Error", "data": {"phone_number": ["bad"]}}, "Error"),
    ({"msg": "Number is not attached"}, "Number is not attached"),
    ({"message": "", "error": "Bad input"}, "Bad input"),
    ({"statusMessage": "Denied", "code": 7}, "Denied"),
]


@pytest.mark.parametrize(("body", "sentence"), ERROR_BODIES)
async def test_every_known_error_body_is_understood(body, sentence):
    """The sentence of each shape that the providers are known to send stands in the error."""
    assert f"HTTP 400: {sentence}" in str(await meet(answer(400, body)))


@pytest.mark.parametrize("raw", [b"<html><h1>502 Bad Gateway</h1></html>", b"", b"[1]", b'"text"', b'{"message": 5}'])
async def test_any_other_error_body_gives_the_reason(raw):
    """A page of HTML, nothing, or a document without a sentence: the status and its reason have to do."""
    assert str(await meet(answer(502, raw=raw, reason="Bad Gateway"))) == "HTTP 502: Bad Gateway"


async def test_a_status_without_a_reason_is_still_a_sentence():
    """Where the answer says nothing at all, the error says that."""
    assert str(await meet(answer(500, reason=""))) == "HTTP 500: no explanation"


def test_a_body_nested_without_end_is_no_trap():
    """A thousand dictionaries in each other hold no sentence, and no crash."""
    body = "deep"
    for _ in range(5000):
        body = {"error": body}
    assert message_of(body) is None


@pytest.mark.parametrize("text", [f"bad token {TOKEN}!", f"bad token {TOKEN}-long!", f"bad token {JWT}!"])
async def test_secrets_are_struck(text):
    """A provider that repeats a token in its error does not get it into ours; the longer of two secrets goes whole."""
    met = await meet(answer(401, {"message": text}), secrets=(TOKEN, f"{TOKEN}-long"))
    assert str(met) == "HTTP 401: bad token ***!"


async def test_secrets_are_struck_from_reasons_and_broken_answers():
    """Nor from the status line, nor from what aiohttp says of an answer that it cannot read."""
    reason = await meet(answer(500, reason=f"bad {TOKEN}"), secrets=(TOKEN,))
    garbage = await meet(say(f"{TOKEN}\r\n\r\n".encode(), then_close=True), secrets=(TOKEN,))
    assert TOKEN not in str(reason) + str(garbage) + repr(garbage)


async def test_control_characters_are_struck():
    """An error cannot clear a terminal, or forge a line of the log."""
    met = await meet(answer(400, {"message": "a\x1b[2Jb\nc\u2028d\x9be\r\n"}))
    assert str(met) == "HTTP 400: a [2Jb c d e"


async def test_a_long_message_is_cut():
    """A stack trace of the provider's is not ours to keep."""
    met = await meet(answer(500, {"message": "x" * 10_000}))
    assert len(str(met)) == 200
    assert str(met).endswith("x…")


# -- patience

DATE = {"Date": http_date(EPOCH + 5000)}
WAITS = {
    "seconds": ({"Retry-After": "7"}, 7),
    "zero": ({"Retry-After": "0"}, 0),
    "fraction": ({"Retry-After": " 1.5 "}, 1.5),
    "date": ({"Retry-After": http_date(EPOCH + 60)}, 60),
    "date by a clock that is off": ({"Retry-After": http_date(EPOCH + 5060), **DATE}, 60),
    "past date": ({"Retry-After": http_date(EPOCH - 60)}, 0),
    "negative": ({"Retry-After": "-5"}, None),
    "garbage": ({"Retry-After": "soon"}, None),
    "empty": ({"Retry-After": ""}, None),
    "no number": ({"Retry-After": "nan"}, None),
    "infinite": ({"Retry-After": "inf"}, None),
    "none": ({}, None),
    "relative reset": ({"X-RateLimit-Reset": "30"}, 30),
    "unix reset": ({"X-RateLimit-Reset": f"{EPOCH + 45:.0f}"}, 45),
    "unix reset by a clock that is off": ({"X-RateLimit-Reset": f"{EPOCH + 5045:.0f}", **DATE}, 45),
    "past unix reset": ({"X-RateLimit-Reset": f"{EPOCH - 45:.0f}"}, 0),
    "unix reset beside a bad date": ({"X-RateLimit-Reset": f"{EPOCH + 45:.0f}", "Date": "yesterday"}, 45),
    "both": ({"Retry-After": "7", "X-RateLimit-Reset": "30"}, 7),
    "garbage and a reset": ({"Retry-After": "soon", "X-RateLimit-Reset": "30"}, 30),
}


@pytest.mark.parametrize(("headers", "wait"), WAITS.values(), ids=WAITS)
async def test_a_throttle_waits_as_long_as_it_is_told(headers, wait):
    """Retry-After comes first, then X-RateLimit-Reset; what makes no sense counts as not told."""
    met = await meet(answer(429, headers=headers))
    assert met.wait == wait


HEADER_TEXT = st.one_of(
    st.text(st.characters(codec="latin-1"), max_size=12),
    st.from_regex(r"[+-]?[0-9]{1,12}(\.[0-9]{1,3})?(e[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(
        ["9" * 5000, "inf", "-inf", "nan", "٣", "1_0", http_date(EPOCH), "Mon, 01 Jan 0001 00:00:00 +2300"]
    ),
)
NAMES = ["Retry-After", "X-RateLimit-Reset", "X-RateLimit-Remaining", "X-RateLimit-Limit", "Date"]


@given(st.dictionaries(st.sampled_from(NAMES), HEADER_TEXT))
@example({"X-RateLimit-Remaining": "9" * 5000, "X-RateLimit-Reset": "1"})
@settings(max_examples=500, deadline=None)
def test_no_header_makes_a_crash_or_an_endless_wait(headers):
    """Waits are finite and not negative, whatever the headers say."""
    wait, seen = told_wait(headers, EPOCH), quota(headers, EPOCH)
    assert wait is None or 0 <= wait < float("inf")
    assert seen is None or (0 <= seen.resets_in < float("inf") and 0 <= seen.remaining < 10**15)


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (("100", "7", "30"), Quota(100, 7, 30)),
        (("many", " 7 ", "30"), Quota(None, 7, 30)),
        ((None, "0", f"{EPOCH + 9:.0f}"), Quota(None, 0, 9)),
        (("100", None, "30"), None),
        (("100", "7", None), None),
        (("100", "-1", "30"), None),
        (("100", "7.5", "30"), None),
        (("100", "7", "soon"), None),
    ],
)
def test_a_quota_needs_what_is_left_and_when_it_resets(values, seen):
    """Without either there is nothing to heed; the limit alone may be missing."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    headers = {name: value for name, value in zip(names, values, strict=True) if value is not None}
    assert quota(headers, EPOCH) == seen
