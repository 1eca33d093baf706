"""The edge of the sandbox: takes a request in, records it, lets a fault befall it, and answers."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from runner.sandbox import effects
from runner.sandbox.exchange import Answer, Api, Call, Route
from runner.sandbox.record import Request

if TYPE_CHECKING:
    from runner.sandbox.faults import Fault, Faults
    from runner.sandbox.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RateLimit:
    """At most ``limit`` requests in any sliding second; times are in seconds of one clock."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._granted: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Count a request that arrives at ``now`` and return 0, or return how long it should have waited."""
        while self._granted and now - self._granted[0] >= 1.0:
            self._granted.popleft()
        if len(self._granted) >= self.limit:
            return 1.0 - (now - self._granted[0])
        self._granted.append(now)
        return 0.0

    def headers(self) -> dict[str, str]:
        """Give the documented headers; the reset is in seconds since the epoch."""
        remaining = max(0, self.limit - len(self._granted))
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(math.ceil(time.time() + 1)),
        }


class Edge:
    """Serves the APIs over one world; ``closing`` is set when handlers that hang or are slow must end."""

    def __init__(self, world: World, faults: Faults, limits: Mapping[str, int]) -> None:
        self.world = world
        self.faults = faults
        self.limits = {provider: RateLimit(limit) for provider, limit in limits.items()}
        self.closing = asyncio.Event()

    def mount(self, router: web.UrlDispatcher, api: Api) -> None:
        """Route all documented operations of ``api``, and whatever else is asked for below its prefix."""
        for route in api.routes:
            router.add_route(route.method, route.path, self._handler(api, route))
        router.add_route("*", api.prefix + "{tail:(/.*)?}", self._stray(api))

    def _handler(self, api: Api, route: Route) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            call = await _read(request)
            entry = self._enter(request, api, route, call)
            refusal = self._refusal(api, request, entry)
            if refusal:
                return self._send(api, entry, refusal)
            fault = self.faults.draw(entry.kind, entry.number or entry.target, request.path)
            return await self._serve(request, api, entry, fault, lambda: route.answer(call))

        return handle

    def _stray(self, api: Api) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            route = Route(request.method, request.path, "other", lambda _: api.stray(request.method, request.path))
            return await self._handler(api, route)(request)

        return handle

    def _enter(self, request: web.Request, api: Api, route: Route, call: Call) -> Request:
        """Record a request on arrival, and tell the hooks."""
        numbers, target = _numbers(call), call.path.get("target")
        number = numbers[0] if numbers else None
        where = None if route.kind == "attach" else target
        attached = any(self.world.attached(api.name, where, each) for each in numbers) if numbers else None
        if route.kind == "delete":
            attached = self.world.holds(api.name, target)
        now, body = self.world.habits.clock(), dict(call.body)
        entry = Request(
            now, request.method, request.raw_path, api.name, route.kind, target, number, attached, body, numbers
        )
        self.world.record.append(entry)
        for hook in self.world.on_request:
            hook(entry)
        return entry

    def _refusal(self, api: Api, request: web.Request, entry: Request) -> Answer | None:
        """Why the request is not served: its credentials, or the rate limit."""
        after = self.faults.revoke_after
        if api.name in self.world.revoked or (after and len(self.world.record) >= after):
            return api.revoked()
        denied = api.denies(request.headers)
        limit = self.limits.get(api.name)
        if denied or not limit:
            return denied
        wait = math.ceil(limit.wait(entry.at))
        return api.throttled(wait).with_headers({"Retry-After": str(wait), **limit.headers()}) if wait else None

    async def _serve(
        self, request: web.Request, api: Api, entry: Request, fault: Fault | None, look: Callable[[], Answer]
    ) -> web.StreamResponse:
        """Do the work unless the fault prevents it, and answer as the fault lets it."""
        if fault is None:
            return self._send(api, entry, self._done(entry, look()))
        entry.fault = fault.name
        if fault.kind.effect == "slow":
            await self._pause(fault.seconds)
        answer = self._done(entry, look()) if fault.kind.works else look()
        match fault.kind.effect:
            case "hang":
                await self._pause(None)
                return self._cut(request)
            case "lost" | "reset":
                return self._cut(request, reset=fault.kind.effect == "reset")
            case "truncated" if not answer.body:
                return self._cut(request)
            case "truncated":
                return await effects.send_half(request, answer)
        return self._send(api, entry, effects.dress(answer, fault, api))

    def _done(self, entry: Request, answer: Answer) -> Answer:
        if answer.work:
            answer.work()
            entry.worked = True
        return answer

    def _send(self, api: Api, entry: Request, answer: Answer) -> web.Response:
        entry.status = answer.status
        limit = self.limits.get(api.name)
        if limit and api.name == "unpod":
            answer = answer.with_headers(limit.headers())
        return effects.to_response(answer)

    def _cut(self, request: web.Request, *, reset: bool = False) -> web.Response:
        effects.cut(request, reset=reset)
        return web.Response()

    async def _pause(self, seconds: float | None) -> None:
        """Wait so many seconds, for ever when null; at most until the server closes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.closing.wait()


def _numbers(call: Call) -> tuple[str, ...]:
    """Return the numbers that a request is about."""
    one = call.path.get("number") or call.body.get("phone_number") or call.body.get("phoneNumber")
    several = call.body.get("phoneNumbers")
    named = [one] if one else several if isinstance(several, list) else []
    return tuple(each for each in named if isinstance(each, str))


async def _read(request: web.Request) -> Call:
    body: Any = None
    if request.can_read_body:
        with contextlib.suppress(orjson.JSONDecodeError):
            body = orjson.loads(await request.read())
    return Call(request.match_info, request.query, body if isinstance(body, dict) else {})
