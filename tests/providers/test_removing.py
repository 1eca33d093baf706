"""Deleting bridges and gateways: what counts as left on them, and what counts as deleted."""

from contextlib import AsyncExitStack

import pytest
from lines import ONE, TWO, line, serving

from runner import providers
from runner.errors import LostAnswer, Refused, Throttled, UnexpectedAnswer
from runner.providers.removing import Thing
from runner.sandbox import World, serve

BRIDGE = Thing("bridge", "sales")
PAIR = (Thing("inbound gateway", "gw"), Thing("outbound gateway", "gw-out"))
BRIDGES = "/api/v2/platform/telephony/bridges/"
SIP = "/v2/sip/"


@pytest.fixture(params=[("unpod", BRIDGE), *(("videosdk", thing) for thing in PAIR)], ids=lambda it: it[1].kind)
def case(request):
    """Give a provider and something of it that can be deleted."""
    return request.param


@pytest.fixture
def world(case):
    """One number hangs on it, another on something else."""
    world = World()
    provider, _ = case
    world.attach(provider, "sales" if provider == "unpod" else "gw", ONE)
    world.attach(provider, "other", TWO)
    return world


@pytest.fixture
async def connect(world, case):
    """Serve the world, and give what deletes there."""
    async with AsyncExitStack() as stack:

        async def open_line(faults=None):
            server = await stack.enter_async_context(serve(world, faults=faults))
            return (await stack.enter_async_context(line(server.url, case[0]))).remover

        yield open_line


def there(world, thing):
    """Whether a thing truly exists."""
    return thing.id in {*world.unpod.bridges, *(each for side in world.videosdk.gateways.values() for each in side)}


async def test_what_is_left_is_seen(connect, world, case):
    """A number that hangs on it is left, also one that was seen gone before; without any it is empty; then gone."""
    provider, thing = case
    assert await (await connect()).left(thing, ()) == [ONE]
    assert await (await connect()).left(thing, {ONE}) == [ONE]
    world.detach(provider, None, ONE)
    assert await (await connect()).left(thing, ()) == []
    remover = await connect()
    await remover.remove(thing)
    assert not there(world, thing)
    assert await remover.left(thing, ()) is None


async def test_only_that_thing_is_deleted(connect, world, case):
    """One request, and everything else stays."""
    provider, thing = case
    world.detach(provider, None, ONE)
    await (await connect()).remove(thing)
    assert [(entry.method, entry.kind, entry.target) for entry in world.record] == [("DELETE", "delete", thing.id)]
    assert world.attached(provider, "other", TWO)


@pytest.mark.parametrize(
    ("fault", "error", "worked"),
    [
        ("lost_before", LostAnswer, False),
        ("lost_after", LostAnswer, True),
        ("http_500_after", UnexpectedAnswer, True),
        ("http_400_after", Refused, True),
        ("redirect", UnexpectedAnswer, False),
        ("http_429", Throttled, False),
        ("http_503_after", Throttled, True),
    ],
)
async def test_only_the_documented_success_is_one(connect, world, case, *, fault, error, worked):
    """Whatever else comes back is an error, whether it was deleted or not, and is not repeated here."""
    _, thing = case
    with pytest.raises(error):
        await (await connect(f"{fault}=100%")).remove(thing)
    assert there(world, thing) is not worked
    assert len(world.record) == 1


@pytest.mark.parametrize("fault", ["read_500", "read_lost", "read_garbage", "read_truncated"])
async def test_a_failed_look_is_no_evidence(connect, case, fault):
    """It is an error, and never an empty thing or a missing one."""
    with pytest.raises((LostAnswer, UnexpectedAnswer)):
        await (await connect(f"{fault}=100%")).left(case[1], ())


async def test_a_thing_is_named_by_what_was_seen(case):
    """Of a bridge the plan knows enough; of gateways only those that a look has named."""
    provider, thing = case
    named = providers.load(provider).removing.named
    seen = {"inbound": "gw", "outbound": "gw-out"}
    assert thing in set(named("sales", seen))
    assert list(named("sales", None)) == ([BRIDGE] if provider == "unpod" else [])
    assert list(named(None, {"inbound": None, "outbound": None})) == []


async def ask(provider, thing, answers, ours=()):
    """Look at a thing of a server that gives these answers."""
    async with serving(answers) as stub, line(stub.url, provider) as connected:
        return await connected.remover.left(thing, ours)


def detail(*rows, **more):
    """Give a bridge's detail."""
    return {BRIDGES + "sales/": (200, {"data": {"slug": "sales", "numbers": list(rows)} | more})}


@pytest.mark.parametrize(
    ("row", "left"),
    [
        ({"number": ONE, "state": "UNASSIGNED"}, []),
        ({"number": ONE, "provider_configuration": None}, []),
        ({"number": "1 (415) 555-0101", "state": "UNASSIGNED"}, []),
        ({"number": ONE, "state": "ASSIGNED"}, [ONE]),
        ({"number": TWO, "state": "UNASSIGNED"}, [TWO]),
        ({"number": TWO, "provider_configuration": None}, [TWO]),
        ({"number": "reception", "state": "UNASSIGNED"}, ["reception"]),
    ],
)
async def test_rows_of_a_bridge(row, left):
    """Only a row of ours without a provider counts for nothing: others lose theirs with the bridge."""
    assert await ask("unpod", BRIDGE, detail(row), {ONE}) == left


@pytest.mark.parametrize(
    "answers",
    [
        detail(slug="another"),
        {BRIDGES + "sales/": (200, {"data": {"slug": "sales"}})},
        {BRIDGES + "sales/": (200, {"data": {"slug": "sales", "numbers": ["a row"]}})},
        {BRIDGES + "sales/": (404, {}), BRIDGES: (200, {"count": 1, "data": [{"slug": "sales"}]})},
        {BRIDGES + "sales/": (404, {})},
    ],
)
async def test_a_bridge_that_is_not_shown_as_documented_is_unknown(answers):
    """Another bridge, no list of numbers, a 404 that its listing contradicts or that cannot be confirmed."""
    with pytest.raises((UnexpectedAnswer, Refused)):
        await ask("unpod", BRIDGE, answers)


def gateway(*numbers, held=(), **more):
    """Give a gateway's detail and the account's numbers."""
    rows = [{"phoneNumber": {"e164": number}, "inbound": {"id": "gw"}, "outbound": None} for number in held]
    return {
        SIP + "inbound-gateways/gw": (200, {"id": "gw", "numbers": list(numbers)} | more),
        SIP + "phone-numbers": (200, {"pageInfo": {"total": len(rows)}, "data": rows}),
    }


@pytest.mark.parametrize(
    ("answers", "left"),
    [
        (gateway(), []),
        (gateway(ONE), [ONE]),
        (gateway(held=[TWO]), [TWO]),
        (gateway(ONE, held=[ONE, TWO]), [ONE, TWO]),
    ],
)
async def test_a_gateway_is_empty_when_both_sides_say_so(answers, left):
    """It shows no number, and no number shows it."""
    assert await ask("videosdk", PAIR[0], answers) == left


@pytest.mark.parametrize(
    "answers",
    [
        gateway(id="another"),
        gateway(numbers=None),
        gateway() | {SIP + "inbound-gateways/gw": (204, b"")},
        gateway() | {SIP + "inbound-gateways/gw": (404, {}), SIP + "inbound-gateways": (200, {"data": [{"id": "gw"}]})},
        gateway() | {SIP + "inbound-gateways/gw": (404, {})},
        gateway()
        | {
            SIP + "phone-numbers": (
                200,
                {"data": [{"phoneNumber": {"e164": ONE}, "inbound": {"name": "unnamed"}, "outbound": None}]},
            )
        },
    ],
)
async def test_a_gateway_that_is_not_shown_as_documented_is_unknown(answers):
    """Another gateway, no list of numbers, a 404 that nothing confirms, or a number on a gateway that has no id."""
    with pytest.raises((UnexpectedAnswer, Refused)):
        await ask("videosdk", PAIR[0], answers)


async def test_a_success_without_its_body_is_none():
    """Unpod says 204 and VideoSDK 200 with a message: anything else is looked at."""
    for provider, thing, path in (
        ("unpod", BRIDGE, BRIDGES + "sales/"),
        ("videosdk", PAIR[0], SIP + "inbound-gateways/gw"),
    ):
        for answer in ((200, {"data": {}}), (202, {}), (206, {"message": "not now"})):
            async with serving({path: answer}) as stub, line(stub.url, provider) as connected:
                with pytest.raises((UnexpectedAnswer, Refused)):
                    await connected.remover.remove(thing)
                assert stub.asked == [f"DELETE {path}"]
