"""VideoSDK's own client works against the sandbox: it is not only our reading of the documentation that agrees."""

import asyncio
import json
from pathlib import Path

import pytest
from npm import installed

from runner.sandbox import API_KEY, API_SECRET, World, serve

SOURCE = Path(__file__).parent / "vendor"
NUMBERS = [f"+1415555010{index}" for index in range(5)]


@pytest.fixture(scope="module")
def vendor_client(request):
    """The script, beside an installed client of the pinned version."""
    return installed(request, "vendor-sdk", SOURCE) / "client.mjs"


async def run(script, *arguments):
    process = await asyncio.create_subprocess_exec("node", str(script), *arguments, stdout=-1, stderr=-1)
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(output)


async def test_the_vendors_client_is_content(vendor_client):
    """It mints a token, lists over pages, reads, detaches, understands refusals and attaches again."""
    world = World()
    for number in NUMBERS:
        world.videosdk.attach(number, "gw")
    async with serve(world) as server:
        told = await run(vendor_client, server.url, API_KEY, API_SECRET, NUMBERS[0])
    assert told["firstPage"] == {"length": 2, "total": 5, "more": True}
    assert (told["listed"], told["found"]) == (NUMBERS, 1)
    assert (told["before"]["inbound"]["id"], told["before"]["outbound"]["id"]) == ("gw", "gw-out")
    assert told["inbound"]["numbers"] == NUMBERS
    assert told["detached"]["message"] == "Detached successfully"
    assert (told["detached"]["inbound"], told["detached"]["outbound"]) == ("gw", "gw-out")
    assert told["after"] == told["before"] | {"inbound": None, "outbound": None}
    assert (told["again"]["name"], told["again"]["status"]) == ("ValidationError", 400)
    assert told["again"]["message"] == "Phone number is not attached to any gateway"
    assert (told["unknown"]["status"], told["unknown"]["message"]) == (404, "Phone number not found")
    assert told["created"]["message"]
    assert told["attachedAgain"]["inbound"]["id"] not in {"gw", None}
    assert told["attachedAgain"]["outbound"]["address"] == "sip.example.net"
    assert told["outboundGateways"][0] == "gw-out"
    assert len(told["outboundGateways"]) == 2
    assert (told["rules"], told["calls"]) == ([], [])
    assert world.attached("videosdk", None, NUMBERS[0])


async def test_the_vendors_client_is_refused_with_a_wrong_secret(vendor_client):
    """A token that was minted with another secret is not accepted."""
    world = World()
    async with serve(world) as server:
        with pytest.raises(AssertionError, match="AuthenticationError"):
            await run(vendor_client, server.url, API_KEY, "another-secret-of-at-least-32-bytes", NUMBERS[0])
    assert [request.status for request in world.record] == [401]
