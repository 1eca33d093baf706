"""Tokens: given once, or minted from a key and its secret and renewed in time. They stay in memory."""

from __future__ import annotations

import base64
import binascii
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

LIFETIME = 3600
"""Seconds that a minted token is asked to live."""
_RENEW_BEFORE = 300
_CLOCK_SKEW = 30


class Token(Protocol):
    """What a provider puts into its Authorization header."""

    def value(self) -> str:
        """Return a token that is good now."""

    def renew(self, refused: str) -> bool:
        """Say whether another token than the ``refused`` one can be had."""

    @property
    def expires_at(self) -> float | None:
        """Seconds since the epoch at which a run would lose access; None where that cannot happen or is not known."""


@dataclass(frozen=True, slots=True)
class GivenToken:
    """A token from the config; it cannot be renewed."""

    text: str = field(repr=False)

    def value(self) -> str:
        """Return the token."""
        return self.text

    def renew(self, refused: str) -> bool:  # noqa: ARG002 - the protocol's signature
        """Return False: there is no other token."""
        return False

    @property
    def expires_at(self) -> float | None:
        """``exp`` of a JWT, read without checking its signature; None for every other token."""
        try:
            payload = self.text.split(".")[1]
            claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
            return float(claims["exp"])
        except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
            return None


@dataclass(slots=True)
class MintedToken:
    """A VideoSDK JWT, HS256 over the claims that the vendor's server SDK signs (`generateToken`, 0.1.1).

    ``now`` gives seconds since the epoch.
    """

    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    now: Callable[[], float]
    _token: str = field(default="", repr=False)
    _good_until: float = 0.0

    def value(self) -> str:
        """Return the current token, a new one when it has less than five minutes to live."""
        if self.now() > self._good_until - _RENEW_BEFORE:
            self._mint()
        return self._token

    def renew(self, refused: str) -> bool:
        """Mint a new token unless that was done since ``refused`` was sent."""
        if refused == self._token:
            self._good_until = 0.0
        return True

    @property
    def expires_at(self) -> float | None:
        """None: it is renewed in time."""
        return None

    def _mint(self) -> None:
        import jwt  # noqa: PLC0415 - only accounts with a key and a secret need it

        issued = int(self.now())
        claims = {
            "apikey": self.api_key,
            "permissions": ["allow_join", "allow_mod"],
            "version": 2,
            "roles": ["crawler"],
            "iat": issued - _CLOCK_SKEW,
            "exp": issued + LIFETIME,
        }
        with warnings.catch_warnings(action="ignore"):  # of a short secret: how long it is, the vendor has chosen
            self._token = jwt.encode(claims, self.secret, algorithm="HS256")
        self._good_until = issued + LIFETIME
