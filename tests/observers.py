"""A run in code with somebody who watches: a collector that decodes what it is sent, a provider that keeps headers."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import ClientSession, web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from runner import (
    Account,
    Front,
    Group,
    Guards,
    Options,
    Plan,
    Rate,
    RetryPolicy,
    Return,
    Settings,
    StateFolder,
    roll_back,
    start,
)
from runner.config import SecretRef
from runner.sandbox import ORG_HANDLE, TOKEN, Faults, World, serve

NUMBERS = tuple(f"+1415555{index:04d}" for index in range(101, 109))
NOWHERE = "http://127.0.0.1:9"


def attributes(pairs):
    """Key-values as a dictionary."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@dataclass
class Collector:
    """Keeps the spans by name and the newest metrics by name that it was sent over OTLP/HTTP."""

    url: str = ""
    spans: list = field(default_factory=list)
    metrics: dict = field(default_factory=dict)
    resource: dict = field(default_factory=dict)

    def named(self, *names):
        return [span for span in self.spans if span.name in names]

    def series(self, name):
        """The data points of a metric."""
        data = self.metrics[name]
        return list(getattr(data, data.WhichOneof("data")).data_points)

    async def traces(self, request):
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for resource in sent.resource_spans:
            self.resource |= attributes(resource.resource.attributes)
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    async def figures(self, request):
        sent = ExportMetricsServiceRequest.FromString(await request.read())
        for resource in sent.resource_metrics:
            self.resource |= attributes(resource.resource.attributes)
            self.metrics |= {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}
        return web.Response(content_type="application/x-protobuf")


@asynccontextmanager
async def listening(*routes):
    """An HTTP server on the test's own loop; its address."""
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def collecting():
    """A collector, as long as the block lasts."""
    collector = Collector()
    async with listening(web.post("/v1/traces", collector.traces), web.post("/v1/metrics", collector.figures)) as url:
        collector.url = url
        yield collector


class Lab:
    """A sandbox behind a proxy that keeps the headers of all requests, and a plan of one bridge."""

    def __init__(self, folder):
        self.world, self.faults, self.state = World(), Faults(), StateFolder(folder / "state")
        self.world.unpod.add_bridge("sales", NUMBERS)
        self.headers = []
        self.url = ""

    def settings(self, **more):
        account = Account("main", "unpod", self.url, ORG_HANDLE, rate=Rate(1000), token=SecretRef.literal(TOKEN))
        return Settings({"main": account}, RetryPolicy(2, 0.01, 0.02, 5.0), **more)

    async def run(self, *, front=None, options=None, numbers=NUMBERS, **settings):
        """Run the plan, and return its report."""
        group = Group("main", "unpod", "sales", numbers, {}, if_missing=False, reattach={}, place="")
        plan = Plan(
            name="night/shift",
            description=None,
            metadata={},
            path="nowhere.yaml",
            sha256="0" * 64,
            text="made in code\n",
            guards=Guards(),
            window=None,
            groups=(group,),
            warnings=(),
        )
        front = front or Front(environ={})
        return await start(plan, self.settings(**settings), self.state, options or Options(), front)

    async def roll_back(self, report, **settings):
        """Put back what a run detached, and return the report of that."""
        back = Return(report.run["id"], {"main": {"provider_config_id": 42}})
        return await roll_back(back, self.settings(**settings), self.state, Options(), Front(environ={}))

    def tally(self, report):
        """What the lane of a run counted, as the ledger has it."""
        [lane] = report.source.lanes(report.run["id"])
        return lane.tally

    def log(self, report):
        """The lines of a run's log."""
        return (self.state.run_folder(report.run["id"]) / "log.jsonl").read_text()

    async def forward(self, request):
        self.headers.append(request.headers)
        asked = {name: request.headers[name] for name in ("Authorization", "Org-Handle") if name in request.headers}
        body = await request.read()
        url = self.upstream + request.raw_path
        async with self.session.request(request.method, url, data=body, headers=asked) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")


@asynccontextmanager
async def lab(folder):
    """A laboratory whose state is kept in ``folder``."""
    made = Lab(folder)
    async with serve(made.world, faults=made.faults) as server, ClientSession() as session:
        made.upstream, made.session = server.url, session
        async with listening(web.route("*", "/{tail:.*}", made.forward)) as url:
            made.url = url
            yield made


async def until(holds):
    """Let others work until ``holds()``."""
    while not holds():  # noqa: ASYNC110 - a file or another process sets no event
        await asyncio.sleep(0)
