"""From a file and the environment to Settings, or to every problem at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runner.config.accounts import read_accounts
from runner.config.environment import overlay
from runner.config.grammar import ConfigFile, LogFile, RetryFile
from runner.config.guards import read_guards
from runner.config.recipients import read_hooks, read_recipients
from runner.config.settings import LogSettings, Settings
from runner.config.telemetry import read_metrics, read_tracing
from runner.document import CONFIG_LIMIT, Findings, Mapping, Node, Page, compose, decode, read, schema
from runner.policy import Guards, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping as Environ
    from pathlib import Path


def load(path: Path | None, environ: Environ[str, str]) -> Settings:
    """Read the config at ``path`` (None: only defaults) and lay the overrides of ``environ`` over it.

    InputError with all problems, each at ``file:line:column`` or at its environment variable.
    """
    findings = Findings()
    page = findings.page(str(path) if path else "config")
    root = compose(decode(read(path, CONFIG_LIMIT), page.name), page) if path else Mapping([], 0, 0)
    if isinstance(root, Mapping):
        root = overlay(root, environ, page)
    settings = _settings(root, environ, page)
    findings.check()
    return replace(settings, path=path, warnings=findings.warnings)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config."""
    return schema.json_schema(ConfigFile, "Config of teardown")


def _settings(root: Node, environ: Environ[str, str], page: Page) -> Settings:
    """Return what could be read; problems are on ``page``."""
    get = root.get if isinstance(root, Mapping) else dict[str, Node]().get
    log, retry = get("log"), get("retry")
    log_file = (schema.validate(LogFile, log, page, "`log`") if log else None) or LogFile()
    retry_file = (schema.validate(RetryFile, retry, page, "`retry`") if retry else None) or RetryFile()
    if retry and retry_file.max_delay < retry_file.base_delay:
        page.problem(retry, "`max_delay` is shorter than `base_delay`; make it at least as long")
    accounts = read_accounts(get("accounts"), environ, page)
    guards, _ = read_guards(get("guards"), page, Guards())
    notify, hooks = read_recipients(get("notify"), page), read_hooks(get("hooks"), page)
    metrics, tracing = read_metrics(get("metrics"), page), read_tracing(get("tracing"), page)
    schema.validate(ConfigFile, root, page, "the config", dict.fromkeys(set(ConfigFile.keys) - {"ledger"}))
    return Settings(
        accounts=accounts,
        retry=RetryPolicy(**vars(retry_file)),
        guards=guards,
        log=LogSettings(file=log_file.file, numbers=log_file.numbers),
        notify=notify,
        hooks=hooks,
        metrics=metrics,
        tracing=tracing,
    )
