"""From an account to a lane that is ready to work."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from runner import providers
from runner.adaptive import AdaptiveRate
from runner.channel import Channel
from runner.connections import Connections
from runner.credentials import GivenToken, MintedToken
from runner.lanes import Lane
from runner.pacing import Pacer
from runner.policy import Rate
from runner.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack

    from runner.begin import Options
    from runner.config import Account, Credentials
    from runner.credentials import Token
    from runner.policy import RetryPolicy


async def open_lane(
    stack: AsyncExitStack,
    *,
    account: Account,
    credentials: Credentials,
    policy: RetryPolicy,
    options: Options,
    clock: Callable[[], float],
    secrets: tuple[str, ...] = (),
) -> Lane:
    """Return the lane of an account; its connections close with ``stack``, ``secrets`` are more that may not show."""
    spec = providers.load(account.provider)
    concurrency = options.concurrency or account.concurrency
    connections = await stack.enter_async_context(Connections(concurrency, account.timeout))
    transport = Transport(connections, account.timeout, (*known_secrets(credentials), *secrets), clock)
    pacer = Pacer(_rate(account, options))
    token = token_of(credentials, clock)
    channel = Channel(spec.base_url(account), transport, pacer, token, partial(spec.authorize, account))
    return Lane(account.name, spec, channel, policy, concurrency, drain_s=account.timeout)


def _rate(account: Account, options: Options) -> Rate | AdaptiveRate:
    rate = options.rates.get(account.name, account.rate)
    if isinstance(rate, Rate):
        return rate
    return AdaptiveRate(account.max_rate.per_second if account.max_rate else math.inf)


def known_secrets(credentials: Credentials) -> tuple[str, ...]:
    """Return every secret that must not be shown."""
    return tuple(filter(None, (credentials.token, credentials.api_key, credentials.secret)))


def token_of(credentials: Credentials, clock: Callable[[], float]) -> Token:
    """Return the token as given, or one that is minted from a key and its secret."""
    if credentials.token is not None:
        return GivenToken(credentials.token)
    return MintedToken(credentials.api_key or "", credentials.secret or "", clock)
