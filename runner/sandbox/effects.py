"""What a fault looks like to the client: answers that are wrong, and answers that never come whole."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from runner.sandbox.exchange import Answer, Api

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.sandbox.faults import Fault

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # linger on, for no time: the kernel sends RST where it would send FIN
_BAD_GATEWAY = (
    b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)
_GARBAGE = b"<html><body>Scheduled maintenance</body></html>"


def dress(answer: Answer, fault: Fault, api: Api) -> Answer:
    """``answer`` as ``fault`` shows it; the same where the fault leaves the words alone."""
    change = _CHANGES.get(fault.kind.effect)
    return change(answer, fault, api) if change else answer


def _throttled(_answer: Answer, fault: Fault, api: Api) -> Answer:
    wait = int(fault.seconds or 0)
    return api.throttled(wait).with_headers({"Retry-After": str(wait)})


def _unavailable(_answer: Answer, fault: Fault, _api: Api) -> Answer:
    headers = {} if fault.seconds is None else {"Retry-After": str(int(fault.seconds))}
    return Answer(503, {"message": "Service unavailable"}, headers=headers)


def _misdirected(answer: Answer, _fault: Fault, _api: Api) -> Answer:
    """Give a success that names another bridge or another number."""
    body: dict[str, Any] = answer.body
    if "phoneNumbers" in body and answer.status == web.HTTPOk.status_code:
        return Answer(answer.status, {**body, "phoneNumbers": ["+12125550199"]})
    if "phoneNumber" in body:
        return Answer(answer.status, {**body, "phoneNumber": {**body["phoneNumber"], "e164": "+12125550199"}})
    if answer.status == web.HTTPOk.status_code and "data" in body:
        return Answer(answer.status, {**body, "data": {**body["data"], "bridge_slug": "quite-another-bridge"}})
    return answer


_CHANGES: Mapping[str, Callable[[Answer, Fault, Api], Answer]] = {
    "206": lambda *_: Answer(206, {"status_code": 206, "message": "No provider linked to this number.", "data": {}}),
    "400": lambda *_: Answer(400, {"status_code": 400, "message": "Trunk could not be updated.", "data": {}}),
    "409": lambda *_: Answer(409, {"message": "The phone numbers are being configured by another request; retry."}),
    "429": _throttled,
    "500": lambda *_: Answer(500, {"message": "Internal server error"}),
    "502": lambda *_: Answer(502, _BAD_GATEWAY),
    "503": _unavailable,
    "garbage": lambda answer, *_: Answer(answer.status, _GARBAGE),
    "redirect": lambda *_: Answer(302, b"", headers={"Location": "/login/"}),
    "wrong": _misdirected,
}


def to_response(answer: Answer) -> web.Response:
    """Give the answer on the wire."""
    if isinstance(answer.body, bytes):
        return web.Response(status=answer.status, body=answer.body, content_type="text/html", headers=answer.headers)
    body = orjson.dumps(answer.body)
    return web.Response(status=answer.status, body=body, content_type="application/json", headers=answer.headers)


def cut(request: web.Request, *, reset: bool) -> None:
    """Close the connection without an answer: in order, or with a reset."""
    transport = request.transport
    if transport is None:
        return
    if reset:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


async def send_half(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Announce the whole answer, send half of it, and close."""
    body = orjson.dumps(answer.body)
    response = web.StreamResponse(status=answer.status)
    response.content_type = "application/json"
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
