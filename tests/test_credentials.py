"""Tokens: what is signed into them, how long they are good, and that nothing shows them."""

import base64
import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.credentials import LIFETIME, GivenToken, MintedToken

KEY, SECRET = "api-key-1", "0123456789abcdef" * 4


class Clock:
    def __init__(self):
        self.seconds = 1_800_000_000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def minted(clock):
    return MintedToken(KEY, SECRET, clock)


def read(token, secret=SECRET):
    """The claims of a token whose signature is right; its times are those of the test's own clock."""
    unchecked = {"verify_exp": False, "verify_iat": False}
    return jwt.decode(token, secret, algorithms=["HS256"], options=unchecked)


def jwt_with(payload):
    return f"eyJh.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.sig"


# -- minted


def test_a_minted_token_says_what_the_vendors_own_does(minted, clock):
    """The claims of the server SDK, valid from a little before now, because clocks differ, for an hour."""
    assert read(minted.value()) == {
        "apikey": KEY,
        "permissions": ["allow_join", "allow_mod"],
        "version": 2,
        "roles": ["crawler"],
        "iat": clock.seconds - 30,
        "exp": clock.seconds + LIFETIME,
    }
    assert jwt.get_unverified_header(minted.value()) == {"alg": "HS256", "typ": "JWT"}


def test_a_minted_token_is_signed_with_the_secret(minted):
    """Another secret does not open it."""
    with pytest.raises(jwt.InvalidSignatureError):
        read(minted.value(), SECRET[::-1])


def test_a_short_secret_is_not_commented_on(clock):
    """How long a secret is, the vendor has chosen: no warning of a library gets between the lines on stderr."""
    token = MintedToken(KEY, "short", clock).value()
    assert jwt.get_unverified_header(token)["alg"] == "HS256"


def test_a_minted_token_is_used_until_five_minutes_before_its_end(minted, clock):
    """It is minted once, and again in time."""
    first = minted.value()
    clock.seconds += LIFETIME - 300
    assert minted.value() == first
    clock.seconds += 1
    second = minted.value()
    assert read(second)["exp"] == clock.seconds + LIFETIME
    assert minted.value() == second


def test_a_clock_that_is_set_back_keeps_the_token(minted, clock):
    """The token that was minted is still the newest one."""
    first = minted.value()
    clock.seconds -= 7200
    assert minted.value() == first


def test_a_refused_token_is_renewed_once(minted, clock):
    """Sixteen workers whose requests were refused with the same token share one new one."""
    refused = minted.value()
    clock.seconds += 10
    assert minted.renew(refused)
    second = minted.value()
    clock.seconds += 10
    assert all(minted.renew(refused) for _ in range(15))
    assert minted.value() == second != refused


def test_a_minted_token_has_no_end(minted):
    """A run never loses access over it."""
    minted.value()
    assert minted.expires_at is None


# -- given


def test_a_given_token_is_used_as_it_is():
    """There is no other one to be had."""
    token = GivenToken("tok")
    assert token.value() == "tok"
    assert token.renew("tok") is False


@pytest.mark.parametrize("seconds", [1_800_003_600, 1_800_003_600.5])
def test_the_end_of_a_given_jwt_is_known(seconds):
    """``exp`` is read, whoever signed it."""
    assert GivenToken(jwt.encode({"exp": seconds}, "another secret" * 5)).expires_at == seconds


OPAQUE = ["tok-live-1", "", "a.b", "a.b.c", "..", "é.ü.ö", "sk_live.with.dots"]
PAYLOADS = [b"{}", b"[1]", b"7", b'"exp"', b'{"exp": null}', b'{"exp": "soon"}', b'{"exp": {}}', b'{"exp"', b"\xff"]


@pytest.mark.parametrize("text", [*OPAQUE, *map(jwt_with, PAYLOADS)])
def test_the_end_of_every_other_token_is_not_known(text):
    """An opaque token, or one without a readable ``exp``, says nothing about its end."""
    assert GivenToken(text).expires_at is None


@given(st.one_of(st.text(), st.binary().map(jwt_with), st.floats().map(lambda x: jwt_with(json.dumps(x).encode()))))
def test_no_token_makes_a_crash(text):
    """Whatever stands in the config, asking for its end gives a number or nothing."""
    assert GivenToken(text).expires_at is None


# -- secrecy


def test_nothing_shows_a_secret(minted):
    """The repr of either token, as a traceback or a debugger prints it, holds no secret."""
    token = minted.value()
    shown = repr(minted) + repr(GivenToken("tok-live-1"))
    assert not any(secret in shown for secret in (KEY, SECRET, token, "tok-live-1"))
