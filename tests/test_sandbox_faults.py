"""Every fault does to the connection, the answer and the truth what its name says."""

import asyncio
import time

import aiohttp
import pytest

from runner.errors import InputError
from runner.sandbox import KINDS, ORG_HANDLE, TOKEN, Faults, World, serve

ROOT = "/api/v2/platform/telephony/bridges/"
NUMBER = "+14155550101"
UNPOD = {"Authorization": f"Token {TOKEN}", "Org-Handle": ORG_HANDLE}
SIP = {"Authorization": TOKEN}
LOST, RESET, TIMEOUT, CUT = (
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientOSError,
    TimeoutError,
    aiohttp.ClientPayloadError,
)


@pytest.fixture
def world():
    world = World()
    world.unpod.add_bridge("sales", [NUMBER])
    world.videosdk.attach(NUMBER, "gw")
    return world


async def send(session, provider, *, read=False):
    """One detach or read; the answer's status, headers and text, or the error that the client met."""
    timeout = aiohttp.ClientTimeout(total=0.1)
    unpod = provider == "unpod"
    path = f"{ROOT}sales/disconnect-provider/" if unpod else "/v2/sip/phone-numbers/detach"
    if read:
        path = f"{ROOT}sales/" if unpod else "/v2/sip/phone-numbers"
    body = None if read else {"phone_number" if unpod else "phoneNumber": NUMBER}
    try:
        async with session.request(
            "GET" if read else "POST",
            path,
            json=body,
            headers=UNPOD if unpod else SIP,
            allow_redirects=False,
            timeout=timeout,
        ) as answer:
            return answer.status, answer.headers, await answer.text()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return error, {}, ""


def is_answer(met, expected):
    return met == expected if isinstance(expected, int) else isinstance(met, expected)


DETACH_FAULTS = [
    ("lost_before", LOST, False),
    ("lost_after", LOST, True),
    ("reset_before", RESET, False),
    ("reset_after", RESET, True),
    ("hang_before", TIMEOUT, False),
    ("hang_after", TIMEOUT, True),
    ("http_500_before", 500, False),
    ("http_500_after", 500, True),
    ("http_502_html", 502, False),
    ("http_503", 503, False),
    ("http_503_after", 503, True),
    ("http_400_after", 400, True),
    ("http_429", 429, False),
    ("business_206", 206, False),
    ("redirect", 302, False),
    ("truncated", CUT, True),
    ("garbage", 200, True),
    ("wrong_slug", 200, False),
    ("lying_200", 200, False),
    ("slow", TIMEOUT, True),
]
READ_FAULTS = [
    ("read_500", 500),
    ("read_lost", LOST),
    ("read_reset", RESET),
    ("read_hang", TIMEOUT),
    ("read_truncated", CUT),
    ("read_garbage", 200),
]


def test_every_fault_is_tested():
    """The two tables of this file name every fault there is but that of attaches alone."""
    assert {row[0] for row in DETACH_FAULTS + READ_FAULTS} | {"http_409"} == set(KINDS)


@pytest.mark.parametrize("provider", ["unpod", "videosdk"])
@pytest.mark.parametrize(("fault", "met", "works"), DETACH_FAULTS)
async def test_detach_fault(world, provider, fault, met, works):
    """The client meets what the name says, the number is gone only where the work was done, and the record says so."""
    share = "100%:60s" if fault == "slow" else "100%"
    async with serve(world, faults=f"{fault}={share}") as server, aiohttp.ClientSession(server.url) as session:
        answer, _, _ = await send(session, provider)
    assert is_answer(answer, met), answer
    assert world.attached(provider, None, NUMBER) is not works
    (entry,) = world.record
    assert (entry.fault, entry.worked) == (fault, works)
    assert entry.status == (met if isinstance(met, int) else 200 if fault == "slow" else None)


@pytest.mark.parametrize("provider", ["unpod", "videosdk"])
@pytest.mark.parametrize(("fault", "met"), READ_FAULTS)
async def test_read_fault(world, provider, fault, met):
    """Reads meet it, detaches do not."""
    async with serve(world, faults=f"{fault}=1.0") as server, aiohttp.ClientSession(server.url) as session:
        answer, _, text = await send(session, provider, read=True)
        assert is_answer(answer, met), answer
        assert not text.startswith('{"status_code"')
        assert (await send(session, provider))[0] == 200


async def test_garbage_is_a_success_that_is_not_json(world):
    """The status says success, and the body is a web page."""
    async with serve(world, faults="garbage=1") as server, aiohttp.ClientSession(server.url) as session:
        status, headers, text = await send(session, "unpod")
    assert (status, headers["Content-Type"].split(";")[0], text.startswith("<html>")) == (200, "text/html", True)


@pytest.mark.parametrize(("provider", "named"), [("unpod", "quite-another-bridge"), ("videosdk", "+12125550199")])
async def test_wrong_slug_names_something_else(world, provider, named):
    """The success speaks of another bridge or number, and nothing was done; a refusal stays as it is."""
    async with serve(world, faults="wrong_slug=1") as server, aiohttp.ClientSession(server.url) as session:
        assert named in (await send(session, provider))[2]
        world.detach(provider, None, NUMBER)
        assert (await send(session, provider))[0] == 400


async def test_throttles_say_how_long_to_wait(world):
    """A 429 has the Retry-After that was asked for, a second unless told; a 503 only when told."""
    for text, header in (
        ("http_429=1", "1"),
        ("http_429=1:7s", "7"),
        ("http_503=1", None),
        ("http_503=1:3s", "3"),
    ):
        async with serve(world, faults=text) as server, aiohttp.ClientSession(server.url) as session:
            assert (await send(session, "unpod", read=True))[1].get("Retry-After") == header


async def test_tokens_are_revoked_from_a_request_on(world):
    """From the named request on every token is refused, and nothing is done."""
    async with serve(world, faults="revoke_after=2") as server, aiohttp.ClientSession(server.url) as session:
        assert (await send(session, "unpod", read=True))[0] == 200
        assert (await send(session, "unpod"))[0] == 401
        assert (await send(session, "videosdk"))[0] == 401
    assert world.attached("unpod", "sales", NUMBER)


async def test_one_provider_can_be_revoked(world):
    """A test can revoke the token of one provider and leave the other's alone."""
    world.revoked.add("unpod")
    async with serve(world) as server, aiohttp.ClientSession(server.url) as session:
        assert (await send(session, "unpod"))[0] == 401
        assert (await send(session, "videosdk"))[0] == 200


async def test_scripted_faults_come_in_order(world):
    """A number's script befalls its detach requests one after another, then nothing does."""
    faults = Faults()
    faults.script(NUMBER, ["http_500_before", "ok"])
    faults.script_reads(ROOT, ["read_500", "http_503"])
    async with serve(world, faults=faults) as server, aiohttp.ClientSession(server.url) as session:
        assert [(await send(session, "unpod"))[0] for _ in range(3)] == [500, 200, 400]
        assert [(await send(session, "unpod", read=True))[0] for _ in range(3)] == [500, 503, 200]
        assert (await send(session, "videosdk", read=True))[0] == 200


async def test_shutdown_does_not_wait_for_what_hangs(world):
    """The server is gone at once, whatever hangs or dawdles, and its clients see their connections close."""
    arrived = asyncio.Semaphore(0)
    async with aiohttp.ClientSession() as session:
        async with serve(world, faults="hang_after=1,slow=0,read_hang=1") as server:
            world.on_request.append(lambda _: arrived.release())
            reads = [
                asyncio.ensure_future(session.get(f"{server.url}{ROOT}", headers=UNPOD, timeout=None)) for _ in range(3)
            ]
            for _ in reads:
                await arrived.acquire()
            began = time.monotonic()
        assert time.monotonic() - began < 0.5
        met = await asyncio.gather(*reads, return_exceptions=True)
        assert all(isinstance(error, aiohttp.ClientError) for error in met)


def test_draws_are_the_same_for_the_same_seed():
    """Shares hold roughly, the same seed gives the same faults, and another seed gives others."""

    def drawn(seed):
        faults = Faults.parse("lost_after=10%,http_429=0.2,read_500=50%", seed=seed)
        return [fault.name if (fault := faults.draw("detach", None, "/")) else None for _ in range(2000)]

    first = drawn(1)
    assert first == drawn(1)
    assert first != drawn(2)
    assert 130 < first.count("lost_after") < 270
    assert 320 < first.count("http_429") < 480
    assert first.count("read_500") == 0


def test_attaching_meets_what_befalls_all_that_changes_something():
    """The faults of detaches strike attaches as well; a lost race strikes them alone, a fault of reads never."""
    assert Faults.parse("lost_after=1").draw("attach", NUMBER, "/").name == "lost_after"
    assert Faults.parse("http_503=1").draw("attach", NUMBER, "/").name == "http_503"
    assert Faults.parse("read_500=1").draw("attach", NUMBER, "/") is None
    races = Faults.parse("http_409=1")
    assert (races.draw("attach", NUMBER, "/").name, races.draw("detach", NUMBER, "/")) == ("http_409", None)


def test_settings_are_read():
    """Durations, the lag and the count of the first refused request are understood; blanks are ignored."""
    faults = Faults.parse(" slow = 5%:2s , lag=500ms, revoke_after=10,")
    assert (faults.shares, faults.seconds, faults.lag, faults.revoke_after) == ({"slow": 0.05}, {"slow": 2.0}, 0.5, 10)
    assert Faults.parse("").draw("detach", NUMBER, "/") is None


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        ("lost=5%", "choose among lost_before, lost_after"),
        ("lost_after=", "like 5% or 0.05"),
        ("lost_after=five", "like 5% or 0.05"),
        ("lost_after=5", "like 5% or 0.05"),
        ("lost_after=-1%", "like 5% or 0.05"),
        ("lost_after=nan", "like 5% or 0.05"),
        ("lost_after=5%:2s", "only slow, http_429, http_503 take a duration"),
        ("slow=5%:soon", "is not a duration"),
        ("lag=soon", "is not a duration"),
        ("revoke_after=0", "like revoke_after=100"),
        ("revoke_after=x", "like revoke_after=100"),
        ("lost_after=60%,http_429=50%", "add up to more than 100%"),
    ],
)
def test_bad_faults_are_refused_with_the_mend(text, mend):
    """What cannot be read is named, with what to write."""
    with pytest.raises(InputError, match=mend):
        Faults.parse(text)


def test_all_bad_faults_are_named_at_once():
    """Each problem has its place."""
    with pytest.raises(InputError) as caught:
        Faults.parse("lost=5%,slow=x,lag=1s")
    assert [problem.place for problem in caught.value.problems] == ["fault 'lost=5%'", "fault 'slow=x'"]


def test_scripts_refuse_what_cannot_befall_the_request():
    """An unknown name, and a read's fault for a detach, are refused; so is an unknown share."""
    for names in (["nonsense"], ["read_500"]):
        with pytest.raises(InputError, match="choose among ok, lost_before"):
            Faults().script(NUMBER, names)
    with pytest.raises(InputError, match="choose among ok, read_500"):
        Faults().script_reads("/", ["lost_after"])
    with pytest.raises(InputError, match="no fault 'nonsense'"):
        Faults({"nonsense": 0.5})
