"""The sandbox as a server on the loopback interface, for a test or until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
from typing import TYPE_CHECKING

import orjson
from aiohttp import web
from msgspec import Struct

from runner.errors import InputError
from runner.sandbox.edge import Edge
from runner.sandbox.faults import Faults
from runner.sandbox.unpod import UnpodApi
from runner.sandbox.videosdk import VideoSdkApi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from runner.sandbox.world import World

TOKEN = "sandbox-token"  # noqa: S105 - opens nothing but the sandbox
ORG_HANDLE = "sandbox"
API_KEY = "sandbox-key"
API_SECRET = "sandbox-secret-of-at-least-32-bytes"  # noqa: S105 - opens nothing but the sandbox

_CONFIG = """\
accounts:
  unpod-main:
    provider: unpod
    base_url: {url}
    token: {token}
    org_handle: {org_handle}
  videosdk-main:
    provider: videosdk
    base_url: {url}
    token: {token}
"""


class Server(Struct, frozen=True):
    """A running sandbox: where it listens, and what is true in it."""

    url: str
    world: World


@contextlib.asynccontextmanager
async def serve(
    world: World,
    *,
    faults: Faults | str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    unpod_token: str = TOKEN,
    org_handle: str = ORG_HANDLE,
    videosdk_token: str = TOKEN,
    api_key: str = API_KEY,
    api_secret: str = API_SECRET,
    rate_limits: Mapping[str, int] | None = None,
) -> AsyncIterator[Server]:
    """Serve both APIs over ``world`` while the block runs; port 0 takes any that is free.

    ``rate_limits`` are requests in any sliding second, by provider. InputError when the host is not a loopback
    address, the port is taken, or the faults cannot be read.
    """
    _refuse_open_hosts(host)
    faults = Faults.parse(faults) if isinstance(faults, str) else faults or Faults()
    world.habits.lag = faults.lag or world.habits.lag
    edge = Edge(world, faults, rate_limits or {})
    app = web.Application()
    _mount_control(app.router, world)
    edge.mount(app.router, UnpodApi(world.unpod, unpod_token, org_handle))
    edge.mount(app.router, VideoSdkApi(world.videosdk, videosdk_token, api_key, api_secret))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        yield Server(await _listen(runner, host, port), world)
    finally:
        edge.closing.set()
        await runner.cleanup()


async def run_forever(
    world: World,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    faults: Faults | str | None = None,
    rate_limits: Mapping[str, int] | None = None,
    announce: Callable[[str], None],
) -> None:
    """Serve until SIGINT or SIGTERM; ``announce`` is given what a user needs to try the sandbox, line by line."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    async with serve(world, faults=faults, host=host, port=port, rate_limits=rate_limits) as server:
        for number in signals:
            loop.add_signal_handler(number, stopped.set)
        try:
            _introduce(server, announce)
            await stopped.wait()
        finally:
            for number in signals:
                loop.remove_signal_handler(number)


def _introduce(server: Server, announce: Callable[[str], None]) -> None:
    announce(f"The sandbox listens on {server.url} until Ctrl-C. A config to try it with:")
    announce(_CONFIG.format(url=server.url, token=TOKEN, org_handle=ORG_HANDLE))
    announce(f"What is true in it: {server.url}/_sandbox/state, and every request: {server.url}/_sandbox/record")


def _refuse_open_hosts(host: str) -> None:
    """InputError unless only this machine can reach ``host``."""
    with contextlib.suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    raise InputError(f"the sandbox listens on this machine only; use 127.0.0.1, ::1 or localhost, not {host!r}")


async def _listen(runner: web.AppRunner, host: str, port: int) -> str:
    """Bind and return the URL."""
    site = web.TCPSite(runner, host, port)
    try:
        await site.start()
    except (OSError, OverflowError) as error:
        raise InputError(f"the sandbox cannot listen on {host} port {port}: {error}; choose another port") from error
    bound = runner.addresses[0][1]
    return f"http://{f'[{host}]' if ':' in host else host}:{bound}"


def _mount_control(router: web.UrlDispatcher, world: World) -> None:
    """Serve the truth and the record, for people and for other processes; neither is recorded nor faulted."""

    async def state(_request: web.Request) -> web.Response:
        return _json(world.state())

    async def record(_request: web.Request) -> web.Response:
        providers = ("unpod", "videosdk")
        return _json(
            {
                "requests": world.record,
                "useless_detaches": len(world.useless_detaches()),
                "busiest_second": {name: world.busiest_second(name) for name in providers},
            }
        )

    router.add_get("/_sandbox/state", state)
    router.add_get("/_sandbox/record", record)


def _json(document: object) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
