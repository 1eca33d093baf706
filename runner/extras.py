"""What is installed beside what is always there."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

Extra = Literal["metrics", "otel"]

_MODULES: dict[Extra, str] = {"metrics": "prometheus_client", "otel": "opentelemetry.exporter.otlp.proto.http"}


def installed(extra: Extra) -> bool:
    """Whether the packages of ``extra`` can be imported; nothing is imported for that but the folders they are in."""
    try:
        return find_spec(_MODULES[extra]) is not None
    except ModuleNotFoundError:  # not even the package that the module would be in
        return False
