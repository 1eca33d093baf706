"""The sandbox answers as Unpod documents, and keeps the truth."""

import aiohttp
import pytest
from sandbox_client import BRIDGES, CONNECT, DISCONNECT, ONE, ROOT, THREE, TWO, Client, seeded

from runner.sandbox import ORG_HANDLE, TOKEN, serve


@pytest.fixture
def world():
    return seeded()


@pytest.fixture
async def client(world):
    async with serve(world) as server, aiohttp.ClientSession(server.url) as session:
        yield Client(session)


async def test_unpod_disconnect_is_answered_as_documented(client, world):
    """The documented 200 names the bridge, and the number is gone from it and unassigned."""
    status, body = await client.post(DISCONNECT, {"phone_number": ONE})
    assert (status, body) == (
        200,
        {
            "status_code": 200,
            "message": "Provider disconnected from bridge successfully.",
            "data": {"message": "Provider disconnected successfully", "bridge_slug": "sales"},
        },
    )
    assert not world.attached("unpod", "sales", ONE)
    assert world.attached("unpod", "sales", TWO)
    assert world.state()["unpod"] == {"bridges": {"sales": [TWO]}, "unassigned": [THREE, ONE]}


async def test_unpod_disconnect_twice_is_refused_and_counted_as_useless(client, world):
    """A number that is gone is refused with 400, and the record shows the request as useless."""
    await client.post(DISCONNECT, {"phone_number": ONE})
    status, body = await client.post(DISCONNECT, {"phone_number": ONE})
    assert (status, body["status_code"], body["data"]) == (400, 400, {})
    first, second = world.detach_requests(ONE)
    assert (first.attached, first.worked, first.status) == (True, True, 200)
    assert world.useless_detaches() == [second]


async def test_unpod_business_error_for_a_number_that_is_not_connected(client, world):
    """With that habit, the refusal is a 206, which is an error at Unpod."""
    world.habits.not_connected = 206
    status, body = await client.post(DISCONNECT, {"phone_number": THREE})
    assert (status, body) == (206, {"status_code": 206, "message": "No provider linked to this number.", "data": {}})


@pytest.mark.parametrize("body", [{}, {"phone_number": 5}, {"phone_number": ""}, ["x"], None])
@pytest.mark.parametrize("path", [DISCONNECT, CONNECT])
async def test_unpod_needs_a_phone_number(client, path, body):
    """A body without a phone number gets the serializer's 400."""
    assert await client.post(path, body) == (
        400,
        {"status_code": 400, "message": "Error", "data": {"phone_number": ["This field is required."]}},
    )


@pytest.mark.parametrize("path", ["disconnect-provider/", "connect-provider/", ""])
async def test_unpod_unknown_bridge_is_404(client, path):
    """Every operation on a bridge that is not there gets 404, in the shape without a status code."""
    method = "POST" if path else "GET"
    assert await client.ask(method, f"{BRIDGES}none/{path}", json={}) == (404, {"message": "Bridge not found."})


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"Org-Handle": ORG_HANDLE}, 401, "Authentication credentials were not provided."),
        ({"Authorization": "Token wrong", "Org-Handle": ORG_HANDLE}, 401, "Invalid token."),
        ({"Authorization": f"Bearer {TOKEN}", "Org-Handle": ORG_HANDLE}, 401, "Invalid token."),
        ({"Authorization": f"Token {TOKEN}"}, 400, "Org-Handle header is required."),
        ({"Authorization": f"Token {TOKEN}", "Org-Handle": "other"}, 403, "You are not a member of this organization."),
    ],
)
async def test_unpod_credentials(client, headers, status, message):
    """A missing or wrong token or organisation is refused as documented."""
    assert await client.get(BRIDGES, headers) == (status, {"status_code": status, "message": message})


async def test_unpod_wants_the_trailing_slash(client, world):
    """Without its slash a read is redirected, and a post gets an HTML page and does nothing."""
    assert (await client.get(BRIDGES[:-1]))[0] == 301
    assert client.headers["Location"] == BRIDGES
    status, page = await client.post(DISCONNECT[:-1], {"phone_number": ONE})
    assert (status, page.startswith("<!doctype html>")) == (404, True)
    assert world.attached("unpod", "sales", ONE)
    assert world.record[-1].kind == "other"


async def test_unpod_bridges_come_in_pages_of_ten(client, world):
    """The list has a count, ten bridges a page, and an empty page past the end."""
    for index in range(11):
        world.unpod.add_bridge(f"bridge-{index}")
    status, body = await client.get(BRIDGES)
    assert (status, body["count"], len(body["data"])) == (200, 12, 10)
    assert body["data"][0]["numbers"][0] == {"id": 9001, "number": ONE, "status": "active"}
    assert len((await client.get(f"{BRIDGES}?page=2"))[1]["data"]) == 2
    assert len((await client.get(f"{BRIDGES}?page=1&page_size=50"))[1]["data"]) == 12
    assert (await client.get(f"{BRIDGES}?page=9"))[1] == body | {"data": []}


async def test_unpod_bridge_shows_its_numbers(client):
    """The detail has every documented field of each number, and no provider configuration."""
    _, body = await client.get(f"{BRIDGES}sales/")
    assert {key: body["data"][key] for key in ("id", "name", "slug")} == {"id": 301, "name": "Sales", "slug": "sales"}
    assert body["data"]["numbers"][0] == {
        "id": 9001,
        "number_id": 501,
        "number": ONE,
        "state": "ASSIGNED",
        "active": True,
        "channels_count": 1,
        "status": "active",
    }


@pytest.mark.parametrize(
    ("habit", "left"),
    [("gone", None), ("stay_null", {"provider_configuration": None}), ("unassigned", {"state": "UNASSIGNED"})],
)
async def test_unpod_rows_after_a_detach(client, world, habit, left):
    """A detached number's row leaves, or stays without a provider, or stays unassigned, as the habit says."""
    world.habits.detached_rows = habit
    await client.post(DISCONNECT, {"phone_number": ONE})
    _, body = await client.get(f"{BRIDGES}sales/")
    row = next((row for row in body["data"]["numbers"] if row["number"] == ONE), None)
    assert row == (None if left is None else row | left)
    assert not world.attached("unpod", "sales", ONE)
    world.attach("unpod", "sales", ONE)
    assert world.attached("unpod", "sales", ONE)


async def test_unpod_configurations_can_show_on_numbers_with_their_secrets(client, world):
    """With that habit each number carries its provider configuration, keys in clear, as older servers did."""
    world.habits.show_configurations = True
    world.unpod.configurations[7] = {"id": 7, "provider": "plivo"}
    assert (await client.post(CONNECT, {"phone_number": THREE, "provider_config_id": 7}))[0] == 200
    _, body = await client.get(f"{BRIDGES}sales/")
    shown = body["data"]["numbers"][-1]["provider_configuration"]
    assert (shown["id"], shown["provider"]) == (7, "plivo")
    assert shown["api_key"]
    assert shown["api_secret"]


async def test_unpod_numbers_are_the_unassigned_unless_asked(client):
    """The list holds unassigned numbers; with include_assigned the others too, each with its state."""
    _, body = await client.get(f"{ROOT}/telephony/numbers/")
    assert body["data"] == [{"id": 503, "number": THREE, "active": True}]
    _, body = await client.get(f"{ROOT}/telephony/numbers/?include_assigned=true")
    assert {row["number"]: row["state"] for row in body["data"]} == {
        THREE: "UNASSIGNED",
        ONE: "ASSIGNED",
        TWO: "ASSIGNED",
    }


async def test_unpod_connect_attaches_again(client, world):
    """A detached number can be connected through a known configuration, and the answer names both."""
    await client.post(DISCONNECT, {"phone_number": ONE})
    status, body = await client.post(CONNECT, {"phone_number": ONE, "provider_config_id": 42})
    assert (status, body["data"]["bridge_slug"], body["data"]["phone_number"]) == (200, "sales", ONE)
    assert world.attached("unpod", "sales", ONE)
    assert world.record[-1].body == {"phone_number": ONE, "provider_config_id": 42}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"phone_number": ONE}, "Error"),
        ({"phone_number": ONE, "provider_config_id": 5}, "Provider configuration not found."),
        ({"phone_number": "+19995550100", "provider_config_id": 42}, "Number is not assigned or does not exist."),
        (
            {"phone_number": "+14155550177", "provider_config_id": 42},
            "Provided number is already assigned to another bridge.",
        ),
    ],
)
async def test_unpod_connect_refusals(client, world, body, message):
    """A connect without a configuration, with an unknown one, or of a number that is not free, is refused."""
    world.unpod.add_bridge("other", ["+14155550177"])
    status, answer = await client.post(CONNECT, body)
    assert (status, answer["message"]) == (400, message)
    assert not world.record[-1].worked


async def test_unpod_configurations_and_organisations(client):
    """Provider configurations come without secrets; organisations are a cheap look at the credentials."""
    _, body = await client.get(f"{ROOT}/telephony/providers-configurations/")
    assert [(row["id"], row["provider"]) for row in body["data"]] == [(42, "twilio")]
    assert (await client.get(f"{ROOT}/telephony/providers-configurations/42/"))[1]["data"]["id"] == 42
    assert (await client.get(f"{ROOT}/telephony/providers-configurations/1/"))[0] == 404
    _, body = await client.get(f"{ROOT}/organizations/")
    assert (body["count"], body["data"][0]["domain_handle"]) == (1, ORG_HANDLE)


async def test_unpod_delete_takes_the_bridge_and_whatever_is_on_it(client, world):
    """204 without a body; its numbers become unassigned, and the record says whether any was attached."""
    assert await client.ask("DELETE", f"{BRIDGES}sales/") == (204, "")
    assert (list(world.unpod.bridges), set(world.unpod.unassigned)) == ([], {ONE, TWO, THREE})
    assert await client.ask("DELETE", f"{BRIDGES}sales/") == (404, {"message": "Bridge not found."})
    assert [(entry.kind, entry.attached, entry.worked) for entry in world.record] == [
        ("delete", True, True),
        ("delete", False, False),
    ]
