"""VideoSDK alone: numbers in paths, tokens, lists or single looks, gateways, and the shapes that lists may have."""

from contextlib import AsyncExitStack

import orjson
import pytest
from lines import FOUR, ONE, THREE, TWO, line, serving, sights

from runner import providers
from runner.config import Account, Credentials
from runner.errors import Refused, UnexpectedAnswer
from runner.model import Attached, Elsewhere, Gone
from runner.providers import NumberSeen, TargetSeen
from runner.providers.videosdk import VideoSDKReader
from runner.providers.videosdk_gateways import elsewhere, read_inventory, reversal
from runner.sandbox import API_KEY, API_SECRET, World, serve
from runner.transport import Reply

PHONES = "/v2/sip/phone-numbers"
ALONE = f"{PHONES}/%2B14155550101"
DETACH = f"{PHONES}/detach"
SEARCH = f"{PHONES}?page=1&perPage=100&search=%2B14155550101"
COUNT = f"{PHONES}?page=1&perPage=1"


@pytest.fixture
def world():
    world = World()
    world.videosdk.attach(ONE, "gw")
    world.videosdk.attach(TWO, "gw")
    world.videosdk.attach(THREE, "gw_other")
    world.videosdk.add_phone(FOUR)
    return world


@pytest.fixture
async def stack():
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def sandbox(stack, world):
    """A line to the sandbox."""
    server = await stack.enter_async_context(serve(world))
    return await stack.enter_async_context(line(server.url, "videosdk"))


@pytest.fixture
def answering(stack):
    """A function that serves answers by path, and returns a line to them and the server."""

    async def open_line(answers, **fields):
        stub = await stack.enter_async_context(serving(answers))
        return await stack.enter_async_context(line(stub.url, "videosdk", **fields)), stub

    return open_line


def phone(number=ONE, inbound=None, outbound=None):
    return {"phoneNumber": {"phoneNumberId": "pn_1", "e164": number}, "inbound": inbound, "outbound": outbound}


def crowd(world, count):
    """Fill the account, so that it has so many numbers."""
    for index in range(count - len(world.videosdk.phones)):
        world.videosdk.add_phone(f"+1212555{index:04d}")


async def test_the_plus_of_a_number_is_encoded(sandbox, world):
    """A number goes into a path and into a search with %2B, and into a body as it is."""
    await sandbox.reader.look(None, ONE)
    await sandbox.reader.look(None, "+14155559999")
    await sandbox.detacher.detach(None, ONE)
    assert [entry.path for entry in world.record] == [
        ALONE,
        f"{PHONES}/%2B14155559999",
        f"{PHONES}?page=1&perPage=100&search=%2B14155559999",
        DETACH,
    ]
    assert world.record[-1].body == {"phoneNumber": ONE}


async def test_the_token_goes_into_the_header_as_it_is(answering):
    """There is no word before it, and no header of another provider."""
    answers = {ALONE: (200, phone()), DETACH: (200, {"phoneNumber": {"e164": ONE}})}
    opened, stub = await answering(answers, credentials=Credentials(token="raw.jwt.token"))
    await opened.reader.look(None, ONE)
    await opened.detacher.detach(None, ONE)
    assert stub.asked == [f"GET {ALONE}", f"POST {DETACH}"]
    for request in stub.requests:
        assert request.headers["Authorization"] == "raw.jwt.token"
        assert request.headers["Accept"] == "application/json"
        assert not {"Org-Handle", "Product-Id"} & set(request.headers)
    assert orjson.loads(stub.bodies[-1]) == {"phoneNumber": ONE}


async def test_a_minted_token_is_accepted(stack, world):
    """A key and its secret do in place of a token."""
    server = await stack.enter_async_context(serve(world))
    credentials = Credentials(api_key=API_KEY, secret=API_SECRET)
    opened = await stack.enter_async_context(line(server.url, "videosdk", credentials))
    assert isinstance(await opened.reader.look("gw", ONE), Attached)


def test_the_base_url_may_name_the_root_or_leave_it_out():
    """Both spellings lead to the same paths."""
    spec = providers.load("videosdk")
    for given in ("https://api.videosdk.live", "https://api.videosdk.live/v2/sip"):
        assert spec.base_url(Account("a", "videosdk", given)) == "https://api.videosdk.live/v2/sip"


async def test_few_numbers_of_a_large_account_are_looked_at_singly(sandbox, world):
    """One read for the count and one a number are less than the whole list."""
    crowd(world, 500)
    seen = await sights(sandbox.reader.survey({"gw": [ONE, TWO, THREE, FOUR]}, census=False))
    assert [sight.seen for sight in seen] == [seen[0].seen, seen[1].seen, Elsewhere("gw_other, gw_other-out"), Gone()]
    assert isinstance(seen[0].seen, Attached)
    assert [entry.path.partition("?")[0] for entry in world.record[1:]] == [
        f"{PHONES}/%2B{number[1:]}" for number in (ONE, TWO, THREE, FOUR)
    ]


@pytest.mark.parametrize(
    ("wanted", "census"),
    [({"gw": [ONE, TWO, THREE, FOUR, "+14155550105"]}, False), ({"gw": [ONE]}, True), ({"gw": None}, False)],
)
async def test_many_numbers_are_read_from_the_list(sandbox, world, wanted, census):
    """A list of a hundred numbers a request is taken where it is less, or where everything has to be seen."""
    crowd(world, 450)
    await sights(sandbox.reader.survey(wanted, census=census))
    pages = [entry.path for entry in world.record if "perPage=100" in entry.path]
    assert pages == [f"{PHONES}?page={page}&perPage=100" for page in range(1, 6)]
    assert not [entry.path for entry in world.record if "%2B" in entry.path]


@pytest.mark.parametrize(("others", "counted"), [(0, [TargetSeen("gw", 2)]), (500, [])])
async def test_a_census_that_costs_nothing(sandbox, world, others, counted):
    """Where the list is read anyway all of a gateway is counted, and no list is read for that alone."""
    crowd(world, others)
    seen = await sights(sandbox.reader.survey({"gw": [ONE]}, census=None))
    assert [sight for sight in seen if isinstance(sight, TargetSeen)] == counted


async def test_what_the_list_does_not_show_gets_no_sight(sandbox, world):
    """A number that the list lacks is left open, for a look at the number itself to settle."""
    stranger = "+14155559999"
    seen = await sights(sandbox.reader.survey({"gw": [ONE, stranger]}, census=False))
    assert [sight.number for sight in seen] == [ONE]
    assert not [entry.path for entry in world.record if "9999" in entry.path]
    (sight,) = await sights(sandbox.reader.trace({"gw": [stranger]}))
    assert sight.seen == Gone("unknown_to_account")
    assert world.record[-2].path == f"{PHONES}/%2B14155559999"


async def test_a_gateway_is_matched_in_either_direction(sandbox, world):
    """A number is at a gateway that it uses for inbound or for outbound calls, and at any where none is named."""
    world.videosdk.connect(FOUR, (None, "gw-out"))
    for target in ("gw", "gw-out", None):
        assert isinstance(await sandbox.reader.look(target, ONE), Attached)
    assert await sandbox.reader.look("gw", THREE) == Elsewhere("gw_other, gw_other-out")
    assert await sandbox.reader.look("gw", FOUR) == Elsewhere("gw-out")
    assert (await sandbox.reader.look("gw-out", FOUR)).before["inbound"] is None


async def test_a_census_counts_the_numbers_of_each_gateway(sandbox):
    """Each target is counted by itself, any gateway by all numbers that have one; the free ones count nowhere."""
    wanted = {"gw": [ONE], "gw_other-out": [ONE], None: [THREE]}
    seen = await sights(sandbox.reader.survey(wanted, census=True))
    counts = [sight for sight in seen if isinstance(sight, TargetSeen)]
    assert counts == [TargetSeen("gw", 2), TargetSeen("gw_other-out", 1), TargetSeen(None, 3)]
    assert [(sight.target, type(sight.seen)) for sight in seen if isinstance(sight, NumberSeen)] == [
        ("gw", Attached),
        ("gw_other-out", Elsewhere),
        (None, Attached),
    ]


class Counted(dict):
    """A row that counts how often its directions are read."""

    reads = 0

    def __getitem__(self, key):
        Counted.reads += key in ("inbound", "outbound")
        return super().__getitem__(key)


class OnePage:
    """A list that fits on one page."""

    def __init__(self, rows):
        self.body = {"pageInfo": {"total": len(rows)}, "data": rows}

    async def get(self, _path, parse, _query=None):
        reply = Reply(200, b"")
        reply._body = self.body  # the rows themselves: they count who reads them
        return parse(reply)


@pytest.mark.parametrize("census", [True, False])
async def test_a_row_is_judged_for_its_own_gateways_only(census):
    """Where each number has a gateway of its own, reading them all takes no longer for each of them."""
    names = [f"gw_{index}" for index in range(200)]
    listed = [f"+1212555{index:04d}" for index in range(200)]
    rows = [Counted(phone(number, name, f"{name}-out")) for number, name in zip(listed, names, strict=True)]
    wanted = {name: [number] for name, number in zip(names, listed, strict=True)}
    Counted.reads = 0
    seen = await sights(VideoSDKReader(OnePage(rows)).survey(wanted, census=census))
    assert len(seen) == (400 if census else 200)
    assert all(isinstance(sight.seen, Attached) for sight in seen if isinstance(sight, NumberSeen))
    assert Counted.reads <= 10 * len(rows)


@pytest.mark.parametrize(
    ("inbound", "outbound", "kept"),
    [
        ({"id": "gw_in", "auth": {"password": "in-clear"}}, {"id": "gw_out"}, ("gw_in", "gw_out")),
        ("gw_in", "gw_out", ("gw_in", "gw_out")),
        ("gw_in", None, ("gw_in", None)),
        (None, {"id": "gw_in"}, (None, "gw_in")),
    ],
)
async def test_gateways_come_as_objects_or_as_ids(answering, inbound, outbound, kept):
    """Either way their ids are kept, and nothing else of them."""
    opened, _ = await answering({ALONE: (200, phone(ONE, inbound, outbound))})
    before = {"phone_number_id": "pn_1", "inbound": kept[0], "outbound": kept[1]}
    assert await opened.reader.look("gw_in", ONE) == Attached(before)


async def test_a_gateway_without_a_name_still_holds_its_number(answering):
    """A gateway that is shown without an id is attached all the same, and is not the one that was asked for."""
    opened, _ = await answering({ALONE: (200, phone(ONE, {}, None))})
    assert await opened.reader.look(None, ONE) == Attached(
        {"phone_number_id": "pn_1", "inbound": None, "outbound": None}
    )
    assert await opened.reader.look("gw", ONE) == Elsewhere("an unnamed gateway")


@pytest.mark.parametrize(
    "body",
    [
        phone(TWO),
        {"phoneNumber": {"e164": ONE}},
        {"phoneNumber": {"e164": ONE}, "inbound": None},
        {"phoneNumber": ONE, "inbound": None, "outbound": None},
        {"phoneNumber": {"number": ONE}, "inbound": None, "outbound": None},
        {"data": phone()},
        [phone()],
    ],
)
async def test_a_number_in_a_shape_that_is_not_documented_is_no_evidence(answering, body):
    """An answer about another number, or one that does not show both directions, never means that it is gone."""
    opened, _ = await answering({ALONE: (200, body)})
    with pytest.raises(UnexpectedAnswer):
        await opened.reader.look(None, ONE)


async def test_one_direction_is_enough_to_be_attached(answering):
    """A direction that is not shown does not matter where the other has a gateway."""
    body = {"phoneNumber": {"e164": ONE, "phoneNumberId": "pn_1"}, "outbound": "gw-out"}
    opened, _ = await answering({ALONE: (200, body)})
    seen = await opened.reader.look(None, ONE)
    assert seen == Attached({"phone_number_id": "pn_1", "inbound": None, "outbound": "gw-out"})


async def test_an_unknown_number_is_believed_when_the_search_agrees(answering):
    """A 404 for a number that the search does not find means that the account does not have it."""
    opened, stub = await answering({SEARCH: (200, {"pageInfo": {"total": 1}, "data": [phone(TWO)]})})
    assert await opened.reader.look("gw", ONE) == Gone("unknown_to_account")
    assert stub.asked == [f"GET {ALONE}", f"GET {SEARCH}"]


@pytest.mark.parametrize(
    ("search", "error"),
    [
        ((200, {"data": [phone(TWO), phone(ONE)]}), UnexpectedAnswer),
        ((404, {"message": "Cannot GET"}), Refused),
        ((200, b"<html>Welcome</html>"), UnexpectedAnswer),
        ((200, {"message": "ok"}), UnexpectedAnswer),
        ((200, {"data": [{"e164": ONE}]}), UnexpectedAnswer),
        ((400, {"message": "search is not allowed"}), Refused),
    ],
)
async def test_an_unknown_number_is_not_believed_otherwise(answering, search, error):
    """Where the search finds it, or cannot be read, as with a wrong base URL, nobody is told that it is gone."""
    opened, _ = await answering({SEARCH: search})
    with pytest.raises(error):
        await opened.reader.look("gw", ONE)


async def test_a_number_that_is_refused_otherwise_is_no_evidence(answering):
    """A 400 for a number is an error, and the list is not asked."""
    opened, stub = await answering({ALONE: (400, {"error": {"message": "bad number"}})})
    with pytest.raises(Refused, match="bad number"):
        await opened.reader.look(None, ONE)
    assert len(stub.asked) == 1


ROWS = [phone(ONE, "gw", None), phone(TWO, None, None)]


def by_page(show, size=1):
    """Answers for a list of ``ROWS``, so many a page, that ``show`` puts into a document."""

    def answer(request):
        page = int(request.query["page"])
        return 200, show(ROWS[(page - 1) * size : page * size])

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        by_page(lambda rows: {"pageInfo": {"total": 2}, "data": rows}),
        by_page(lambda rows: {"pagination": {"page": 1, "perPage": 1, "totalPages": 2, "total": 2}, "data": rows}),
        by_page(lambda rows: {"data": rows}),
        by_page(lambda rows: {"pageInfo": {"total": "2"}, "data": rows}),
        by_page(lambda rows: rows),
        (200, ROWS),
        (200, {"data": ROWS}),
    ],
    ids=["pageInfo", "pagination", "no total", "total as text", "bare array", "one bare array", "one page"],
)
async def test_lists_come_in_several_shapes(answering, answer):
    """With a page info, a pagination, neither, or as a bare array, paged or not: every row is seen once."""
    opened, _ = await answering({PHONES: answer})
    seen = await sights(opened.reader.survey({"gw": [ONE, TWO]}, census=True))
    assert [(sight.number, sight.seen) for sight in seen[:-1]] == [(ONE, seen[0].seen), (TWO, Gone())]
    assert isinstance(seen[0].seen, Attached)
    assert seen[-1] == TargetSeen("gw", 1)


@pytest.mark.parametrize("key", ["pageInfo", "pagination"])
async def test_the_size_of_an_account_is_read_from_either_page_info(answering, key):
    """A large account spares a small plan its list, wherever its total stands."""
    opened, stub = await answering({COUNT: (200, {key: {"total": 500}, "data": []}), ALONE: (200, phone())})
    (sight,) = await sights(opened.reader.survey({None: [ONE]}, census=False))
    assert (sight.seen, stub.asked) == (Gone(), [f"GET {COUNT}", f"GET {ALONE}"])


async def test_a_list_whose_rows_cannot_be_read_is_an_error(answering):
    """A row without its number is no row to pass over."""
    opened, _ = await answering({PHONES: (200, {"data": [phone(TWO), {"number": ONE}]})})
    with pytest.raises(UnexpectedAnswer, match=r"no phoneNumber\.e164 as documented"):
        await sights(opened.reader.survey({"gw": [ONE]}, census=False))


async def test_a_success_agrees_with_what_was_asked(answering):
    """The number of the answer is the one that was meant, in whatever spelling; the gateways may be anything."""
    opened, _ = await answering({DETACH: (200, {"phoneNumber": {"e164": "14155550101"}, "inbound": "gw"})})
    assert await opened.detacher.detach("gw", ONE) is None


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"message": "Detached successfully", "phoneNumber": {"e164": TWO}}),
        (200, {"message": "Detached successfully"}),
        (200, {"phoneNumber": ONE}),
        (200, []),
        (200, b""),
        (201, {"phoneNumber": {"e164": ONE}}),
        (206, {"phoneNumber": {"e164": ONE}}),
        (204, b""),
    ],
)
async def test_any_other_success_is_a_question(answering, answer):
    """Another number, no body, or another status is not taken for done."""
    opened, _ = await answering({DETACH: answer})
    with pytest.raises(UnexpectedAnswer):
        await opened.detacher.detach(None, ONE)


PAIR = {
    "inbound": "gw_1",
    "outbound": "gw_1-out",
    "name": "Lobby",
    "gateway_name": "Trunk",
    "address": "sip.example.com",
    "transport": "tls",
    "media_encryption": "enable",
    "region_inbound": "us002",
    "region_outbound": "in002",
}


@pytest.mark.parametrize(
    ("numbers", "more"),
    [
        ([ONE], {"name": "Lobby", "isShared": False}),
        ([ONE, TWO], {"name": "Trunk", "isShared": True}),
    ],
)
async def test_create_makes_a_pair_like_the_one_before(numbers, more):
    """Address, transport, regions and encryption are those that it had; several numbers share it."""
    before = PAIR | {"reattach": {"auth_username": "trunk", "auth_password": "p"}}
    made = {PHONES: (201, {"message": "Phone Number with SIP Configured"})}
    async with serving(made) as stub, line(stub.url, "videosdk") as connected:
        assert await connected.attacher.attach(numbers, before) == 201
    assert orjson.loads(stub.bodies[0]) == {
        "phoneNumbers": numbers,
        "mediaEncryption": "enable",
        "inbound": {"sipRegion": "us002"},
        "outbound": {
            "address": "sip.example.com",
            "sipRegion": "in002",
            "transport": "tls",
            "auth": {"username": "trunk", "password": "p"},
        },
        **more,
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"message": None},
        {"message": "Configured", "phoneNumbers": [TWO]},
        {"message": "Configured", "phoneNumbers": [{"e164": TWO}]},
    ],
)
async def test_a_success_of_create_that_disagrees_is_none(body):
    """Without a message, or with other numbers, a look has to tell."""
    async with serving({"/v2/sip/phone-numbers": (200, body)}) as stub, line(stub.url, "videosdk") as connected:
        with pytest.raises(UnexpectedAnswer):
            await connected.attacher.attach([ONE], PAIR)


@pytest.mark.parametrize(
    ("known", "missing"),
    [
        ({"credentials": False}, ()),
        ({"credentials": True}, ("auth_username", "auth_password")),
        ({}, ("auth",)),
        ({"reattach": {"auth": "none"}}, ()),
        ({"credentials": True, "reattach": {"auth_username": "trunk"}}, ("auth_password",)),
        ({"credentials": False, "address": None, "region_inbound": None}, ("address", "region")),
        ({"address": None, "outbound": None}, ("a known outbound gateway (numbers are put back on pairs)",)),
    ],
)
def test_what_a_new_pair_lacks(known, missing):
    """What is not known of a pair is named; that nobody knows of credentials does not mean that there were none."""
    assert reversal(PAIR | known).missing == missing


def test_where_a_number_was():
    """Its own pair, or one that leads to the same address by the same transport; anything else is elsewhere."""
    new = {"inbound": "gw_2", "outbound": "gw_2-out"}
    assert elsewhere(PAIR, {"inbound": "gw_1", "outbound": "gw_1-out"}) is None
    assert elsewhere(PAIR, new | {"address": "sip.example.com", "transport": "tls"}) is None
    assert elsewhere(PAIR, new | {"address": "sip.example.com"}) is None
    assert elsewhere(PAIR, new | {"address": "sip.example.com", "transport": "udp"}) == "gw_2, gw_2-out"
    assert elsewhere(PAIR, new | {"address": "sip.example.org"}) == "gw_2, gw_2-out"
    assert elsewhere(PAIR, {"inbound": "gw_2", "outbound": None}) == "gw_2, no gateway"
    with pytest.raises(UnexpectedAnswer, match="does not show where the gateways gw_2, gw_2-out lead to"):
        elsewhere(PAIR, new)


async def test_gateways_that_are_not_shown_are_not_known():
    """A rule without its numbers, or a list that fails, says nothing of any number; the others say what they say."""
    rows = [{"id": "gw_1", "name": "Trunk", "numbers": [ONE, TWO]}]
    answers = {
        "/v2/sip/inbound-gateways": (200, {"pageInfo": {"total": 1}, "data": rows}),
        "/v2/sip/outbound-gateways": (500, {}),
        "/v2/sip/routing-rule": (200, {"pageInfo": {"total": 1}, "data": [{"id": "rule_1"}]}),
    }
    async with serving(answers) as stub, line(stub.url, "videosdk") as connected:
        known = (await read_inventory(connected.channel)).of(ONE, PAIR)
    assert (known["shared"], known["shared_by"], known["shared_count"]) == (True, [TWO], 2)
    assert (known["routing_rules"], "address" in known) == (None, False)
