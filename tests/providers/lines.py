"""Lines to a provider: the sandbox, or a server that answers as a test says."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from runner.begin import Options
from runner.config import Account, Credentials
from runner.model import Attached
from runner.opening import open_lane
from runner.policy import Rate, RetryPolicy
from runner.providers import NumberSeen
from runner.sandbox import ORG_HANDLE, TOKEN

if TYPE_CHECKING:
    from runner.channel import Channel
    from runner.providers import Attacher, Detacher, Reader
    from runner.providers.removing import Remover

ONE, TWO, THREE, FOUR = (f"+1415555010{index}" for index in range(1, 5))


@dataclass
class Line:
    """One account of one provider, as a run holds it."""

    reader: Reader
    detacher: Detacher
    attacher: Attacher
    remover: Remover
    channel: Channel


@asynccontextmanager
async def line(url, provider, credentials=None, **fields):
    """A line to the provider at ``url``, as fast as it goes."""
    known = {"org_handle": ORG_HANDLE, "rate": Rate(2000), "concurrency": 4, "timeout": 5.0}
    account = Account(provider, provider, url, **(known | fields))
    async with AsyncExitStack() as stack:
        lane = await open_lane(
            stack,
            account=account,
            credentials=credentials or Credentials(token=TOKEN),
            policy=RetryPolicy(),
            options=Options(),
            clock=time.time,
        )
        attacher = lane.spec.reattaching.attacher(lane.channel)
        remover = lane.spec.removing.remover(lane.channel)
        yield Line(lane.spec.reader(lane.channel), lane.spec.detacher(lane.channel), attacher, remover, lane.channel)


@dataclass
class Stub:
    """A server that gives the answers of a test, and keeps what it was asked."""

    answers: dict[str, Any]
    url: str = ""
    asked: list[str] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def answer(self, request):
        self.asked.append(f"{request.method} {request.raw_path}")
        self.requests.append(request)
        self.bodies.append(await request.read())
        answer = (
            self.answers.get(request.raw_path) or self.answers.get(request.path) or (404, {"message": "Not found."})
        )
        status, body = answer(request) if callable(answer) else answer
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(status=status, body=data, content_type="application/json")


@asynccontextmanager
async def serving(answers):
    """A stub whose ``answers`` are (status, body), or functions of the request, by whole path or by path alone."""
    stub = Stub(answers)
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", stub.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield stub
    finally:
        await runner.cleanup()


async def sights(looking):
    """All that a look saw, as a list."""
    return [sight async for sight in looking]


async def findings(reader, wanted):
    """What a pre-check comes to know by target and number: a survey, and a trace of all that this leaves open."""
    found, missing = {}, defaultdict(list)
    async for sight in reader.survey(wanted, census=False):
        if isinstance(sight, NumberSeen) and (sight.traced or isinstance(sight.seen, Attached)):
            found[sight.target, sight.number] = sight.seen
    for target, numbers in wanted.items():
        missing[target] = [number for number in numbers if (target, number) not in found]
    async for sight in reader.trace(missing):
        found[sight.target, sight.number] = sight.seen
    return found
