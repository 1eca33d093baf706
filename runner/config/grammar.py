"""The grammar of a config: what the file may hold, and what editors are told of it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Literal, get_args

from runner.config.address import page_url, service_url
from runner.config.telling import Attachment, Event
from runner.document import quoted
from runner.document.grammar import Strict, key
from runner.document.kinds import Given, Inner, Kind, Some, choice, decimal, line, parsed, seconds, text, whole
from runner.policy import AUTO, Batch, Rate, parse_rate

if TYPE_CHECKING:
    from runner.policy import AnyRate

_PROTECTED = {
    "anyOf": [
        {"pattern": r"^\+[1-9]([0-9]{6,14}|[0-9]{0,13}\*)$", "type": "string"},
        {"minimum": 1_000_000, "type": "integer"},
    ],
}
_ADDRESS = r"^https?://[^\s\\@]+$"
_SAFE_ADDRESS = r"^(https://|http://(localhost|127\.|\[::1\]))[^\s\\@]*$"
_RATE = {"pattern": r"^[0-9.]+\s*/\s*(s|sec|second|m|min|minute|h|hour)$", "type": "string"}
_BATCH = {
    "anyOf": [{"minimum": 1, "type": "integer"}, {"pattern": "^[1-9][0-9]*%?$", "type": "string"}],
}
_COMMAND = {
    "anyOf": [
        {"minLength": 1, "type": "string"},
        {"items": {"type": "string"}, "minItems": 1, "type": "array"},
    ],
}


def _command(value: object) -> tuple[str, ...]:
    try:
        words = shlex.split(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"{quoted(value)} ends inside a quote or after a backslash; complete it") from error
    if (
        not isinstance(words, list)
        or not words
        or not all(isinstance(word, str) and "\0" not in word for word in words)
    ):
        raise ValueError("this is not a command; write one line, or a list like [program, argument]")
    return tuple(words)


def _yes(value: object) -> bool:
    if value not in ("true", "false"):
        raise ValueError("write true or false")
    return value == "true"


def _textfile(value: str) -> str:
    if not value.endswith(".prom"):
        raise ValueError("has to end in .prom, as the collector reads no other files")
    return value


LINE = line()
YES = Kind(_yes, {"type": "boolean"})
COMMAND = Kind(_command, _COMMAND)
SERVICE = line(service_url, pattern=_ADDRESS)


class GateFile(Strict):
    """Asked before each batch of a run whether all is well; has either `url` or `command`."""

    url: str | None = key(
        line(page_url, pattern=_ADDRESS), "An address that answers 2xx to GET while all is well.", default=None
    )
    command: tuple[str, ...] | None = key(
        COMMAND, "A command that ends with status 0 while all is well; started without a shell.", default=None
    )
    every: float = key(seconds(above=0), "How often a paused run asks again.", default=30.0)
    timeout: float = key(seconds(above=0), "For one answer; a later one is a bad one.", default=10.0)
    on_fail: Literal["pause", "stop"] = key(
        choice("pause", "stop"),
        "What a bad answer does: pause until a good one comes, or stop the run.",
        default="stop",
    )


class GuardsFile(Strict):
    """What stops a run before or while it does harm; a guard that is not set does nothing."""

    max_numbers: int | None = key(
        whole(least=1),
        "Refuse to start when more numbers than this would be detached (10,000 when unset).",
        default=None,
    )
    max_percent: float | None = key(
        decimal(above=0, most=100),
        "Refuse when more than this share of what is attached at one target would go, in %.",
        default=None,
    )
    min_remaining: int | None = key(
        whole(least=0), "Refuse when a target would keep fewer numbers than this.", default=None
    )
    protect: tuple[str, ...] | None = key(
        Some(text(schema=_PROTECTED)), "Numbers that are never detached, also with * at the end.", default=None
    )
    protect_from: str | None = key(
        LINE, "A .csv or .txt with numbers that are never detached; relative to this file.", default=None
    )
    batches: tuple[Batch, ...] | None = key(
        Some(parsed(Batch.parse, _BATCH)),
        "The ramp: so many numbers, or a share like 20%, one step after another.",
        default=None,
    )
    stop_after_failures: int | None = key(
        whole(least=1), "Abort when so many numbers have failed over the whole run.", default=None
    )
    stop_after_failure_ratio: float | None = key(
        decimal(above=0, most=1),
        "Abort when failed/finished reaches this, from 20 finished numbers on.",
        default=None,
    )
    on_drift: Literal["block", "skip"] | None = key(
        choice("block", "skip"), "What to do when a number is attached elsewhere than the plan says.", default=None
    )
    gate: GateFile | None = key(Inner(GateFile), "What is asked before each batch, and may hold it back.", default=None)
    max_check_age: float | None = key(
        seconds(above=0), "Refuse to run a saved check that is older than this.", default=None
    )
    live_calls: Literal["ignore", "skip", "wait"] | None = key(
        choice("ignore", "skip", "wait"),
        "What to do with a number that is in a call (videosdk; ignore when unset).",
        default=None,
    )
    live_calls_wait: float | None = key(
        seconds(), "With `live_calls: wait`: how long a batch waits for calls to end (15m when unset).", default=None
    )


class AccountFile(Strict):
    """One set of credentials at one provider."""

    provider: Literal["unpod", "videosdk"] = key(choice("unpod", "videosdk"), "Whose account it is.")
    base_url: str | None = key(
        line(pattern=_SAFE_ADDRESS),
        "Where its API is; https, or http to localhost. The provider's own when unset.",
        default=None,
    )
    token: str | None = key(LINE, "${ENV}, file:/path, or (with a warning) the token itself.", default=None)
    api_key: str | None = key(LINE, "With `secret`: tokens are made from the two (videosdk).", default=None)
    secret: str | None = key(LINE, "Goes with `api_key` (videosdk).", default=None)
    org_handle: str | None = key(LINE, "The organisation's handle (unpod).", default=None)
    product_id: str | None = key(LINE, "Sent as Product-ID where it is set (unpod).", default=None)
    rate: AnyRate = key(
        parsed(parse_rate, {"anyOf": [{"const": AUTO}, _RATE]}),
        "Requests in any sliding window, like 10/s or 300/min; or auto, to find what the provider takes.",
        default=Rate(10),
        shown="10/s",
    )
    max_rate: Rate | None = key(
        parsed(Rate.parse, _RATE), "The most that `rate: auto` tries; no bound when unset.", default=None
    )
    concurrency: int = key(whole(least=1, most=1000), "Requests at the same time.", default=16)
    timeout: float = key(seconds(above=0), "For one request, answer included.", default=30.0)


class RetryFile(Strict):
    """How often and how patiently one number is tried."""

    max_attempts: int = key(whole(least=1, most=100), "Detach requests per number.", default=6)
    base_delay: float = key(seconds(above=0), "The first wait; it doubles each time.", default=0.5)
    max_delay: float = key(seconds(above=0), "The longest wait between attempts.", default=30.0)
    max_throttle_wait: float = key(
        seconds(), "The longest pause that a provider may ask for before its lane stops.", default=900.0
    )


class LogFile(Strict):
    """The log of a run."""

    file: bool = key(YES, "Whether runs write log.jsonl.", default=True)
    numbers: Literal["full", "masked"] = key(
        choice("full", "masked"), "Whether logs show whole numbers.", default="full"
    )


class RecipientFile(Strict):
    """Somebody to tell of runs, by Apprise."""

    urls: tuple[str, ...] = key(
        Some(LINE), "Addresses of Apprise, each as ${ENV} or file:/path, for they hold secrets."
    )
    events: tuple[Event, ...] = key(
        Some(choice(*get_args(Event))),
        "finish: the end of every run; failure: an exit code above 0; guard: one that tripped, at once.",
        default=("finish", "guard"),
    )
    template: str | None = key(text(), "The text, in Jinja; a default when unset.", default=None)
    attach: Attachment = key(choice(*get_args(Attachment)), "The report in this format goes with it.", default="none")
    dry_run: bool = key(YES, "Whether also of dry runs.", default=False)
    timeout: float = key(seconds(above=0), "For one message to one address.", default=10.0)


class HooksFile(Strict):
    """Commands that a run starts, without a shell."""

    start: tuple[str, ...] | None = key(COMMAND, "Before the first number is detached.", default=None)
    failure: tuple[str, ...] | None = key(COMMAND, "When the run ended with an exit code above 0.", default=None)
    finish: tuple[str, ...] | None = key(COMMAND, "When the run ended, however it did.", default=None)
    timeout: float = key(seconds(above=0), "For each; then it is killed with all that it started.", default=60.0)
    required: bool = key(YES, "Whether nothing is sent when `start` fails.", default=False)
    dry_run: bool = key(YES, "Whether `failure` and `finish` also follow dry runs.", default=False)


class MetricsFile(Strict):
    """Where the figures of a run go; nowhere when nothing is set."""

    textfile: str | None = key(
        line(_textfile),
        "A .prom file for node_exporter's textfile collector; {plan} becomes the plan's name.",
        default=None,
    )
    pushgateway: str | None = key(SERVICE, "The address of a Prometheus Pushgateway.", default=None)
    job: str = key(LINE, "The job that the Pushgateway files the figures under.", default="teardown")
    otlp: str | None = key(SERVICE, "Where an OpenTelemetry collector takes OTLP over HTTP.", default=None)
    interval: float = key(
        seconds(least=1), "Between two times that figures are written while a run goes on.", default=15.0
    )


class TracingFile(Strict):
    """Where the traces of a run go; nowhere when nothing is set."""

    endpoint: str | None = key(SERVICE, "Where an OpenTelemetry collector takes OTLP over HTTP.", default=None)


_ACCOUNTS = Given({"additionalProperties": Inner(AccountFile).schema, "type": "object"}, AccountFile)
_RECIPIENTS = Given({"items": Inner(RecipientFile).schema, "type": "array"}, RecipientFile)


class ConfigFile(Strict):
    """The config of teardown; environment variables such as TEARDOWN_RETRY__MAX_ATTEMPTS override it."""

    accounts: object = key(_ACCOUNTS, "By name: the accounts that plans refer to.", default=None)
    retry: RetryFile | None = key(Inner(RetryFile), "Patience with one number.", default=None)
    guards: GuardsFile | None = key(Inner(GuardsFile), "Defaults for every plan's guards.", default=None)
    log: LogFile | None = key(Inner(LogFile), "Logs.", default=None)
    notify: object = key(_RECIPIENTS, "Whom to tell of runs.", default=())
    hooks: HooksFile | None = key(Inner(HooksFile), "Commands that a run starts.", default=None)
    metrics: MetricsFile | None = key(Inner(MetricsFile), "Figures for Prometheus and OpenTelemetry.", default=None)
    tracing: TracingFile | None = key(Inner(TracingFile), "Traces for OpenTelemetry.", default=None)
    ledger: Literal["sqlite"] = key(
        choice("sqlite"), "Where runs are recorded: sqlite, in the state folder.", default="sqlite"
    )
