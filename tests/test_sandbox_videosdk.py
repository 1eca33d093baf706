"""The sandbox answers as VideoSDK documents, and keeps the truth."""

import time

import aiohttp
import jwt
import pytest
from sandbox_client import ONE, PHONES, THREE, TWO, Client, seeded

from runner.sandbox import API_KEY, API_SECRET, TOKEN, serve


@pytest.fixture
def world():
    return seeded()


@pytest.fixture
async def client(world):
    async with serve(world) as server, aiohttp.ClientSession(server.url) as session:
        yield Client(session)


async def test_videosdk_detach_is_answered_as_documented(client, world):
    """The documented 200 names the number and the ids of its gateways; both directions are gone."""
    status, body = await client.post(f"{PHONES}/detach", {"phoneNumber": ONE})
    assert (status, body["message"]) == (200, "Detached successfully")
    assert (body["phoneNumber"]["e164"], body["inbound"], body["outbound"]) == (ONE, "gw", "gw-out")
    assert not world.attached("videosdk", None, ONE)
    status, body = await client.get(f"{PHONES}/%2B14155550101")
    assert (body["inbound"], body["outbound"], body["phoneNumber"]["status"]) == (None, None, "ACTIVE")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 400, "phoneNumber is required"),
        ({"phoneNumber": TWO}, 400, "Phone number is not attached to any gateway"),
        ({"phoneNumber": "+19995550100"}, 404, "Phone number not found"),
    ],
)
async def test_videosdk_detach_refusals(client, body, status, message):
    """No number and a number that is attached to nothing get 400, an unknown one 404."""
    assert await client.post(f"{PHONES}/detach", body) == (status, {"message": message})


async def test_videosdk_phones_come_in_pages(client, world):
    """Twenty a page unless asked, never more than a hundred, with a page info that adds up."""
    for index in range(150):
        world.videosdk.attach(f"+1212555{index:04d}")
    _, body = await client.get(PHONES)
    assert body["pageInfo"] == {"currentPage": 1, "perPage": 20, "lastPage": 8, "total": 152}
    assert len(body["data"]) == 20
    _, body = await client.get(f"{PHONES}?page=2&perPage=500")
    assert body["pageInfo"] == {"currentPage": 2, "perPage": 100, "lastPage": 2, "total": 152}
    assert len(body["data"]) == 52


async def test_videosdk_phones_show_gateways_and_can_be_searched(client):
    """Gateways come resolved: the inbound one hides its address, the outbound one has its secret."""
    _, body = await client.get(f"{PHONES}?search=0101")
    (row,) = body["data"]
    assert (row["inbound"]["id"], row["inbound"]["address"], row["inbound"]["auth"]) == ("gw", None, {})
    assert (row["outbound"]["id"], set(row["outbound"]["auth"])) == ("gw-out", {"username", "password"})
    _, body = await client.get(f"{PHONES}?search=lobby")
    assert [(row["phoneNumber"]["e164"], row["inbound"]) for row in body["data"]] == [(TWO, None)]
    assert await client.get(f"{PHONES}/%2B19995550100") == (404, {"message": "Phone number not found"})


def create(numbers, **more):
    outbound = {"address": "sip.example.net", "sipRegion": "auto", "transport": "udp"}
    return {
        "name": "Back",
        "phoneNumbers": numbers,
        "inbound": {"sipRegion": "auto"},
        "outbound": outbound,
    } | more


@pytest.mark.parametrize(("shared", "pairs"), [("true", 1), (True, 1), (False, 2)])
async def test_videosdk_create_attaches_to_new_gateways(client, world, shared, pairs):
    """Known and unknown numbers are attached to one new pair, or to one each."""
    status, _ = await client.post(PHONES, create([TWO, THREE], isShared=shared))
    assert status == 200
    assert world.attached("videosdk", None, TWO)
    assert world.attached("videosdk", None, THREE)
    assert len({world.videosdk.phones[number].inbound for number in (TWO, THREE)}) == pairs
    _, body = await client.get(f"{PHONES}/%2B14155550103")
    assert (body["phoneNumber"]["name"], body["outbound"]["address"]) == ("Back", "sip.example.net")


async def test_videosdk_create_is_all_or_nothing(client, world):
    """One number that is already attached refuses them all."""
    status, body = await client.post(PHONES, create([TWO, ONE]))
    assert (status, body["message"]) == (400, f"Phone numbers already attached: {ONE}")
    assert not world.attached("videosdk", None, TWO)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "name is required"),
        ({"phoneNumbers": []}, "phoneNumbers must be a non-empty array"),
        ({"inbound": {}}, "inbound.sipRegion is required"),
        ({"outbound": None}, "outbound.address and outbound.sipRegion are required"),
        (
            {"outbound": {"address": "a", "sipRegion": "auto", "auth": {"username": "u"}}},
            "outbound.auth requires both username and password",
        ),
    ],
)
async def test_videosdk_create_refusals(client, change, message):
    """A create request that lacks something is refused with what it lacks."""
    assert await client.post(PHONES, create([TWO]) | change) == (400, {"message": message})


async def test_videosdk_gateways(client, world):
    """Gateways of each direction are listed with their numbers, narrowed by id, and read one by one."""
    world.videosdk.attach(THREE)
    _, body = await client.get("/v2/sip/inbound-gateways")
    assert [row["numbers"] for row in body["data"]] == [[ONE], [THREE]]
    _, body = await client.get("/v2/sip/outbound-gateways?id=gw-out")
    assert [(row["id"], row["numbers"]) for row in body["data"]] == [("gw-out", [ONE])]
    assert (await client.get("/v2/sip/inbound-gateways/gw"))[1]["numbers"] == [ONE]
    assert await client.get("/v2/sip/inbound-gateways/none") == (404, {"message": "Gateway not found"})
    world.videosdk.remove_gateway("gw-out")
    assert not world.attached("videosdk", "gw-out", ONE)
    assert world.attached("videosdk", "gw", ONE)


async def test_videosdk_rules_and_calls(client, world):
    """Routing rules and calls are listed, narrowed by type, gateway and number."""
    world.videosdk.rules.append({"id": "r1", "name": "Main", "type": "inbound", "numbers": [ONE]})
    world.videosdk.attach(ONE, "gw")
    world.videosdk.begin_call(ONE)
    for query in ("", "?type=inbound", "?search=0101", "?search=main"):
        assert (await client.get(f"/v2/sip/routing-rule{query}"))[1]["data"] == world.videosdk.rules
    assert (await client.get("/v2/sip/routing-rule?type=outbound"))[1]["data"] == []
    for query in ("", "?gatewayId=gw", "?type=inbound", "?search=0101", "?startDate=1000"):
        assert (await client.get(f"/v2/sip/call{query}"))[1]["data"] == world.videosdk.calls
    for query in ("?gatewayId=other", "?type=outbound", "?search=999", "?startDate=99999999999999"):
        assert (await client.get(f"/v2/sip/call{query}"))[1]["data"] == []


@pytest.mark.parametrize(
    ("key", "secret", "ttl", "status"),
    [
        (API_KEY, API_SECRET, 60, 200),
        (API_KEY, API_SECRET, -5, 401),
        ("another", API_SECRET, 60, 401),
        (API_KEY, "another-secret-of-at-least-32-bytes", 60, 401),
    ],
)
async def test_videosdk_minted_tokens(client, key, secret, ttl, status):
    """A token that was minted with the key and its secret is good until it ends."""
    token = jwt.encode({"apikey": key, "exp": int(time.time()) + ttl}, secret, algorithm="HS256")
    assert (await client.get(PHONES, {"Authorization": token}))[0] == status


@pytest.mark.parametrize("token", ["", f"Bearer {TOKEN}", "other"])
async def test_videosdk_refuses_other_tokens(client, token):
    """No token, a prefix before it, and one that is not known are refused."""
    assert await client.get(PHONES, {"Authorization": token}) == (401, {"message": "Token is invalid or expired"})


async def test_videosdk_unknown_path(client):
    """A path that is not documented gets a JSON 404."""
    assert await client.get("/v2/sip/nothing") == (404, {"message": "Cannot GET /v2/sip/nothing"})


async def test_videosdk_delete_takes_one_gateway(client, world):
    """The other half of its pair stays, and so does the number, without that direction."""
    done = {"message": "Gateway deleted successfully"}
    assert await client.ask("DELETE", "/v2/sip/inbound-gateways/gw-out") == (404, {"message": "Gateway not found"})
    assert await client.ask("DELETE", "/v2/sip/outbound-gateways/gw-out") == (200, done)
    assert (world.videosdk.phones[ONE].inbound, world.videosdk.phones[ONE].outbound) == ("gw", None)
    assert [entry.attached for entry in world.record] == [True, True]


async def test_videosdk_calls_end(client, world):
    """After the seconds that it was given, or when somebody hangs up, a call has an end and a last status."""
    world.videosdk.begin_call(ONE, 0.0)
    world.videosdk.begin_call(TWO)
    shown = {row["to"]: row for row in (await client.get("/v2/sip/call"))[1]["data"]}
    assert (shown[ONE]["status"], shown[TWO]["status"], shown[TWO]["end"]) == ("ended", "answered", None)
    assert shown[ONE]["end"] >= shown[ONE]["start"]
    world.videosdk.end_calls(TWO)
    assert {row["status"] for row in (await client.get("/v2/sip/call"))[1]["data"]} == {"ended"}
