"""The grammar of a config, as pydantic models: what the file may hold, and the JSON Schema for editors."""

from __future__ import annotations

import shlex
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from runner.config.address import page_url, service_url
from runner.config.telling import Attachment, Event
from runner.document import quoted
from runner.document.schema import DECIMAL, DURATION, SECONDS, WHOLE, Line, Strict, choice, parsed
from runner.policy import AUTO, AnyRate, Batch, Rate, parse_rate

_PROTECTED_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": r"^\+[1-9]([0-9]{6,14}|[0-9]{0,13}\*)$"},
        {"type": "integer", "minimum": 1_000_000},
    ],
}
_ADDRESS = r"^https?://[^\s\\@]+$"
_SAFE_ADDRESS = r"^(https://|http://(localhost|127\.|\[::1\]))[^\s\\@]*$"
_RATE_SCHEMA = {"type": "string", "pattern": r"^[0-9.]+\s*/\s*(s|sec|second|m|min|minute|h|hour)$"}
_ANY_RATE_SCHEMA = {"anyOf": [{"const": AUTO}, _RATE_SCHEMA]}
_BATCH_SCHEMA = {
    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[1-9][0-9]*%?$"}],
}


_COMMAND_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
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


_Command = Annotated[tuple[str, ...], BeforeValidator(_command), WithJsonSchema(_COMMAND_SCHEMA)]


class GateFile(Strict):
    """Asked before each batch of a run whether all is well; has either `url` or `command`."""

    url: Annotated[Line, AfterValidator(page_url), Field(json_schema_extra={"pattern": _ADDRESS})] | None = Field(
        default=None, description="An address that answers 2xx to GET while all is well."
    )
    command: _Command | None = Field(
        default=None, description="A command that ends with status 0 while all is well; started without a shell."
    )
    every: Annotated[float, Field(gt=0), SECONDS, DURATION] = Field(
        default=30.0, description="How often a paused run asks again."
    )
    timeout: Annotated[float, Field(gt=0), SECONDS, DURATION] = Field(
        default=10.0, description="For one answer; a later one is a bad one."
    )
    on_fail: Annotated[Literal["pause", "stop"], choice("pause", "stop")] = Field(
        default="stop", description="What a bad answer does: pause until a good one comes, or stop the run."
    )


class GuardsFile(Strict):
    """What stops a run before or while it does harm; a guard that is not set does nothing."""

    max_numbers: Annotated[int, Field(ge=1), WHOLE] | None = Field(
        default=None, description="Refuse to start when more numbers than this would be detached (10,000 when unset)."
    )
    max_percent: Annotated[float, Field(gt=0, le=100), DECIMAL] | None = Field(
        default=None, description="Refuse when more than this share of what is attached at one target would go, in %."
    )
    min_remaining: Annotated[int, Field(ge=0), WHOLE] | None = Field(
        default=None, description="Refuse when a target would keep fewer numbers than this."
    )
    protect: tuple[Annotated[str, WithJsonSchema(_PROTECTED_SCHEMA)], ...] | None = Field(
        default=None, min_length=1, description="Numbers that are never detached, also with * at the end."
    )
    protect_from: Line | None = Field(
        default=None, description="A .csv or .txt with numbers that are never detached; relative to this file."
    )
    batches: tuple[Annotated[Batch, parsed(Batch.parse), WithJsonSchema(_BATCH_SCHEMA)], ...] | None = Field(
        default=None,
        min_length=1,
        description="The ramp: so many numbers, or a share like 20%, one step after another.",
    )
    stop_after_failures: Annotated[int, Field(ge=1), WHOLE] | None = Field(
        default=None, description="Abort when so many numbers have failed over the whole run."
    )
    stop_after_failure_ratio: Annotated[float, Field(gt=0, le=1), DECIMAL] | None = Field(
        default=None, description="Abort when failed/finished reaches this, from 20 finished numbers on."
    )
    on_drift: Annotated[Literal["block", "skip"], choice("block", "skip")] | None = Field(
        default=None, description="What to do when a number is attached elsewhere than the plan says."
    )
    gate: GateFile | None = Field(default=None, description="What is asked before each batch, and may hold it back.")
    max_check_age: Annotated[float, Field(gt=0), SECONDS, DURATION] | None = Field(
        default=None, description="Refuse to run a saved check that is older than this."
    )
    live_calls: Annotated[Literal["ignore", "skip", "wait"], choice("ignore", "skip", "wait")] | None = Field(
        default=None, description="What to do with a number that is in a call (videosdk; ignore when unset)."
    )
    live_calls_wait: Annotated[float, Field(ge=0), SECONDS, DURATION] | None = Field(
        default=None, description="With `live_calls: wait`: how long a batch waits for calls to end (15m when unset)."
    )


class AccountFile(Strict):
    """One set of credentials at one provider."""

    provider: Annotated[Literal["unpod", "videosdk"], choice("unpod", "videosdk")] = Field(
        description="Whose account it is."
    )
    base_url: Annotated[Line, Field(json_schema_extra={"pattern": _SAFE_ADDRESS})] | None = Field(
        default=None, description="Where its API is; https, or http to localhost. The provider's own when unset."
    )
    token: Line | None = Field(default=None, description="${ENV}, file:/path, or (with a warning) the token itself.")
    api_key: Line | None = Field(default=None, description="With `secret`: tokens are made from the two (videosdk).")
    secret: Line | None = Field(default=None, description="Goes with `api_key` (videosdk).")
    org_handle: Line | None = Field(default=None, description="The organisation's handle (unpod).")
    product_id: Line | None = Field(default=None, description="Sent as Product-ID where it is set (unpod).")
    rate: Annotated[AnyRate, parsed(parse_rate), WithJsonSchema(_ANY_RATE_SCHEMA)] = Field(
        default=Rate(10),
        json_schema_extra={"default": "10/s"},
        description="Requests in any sliding window, like 10/s or 300/min; or auto, to find what the provider takes.",
    )
    max_rate: Annotated[Rate, parsed(Rate.parse), WithJsonSchema(_RATE_SCHEMA)] | None = Field(
        default=None, description="The most that `rate: auto` tries; no bound when unset."
    )
    concurrency: Annotated[int, Field(ge=1, le=1000), WHOLE] = Field(
        default=16, description="Requests at the same time."
    )
    timeout: Annotated[float, Field(gt=0), SECONDS, DURATION] = Field(
        default=30.0, description="For one request, answer included."
    )


class RetryFile(Strict):
    """How often and how patiently one number is tried."""

    max_attempts: Annotated[int, Field(ge=1, le=100), WHOLE] = Field(
        default=6, description="Detach requests per number."
    )
    base_delay: Annotated[float, Field(gt=0), SECONDS, DURATION] = Field(
        default=0.5, description="The first wait; it doubles each time."
    )
    max_delay: Annotated[float, Field(gt=0), SECONDS, DURATION] = Field(
        default=30.0, description="The longest wait between attempts."
    )
    max_throttle_wait: Annotated[float, Field(ge=0), SECONDS, DURATION] = Field(
        default=900.0, description="The longest pause that a provider may ask for before its lane stops."
    )


class LogFile(Strict):
    """The log of a run."""

    file: Annotated[bool, BeforeValidator(_yes)] = Field(default=True, description="Whether runs write log.jsonl.")
    numbers: Annotated[Literal["full", "masked"], choice("full", "masked")] = Field(
        default="full", description="Whether logs show whole numbers."
    )


class RecipientFile(Strict):
    """Somebody to tell of runs, by Apprise."""

    urls: tuple[Line, ...] = Field(
        min_length=1, description="Addresses of Apprise, each as ${ENV} or file:/path, for they hold secrets."
    )
    events: tuple[Annotated[Event, choice(*get_args(Event))], ...] = Field(
        default=("finish", "guard"),
        min_length=1,
        description="finish: the end of every run; failure: an exit code above 0; guard: one that tripped, at once.",
    )
    template: str | None = Field(default=None, description="The text, in Jinja; a default when unset.")
    attach: Annotated[Attachment, choice(*get_args(Attachment))] = Field(
        default="none", description="The report in this format goes with it."
    )
    dry_run: Annotated[bool, BeforeValidator(_yes)] = Field(default=False, description="Whether also of dry runs.")
    timeout: Annotated[float, Field(gt=0), SECONDS, DURATION] = Field(
        default=10.0, description="For one message to one address."
    )


class HooksFile(Strict):
    """Commands that a run starts, without a shell."""

    start: _Command | None = Field(default=None, description="Before the first number is detached.")
    failure: _Command | None = Field(default=None, description="When the run ended with an exit code above 0.")
    finish: _Command | None = Field(default=None, description="When the run ended, however it did.")
    timeout: Annotated[float, Field(gt=0), SECONDS, DURATION] = Field(
        default=60.0, description="For each; then it is killed with all that it started."
    )
    required: Annotated[bool, BeforeValidator(_yes)] = Field(
        default=False, description="Whether nothing is sent when `start` fails."
    )
    dry_run: Annotated[bool, BeforeValidator(_yes)] = Field(
        default=False, description="Whether `failure` and `finish` also follow dry runs."
    )


def _textfile(value: str) -> str:
    if not value.endswith(".prom"):
        raise ValueError("has to end in .prom, as the collector reads no other files")
    return value


Service = Annotated[Line, AfterValidator(service_url), Field(json_schema_extra={"pattern": _ADDRESS})]


class MetricsFile(Strict):
    """Where the figures of a run go; nowhere when nothing is set."""

    textfile: Annotated[Line, AfterValidator(_textfile)] | None = Field(
        default=None, description="A .prom file for node_exporter's textfile collector; {plan} becomes the plan's name."
    )
    pushgateway: Service | None = Field(default=None, description="The address of a Prometheus Pushgateway.")
    job: Line = Field(default="teardown", description="The job that the Pushgateway files the figures under.")
    otlp: Service | None = Field(default=None, description="Where an OpenTelemetry collector takes OTLP over HTTP.")
    interval: Annotated[float, Field(ge=1), SECONDS, DURATION] = Field(
        default=15.0, description="Between two times that figures are written while a run goes on."
    )


class TracingFile(Strict):
    """Where the traces of a run go; nowhere when nothing is set."""

    endpoint: Service | None = Field(default=None, description="Where an OpenTelemetry collector takes OTLP over HTTP.")


class ConfigFile(Strict):
    """The config of teardown; environment variables such as TEARDOWN_RETRY__MAX_ATTEMPTS override it."""

    accounts: dict[str, AccountFile] = Field(
        default_factory=dict, description="By name: the accounts that plans refer to."
    )
    retry: RetryFile = Field(default_factory=RetryFile, description="Patience with one number.")
    guards: GuardsFile = Field(default_factory=GuardsFile, description="Defaults for every plan's guards.")
    log: LogFile = Field(default_factory=LogFile, description="Logs.")
    notify: tuple[RecipientFile, ...] = Field(default=(), description="Whom to tell of runs.")
    hooks: HooksFile = Field(default_factory=HooksFile, description="Commands that a run starts.")
    metrics: MetricsFile = Field(default_factory=MetricsFile, description="Figures for Prometheus and OpenTelemetry.")
    tracing: TracingFile = Field(default_factory=TracingFile, description="Traces for OpenTelemetry.")
    ledger: Annotated[Literal["sqlite"], choice("sqlite")] = Field(
        default="sqlite", description="Where runs are recorded: sqlite, in the state folder."
    )
