"""Settings: the accounts, their rates and secrets, and the defaults of every run; from YAML and the environment."""

from runner.config.guards import read_guards
from runner.config.known import PROVIDERS, Known
from runner.config.loading import json_schema, load
from runner.config.secret import SecretRef
from runner.config.settings import Account, Credentials, LogSettings, MetricsSettings, Settings, TracingSettings
from runner.config.telling import Event, Hook, Hooks, Moment, Recipient
from runner.whereabouts import find_config as find

__all__ = [
    "PROVIDERS",
    "Account",
    "Credentials",
    "Event",
    "Hook",
    "Hooks",
    "Known",
    "LogSettings",
    "MetricsSettings",
    "Moment",
    "Recipient",
    "SecretRef",
    "Settings",
    "TracingSettings",
    "find",
    "json_schema",
    "load",
    "read_guards",
]
