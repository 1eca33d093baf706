"""Where figures and traces of a run go: read, and refused where the package that would send them is missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner.config.grammar import MetricsFile, TracingFile
from runner.config.settings import MetricsSettings, TracingSettings
from runner.document import Mapping
from runner.document.schema import validate
from runner.extras import Extra, installed

if TYPE_CHECKING:
    from runner.document import Node, Page

_NEEDS: dict[str, Extra] = {"textfile": "metrics", "pushgateway": "metrics", "otlp": "otel", "endpoint": "otel"}


def read_metrics(node: Node | None, page: Page) -> MetricsSettings:
    """Return what stands under ``metrics:``; the defaults after noting what is wrong with it."""
    model = validate(MetricsFile, node, page, "`metrics`") if node else None
    if node is None or model is None:
        return MetricsSettings()
    _check_extras(node, page)
    textfile = Path(page.name).parent / Path(model.textfile).expanduser() if model.textfile else None
    return MetricsSettings(textfile, model.pushgateway, model.job, model.otlp, model.interval)


def read_tracing(node: Node | None, page: Page) -> TracingSettings:
    """Return what stands under ``tracing:``; the defaults after noting what is wrong with it."""
    model = validate(TracingFile, node, page, "`tracing`") if node else None
    if node is None or model is None:
        return TracingSettings()
    _check_extras(node, page)
    return TracingSettings(model.endpoint)


def _check_extras(node: Node, page: Page) -> None:
    for key, value in node.pairs if isinstance(node, Mapping) else ():
        extra = _NEEDS.get(key.text or "")
        if extra and not installed(extra):
            page.problem(value, f"`{key.text}` needs a package that is missing; pip install 'teardown[{extra}]'")
