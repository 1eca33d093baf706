"""The settings as values; a config file is one way to make them, code is another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from runner.config.telling import Hooks
from runner.errors import InputError, Problem
from runner.policy import Guards, Rate, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runner.config.secret import SecretRef
    from runner.config.telling import Recipient
    from runner.policy import AnyRate


_RATE = Rate(10)
_RETRY = RetryPolicy()
_GUARDS = Guards()
_HOOKS = Hooks()


@dataclass(frozen=True, slots=True)
class Credentials:
    """Secrets in the clear, for the provider alone; their repr shows none of them."""

    token: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """One set of credentials at one provider; ``timeout`` is seconds for one request, answer included."""

    name: str
    provider: str
    base_url: str
    org_handle: str | None = None
    product_id: str | None = None
    rate: AnyRate = _RATE
    max_rate: Rate | None = None
    """The most that the rate ``auto`` tries; null for no bound."""
    concurrency: int = 16
    timeout: float = 30.0
    token: SecretRef | None = None
    api_key: SecretRef | None = None
    secret: SecretRef | None = None
    place: str = ""
    unset: tuple[Problem, ...] = ()
    """Environment variables that the account refers to outside its secrets, and that are not set."""

    def credentials(self, environ: Mapping[str, str]) -> Credentials:
        """Resolve the secrets; InputError with every reference of this account that leads nowhere."""
        problems = list(self.unset)
        found: dict[str, str] = {}
        for name, ref in (("token", self.token), ("api_key", self.api_key), ("secret", self.secret)):
            try:
                if ref:
                    found[name] = ref.resolve(environ)
            except InputError as error:
                problems += error.problems
        if problems:
            raise InputError(problems)
        return Credentials(**found)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """``file``: whether a run writes log.jsonl; ``numbers``: whether logs show whole numbers."""

    file: bool = True
    numbers: Literal["full", "masked"] = "full"


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Where figures go: a file, and the addresses of a Pushgateway and of a collector; ``interval`` in seconds."""

    textfile: Path | None = None
    pushgateway: str | None = None
    job: str = "teardown"
    otlp: str | None = None
    interval: float = 15.0


@dataclass(frozen=True, slots=True)
class TracingSettings:
    """Where traces go: the address of a collector, below which OTLP's own paths begin."""

    endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is configured; ``path`` is null where no config file was found."""

    accounts: dict[str, Account] = field(default_factory=dict)
    retry: RetryPolicy = _RETRY
    guards: Guards = _GUARDS
    log: LogSettings = LogSettings()
    ledger: Literal["sqlite"] = "sqlite"
    path: Path | None = None
    warnings: tuple[Problem, ...] = ()
    notify: tuple[Recipient, ...] = ()
    hooks: Hooks = _HOOKS
    metrics: MetricsSettings = MetricsSettings()
    tracing: TracingSettings = TracingSettings()
