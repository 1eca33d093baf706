"""The sandbox as a whole: its world, its record, its server and its limits."""

import asyncio
import csv
import json
import signal
from pathlib import Path
from types import SimpleNamespace

import aiohttp
import pytest
from sandbox_client import BRIDGES, DISCONNECT, ONE, PHONES, THREE, TWO, Client, seeded

from runner.errors import InputError
from runner.sandbox import ORG_HANDLE, World, run_forever, serve


@pytest.fixture
def world():
    return seeded()


@pytest.fixture
async def client(world):
    async with serve(world) as server, aiohttp.ClientSession(server.url) as session:
        yield Client(session)


def group(provider, target, numbers):
    return SimpleNamespace(provider=provider, target=target, numbers=numbers, reassign={})


async def test_rate_limit_in_any_sliding_second(world):
    """Requests over the limit get 429 with how long to wait, and nothing is done; the window slides."""
    now = [100.0]
    world.habits.clock = lambda: now[0]
    limits = {"unpod": 2, "videosdk": 1}
    async with serve(world, rate_limits=limits) as server, aiohttp.ClientSession(server.url) as session:
        client = Client(session)
        for remaining in ("1", "0"):
            assert (await client.get(BRIDGES))[0] == 200
            assert client.headers["X-RateLimit-Remaining"] == remaining
            now[0] += 0.3
        status, body = await client.post(DISCONNECT, {"phone_number": ONE})
        assert (status, body["error"]["code"], client.headers["Retry-After"]) == (429, "rate_limit_exceeded", "1")
        assert (client.headers["X-RateLimit-Limit"], world.attached("unpod", "sales", ONE)) == ("2", True)
        assert [(await client.get(PHONES))[0], (await client.get(PHONES))[0]] == [200, 429]
        now[0] = 101.0
        assert [(await client.get(BRIDGES))[0], (await client.get(BRIDGES))[0]] == [200, 429]
    assert world.busiest_second("unpod") == 4
    assert world.request_times("unpod") == [100.0, 100.3, 100.6, 101.0, 101.0]


async def test_reads_lag_behind_a_detach(world):
    """For the lag, reads show the number as attached, though it is gone and a second detach is refused."""
    now = [0.0]
    world.habits.clock = lambda: now[0]
    async with serve(world, faults="lag=2s") as server, aiohttp.ClientSession(server.url) as session:
        client = Client(session)
        await client.post(DISCONNECT, {"phone_number": ONE})
        await client.post(f"{PHONES}/detach", {"phoneNumber": ONE})
        for later, shown in ((1.9, True), (2.1, False)):
            now[0] = later
            _, bridge = await client.get(f"{BRIDGES}sales/")
            _, phone = await client.get(f"{PHONES}/%2B14155550101")
            assert (ONE in [row["number"] for row in bridge["data"]["numbers"]]) is shown
            assert (phone["inbound"] is not None) is shown
        assert (await client.post(DISCONNECT, {"phone_number": ONE}))[0] == 400


async def test_hooks_see_each_request_before_its_work(client, world):
    """A hook can change the world at the moment a request arrives; the record keeps what the client could know."""

    def bridge_vanishes(request):
        if request.kind == "detach":
            world.unpod.remove_bridge("sales")

    world.on_request.append(bridge_vanishes)
    assert (await client.post(DISCONNECT, {"phone_number": ONE}))[0] == 404
    assert world.useless_detaches() == []
    assert set(world.unpod.unassigned) == {ONE, TWO, THREE}


async def test_control_surface_tells_the_truth_to_other_processes(client, world):
    """State and record are there as JSON, and looking at them is not recorded."""
    await client.post(DISCONNECT, {"phone_number": ONE})
    assert await client.get("/_sandbox/state") == (200, json.loads(json.dumps(world.state())))
    _, body = await client.get("/_sandbox/record")
    (entry,) = body["requests"]
    assert (entry["method"], entry["path"], entry["number"], entry["status"]) == ("POST", DISCONNECT, ONE, 200)
    assert (entry["provider"], entry["target"], entry["worked"]) == ("unpod", "sales", True)
    assert (body["useless_detaches"], body["busiest_second"]) == (0, {"unpod": 1, "videosdk": 0})


def test_a_world_is_seeded_as_the_plan_says():
    """Listed numbers are attached where the plan says; ``all`` gets ten made-up ones, the same every time."""
    groups = [
        group("unpod", "all-of-it", None),
        group("unpod", "sales", (ONE, TWO)),
        group("videosdk", "gw", (ONE, TWO)),
        group("videosdk", None, (THREE, ONE)),
        group("videosdk", "all-of-it", None),
    ]
    world, again = World.from_plan(groups), World.from_plan(groups)
    assert world.state() == again.state()
    numbers = world.state()["videosdk"]["numbers"]
    assert numbers[ONE] == numbers[TWO] == {"inbound": "gw", "outbound": "gw-out"}
    assert world.attached("videosdk", None, THREE)
    assert not world.attached("videosdk", "gw", THREE)
    assert [world.attached("unpod", "sales", number) for number in (ONE, TWO, THREE)] == [True, True, False]
    made_up = world.state()["unpod"]["bridges"]["all-of-it"]
    assert len(set(made_up)) == 10
    assert sum(pair["inbound"] == "all-of-it" for pair in numbers.values()) == 10


def test_the_world_changes_behind_the_clients_back():
    """Tests may attach and detach at either provider without a request."""
    world = World.example()
    for provider, target in (("unpod", "support-bridge"), ("videosdk", "gw_7f3a")):
        world.attach(provider, target, ONE)
        assert world.attached(provider, target, ONE)
        assert world.attached(provider, None, ONE)
        assert not world.attached(provider, "elsewhere", ONE)
        world.detach(provider, None, ONE)
        assert not world.attached(provider, None, ONE)
    world.unpod.detach("support-bridge", ONE)
    assert world.record == []


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.com", ""])  # noqa: S104 - to be refused
async def test_only_this_machine_may_reach_it(host, world):
    """Any host but a loopback address is refused in a sentence."""
    with pytest.raises(InputError, match="this machine only"):
        async with serve(world, host=host):
            pass


async def test_a_taken_port_is_a_clear_sentence(world):
    """A port that cannot be had is refused with the mend."""
    async with serve(world) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(InputError, match="choose another port"):
            async with serve(World(), port=port):
                pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_run_forever_announces_itself_and_stops_at_a_signal(number):
    """Whoever starts it is told the address and a config to paste; a signal ends it."""
    said = []

    def announce(line):
        said.append(line)
        if "record" in line:
            asyncio.get_running_loop().call_soon(signal.raise_signal, number)

    await run_forever(World.example(), announce=announce)
    assert said[0].startswith("The sandbox listens on http://127.0.0.1:")
    assert f"org_handle: {ORG_HANDLE}" in said[1]


def test_example_number_files_hold_no_number_twice():
    """The number files of the example plans are usable: E.164 and without duplicates."""
    folder = Path(__file__).parent.parent / "plans" / "numbers"
    with (folder / "eu-sales.csv").open(encoding="utf-8") as file:
        numbers = [row["number"] for row in csv.DictReader(file)]
    for name in ("eu-support.txt", "eu-sip.txt"):
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        numbers += [line for line in lines if not line.startswith("#")]
    assert len(set(numbers)) == len(numbers) == 196
    assert all(number[0] == "+" and number[1:].isdecimal() for number in numbers)
