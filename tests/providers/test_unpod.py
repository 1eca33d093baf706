"""Unpod alone: its paths and headers, its rows, and what it answers where its pages disagree."""

import json
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import orjson
import pytest
from lines import FOUR, ONE, THREE, TWO, line, serving, sights

from runner import providers
from runner.config import Account, Credentials
from runner.errors import Refused, UnexpectedAnswer
from runner.model import Attached, Elsewhere, Gone
from runner.providers import NumberSeen, TargetSeen
from runner.sandbox import World, serve

ROOT = "/api/v2/platform"
BRIDGES = f"{ROOT}/telephony/bridges/"
SALES = f"{BRIDGES}sales/"
NUMBERS = f"{ROOT}/telephony/numbers/"
DISCONNECT = f"{SALES}disconnect-provider/"
CONNECT = f"{SALES}connect-provider/"
NOTHING = (200, {"status_code": 200, "message": "ok", "count": 0, "data": []})


@pytest.fixture
def world():
    world = World()
    world.unpod.add_bridge("sales", [ONE, TWO])
    world.unpod.add_bridge("support", [THREE])
    world.unpod.add_unassigned(FOUR)
    return world


@pytest.fixture
async def stack():
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def sandbox(stack, world):
    """A line to the sandbox."""
    server = await stack.enter_async_context(serve(world))
    return await stack.enter_async_context(line(server.url, "unpod"))


@pytest.fixture
def answering(stack):
    """A function that serves answers by path, and returns a line to them and the server."""

    async def open_line(answers, **fields):
        stub = await stack.enter_async_context(serving(answers))
        return await stack.enter_async_context(line(stub.url, "unpod", **fields)), stub

    return open_line


def ok(data, **more):
    return 200, {"status_code": 200, "message": "ok", "data": data, **more}


def detail(*rows, slug="sales"):
    return ok({"id": 1, "name": "A bridge", "slug": slug, "numbers": list(rows)})


def row(number=ONE, **fields):
    return {"id": 9001, "number_id": 501, "number": number, "state": "ASSIGNED", **fields}


def listed(*bridges):
    return ok(list(bridges), count=len(bridges))


async def test_every_path_ends_with_a_slash(sandbox, world):
    """Reads and detaches ask for documented paths alone: none is redirected, none goes astray."""
    await sights(sandbox.reader.survey({"sales": [ONE], "no-such": [ONE]}, census=True))
    await sights(sandbox.reader.trace({"sales": [THREE, "+14155559999"]}))
    await sandbox.reader.look("sales", ONE)
    await sandbox.detacher.detach("sales", ONE)
    assert all(urlsplit(entry.path).path.endswith("/") for entry in world.record)
    assert {entry.kind for entry in world.record} == {"read", "detach"}
    assert (world.record[-1].path, world.record[-1].body) == (DISCONNECT, {"phone_number": ONE})


async def test_a_slug_stays_one_part_of_the_path(sandbox, world):
    """Whatever stands in a slug is encoded, so that no other bridge is meant."""
    slug = "sales/../support ü?"
    world.unpod.add_bridge(slug, [FOUR])
    await sights(sandbox.reader.survey({slug: None}, census=False))
    assert world.record[-1].path == f"{BRIDGES}sales%2F..%2Fsupport%20%C3%BC%3F/"


@pytest.mark.parametrize("product", [None, "unpod.dev"])
async def test_headers_name_token_organisation_and_product(answering, product):
    """Token and Org-Handle go with every request, the Product-Id where there is one, the number in JSON."""
    done = ok({"message": "done", "bridge_slug": "sales"})
    answers = {SALES: detail(row()), DISCONNECT: done}
    opened, stub = await answering(answers, credentials=Credentials(token="t-1"), org_handle="acme", product_id=product)
    await opened.reader.look("sales", ONE)
    await opened.detacher.detach("sales", ONE)
    assert stub.asked == [f"GET {SALES}", f"POST {DISCONNECT}"]
    for request in stub.requests:
        assert (request.headers["Authorization"], request.headers["Org-Handle"]) == ("Token t-1", "acme")
        assert request.headers.get("Product-Id") == product
        assert request.headers["Content-Type"] == "application/json"
    assert orjson.loads(stub.bodies[-1]) == {"phone_number": ONE}


@pytest.mark.parametrize("given", ["https://unpod.dev", "https://unpod.dev/api/v2/platform"])
def test_the_base_url_may_name_the_root_or_leave_it_out(given):
    """Both spellings of the documentation lead to the same paths."""
    spec = providers.load("unpod")
    assert spec.base_url(Account("a", "unpod", given)) == "https://unpod.dev/api/v2/platform"


@pytest.mark.parametrize("habit", ["gone", "stay_null", "unassigned"])
async def test_a_row_that_stays_behind_is_not_attached(sandbox, world, habit):
    """However a detached number shows on its bridge, it is gone: to a look, to a survey, and to a census."""
    world.habits.detached_rows, world.habits.show_configurations = habit, True
    world.unpod.add_bridge("sales", [ONE, TWO])
    await sandbox.detacher.detach("sales", ONE)
    assert (len(world.unpod.bridges["sales"].rows) == 1) is (habit == "gone")
    assert await sandbox.reader.look("sales", ONE) == Gone()
    whole = await sights(sandbox.reader.survey({"sales": None}, census=True))
    assert [sight.number for sight in whole if isinstance(sight, NumberSeen)] == [TWO]
    assert TargetSeen("sales", 1) in whole


@pytest.mark.parametrize(
    ("fields", "attached"),
    [
        ({}, True),
        ({"state": None}, True),
        ({"state": "assigned"}, True),
        ({"state": "ASSIGNED", "provider_configuration": {"id": 42}}, True),
        ({"state": "ASSIGNED", "provider_configuration": None}, False),
        ({"state": "UNASSIGNED"}, False),
        ({"state": "not_assigned"}, False),
        ({"state": "CLOSED", "provider_configuration": {"id": 42}}, False),
    ],
)
async def test_what_makes_a_row_attached(answering, fields, attached):
    """State and provider configuration decide, each where it is given."""
    opened, _ = await answering({SALES: detail(row(**fields))})
    assert isinstance(await opened.reader.look("sales", ONE), Attached) is attached


async def test_what_a_rollback_needs_is_kept_and_no_secret(answering):
    """Ids and state are kept, and of a provider configuration its id alone."""
    configuration = {"id": 42, "provider": "twilio", "api_key": "k-in-clear", "api_secret": "s-in-clear"}
    opened, _ = await answering({SALES: detail(row(provider_configuration=configuration), {"number": TWO})})
    assert await opened.reader.look("sales", ONE) == Attached(
        {"bridge": "sales", "assignment_id": 9001, "number_id": 501, "state": "ASSIGNED", "provider_config_id": 42}
    )
    assert await opened.reader.look("sales", TWO) == Attached({"bridge": "sales"})


@pytest.mark.parametrize(
    "answer",
    [
        detail(row(), slug="another-bridge"),
        ok({"slug": "sales"}),
        ok({"slug": "sales", "numbers": None}),
        ok({"slug": "sales", "numbers": [ONE]}),
        ok({"slug": "sales", "numbers": [{"phone_number": ONE}]}),
        ok({"slug": "sales", "numbers": [row(14155550101)]}),
        ok([]),
        (200, [1]),
        (201, {"data": {"slug": "sales", "numbers": []}}),
    ],
)
async def test_a_bridge_in_a_shape_that_is_not_documented_is_no_evidence(answering, answer):
    """An answer about another bridge, or one whose numbers cannot be read, never means that a number is gone."""
    opened, _ = await answering({SALES: answer})
    with pytest.raises(UnexpectedAnswer):
        await opened.reader.look("sales", ONE)


async def test_a_row_that_holds_no_number_hides_none(answering):
    """A row whose number is no number at all is passed over, and the others are seen."""
    opened, _ = await answering({SALES: detail(row("sip:desk"), row())})
    whole = await sights(opened.reader.survey({"sales": None}, census=True))
    assert [type(sight) for sight in whole] == [NumberSeen, TargetSeen]
    assert whole[1].attached == 1


async def test_a_blank_number_is_no_evidence(answering):
    """A row whose number is blank may be any number: the answer cannot be used."""
    opened, _ = await answering({SALES: detail(row(""), row())})
    with pytest.raises(UnexpectedAnswer, match="number is blank"):
        await sights(opened.reader.survey({"sales": None}, census=True))


async def test_a_number_shown_twice_is_one(answering):
    """Attached where any row says so, counted once, and what it hangs on is the same whichever look tells it."""
    rows = row(state="UNASSIGNED"), row(provider_configuration={"id": 3}), row(provider_configuration={"id": 5})
    opened, _ = await answering({SALES: detail(*rows), BRIDGES: listed({"slug": "sales"})})
    for wanted in ({"sales": [ONE]}, {"sales": None}):
        sight, counted = await sights(opened.reader.survey(wanted, census=True))
        assert (sight.seen.before["provider_config_id"], counted) == (3, TargetSeen("sales", 1))
    (traced,) = await sights(opened.reader.trace({"sales": [ONE]}))
    assert traced.seen == await opened.reader.look("sales", ONE) == sight.seen


@pytest.mark.parametrize("odd", [2**64, -(2**70), {"a": 1}, ["b"]])
async def test_what_can_be_no_id_is_not_kept(answering, odd):
    """An id is a name or a number that the ledger can hold; whatever else stands there is not known."""
    odd_row = row(id=odd, number_id=odd, provider_configuration={"id": odd})
    body = json.dumps(detail(odd_row)[1]).encode()  # orjson writes no such number
    opened, _ = await answering({SALES: (200, body)})
    assert (await opened.reader.look("sales", ONE)).before == {"bridge": "sales", "state": "ASSIGNED"}


async def test_a_large_bridge_is_read_whole_before_anything_is_said(answering):
    """One row that makes no sense at the end of hundreds of thousands: no number was seen."""
    many = [row(f"+1212{index:07d}") for index in range(20_000)]
    opened, _ = await answering({SALES: detail(*many, {"number": 7})})
    first_sight = anext(opened.reader.survey({"sales": [many[0]["number"]]}, census=True))
    with pytest.raises(UnexpectedAnswer, match="a row that is not as documented"):
        await first_sight


@pytest.mark.parametrize("shown", [{}, {"numbers": [{"number": TWO}]}], ids=["looked at twice", "looked at once"])
async def test_a_list_that_lacks_what_bridges_show_tells_nothing_of_others(answering, shown):
    """However many numbers are free: one that is asked about, was just shown and is not listed proves it short."""
    many = [f"+1212{index:07d}" for index in range(1500)]
    free = [row(number, state="UNASSIGNED") for number in many]
    some = ok([{"number": number} for number in many[:1000]])
    opened, _ = await answering({SALES: detail(*free), BRIDGES: listed({"slug": "sales", **shown}), NUMBERS: some})
    assert {sight.seen for sight in await sights(opened.reader.survey({"sales": many}, census=False))} == {Gone()}
    assert {sight.seen for sight in await sights(opened.reader.trace({"sales": many}))} == {Gone()}


async def test_a_number_that_is_free_on_another_bridge_is_known(answering):
    """A list of numbers that lacks it is short, and does not make it unknown."""
    shown = detail(row(state="UNASSIGNED"), slug="support")
    answers = {BRIDGES: listed({"slug": "support"}), f"{BRIDGES}support/": shown, NUMBERS: ok([{"number": TWO}])}
    opened, _ = await answering(answers)
    (sight,) = await sights(opened.reader.trace({"sales": [ONE]}))
    assert sight.seen == Gone()


async def test_a_missing_bridge_is_believed_when_the_listing_agrees(answering):
    """A 404 for a bridge that the listing does not name means that it is gone, for its numbers as well."""
    opened, _ = await answering({BRIDGES: listed({"slug": "support", "numbers": []})})
    assert await sights(opened.reader.survey({"sales": [ONE]}, census=True)) == [TargetSeen("sales", None)]
    assert await opened.reader.look("sales", ONE) == Gone("target_gone")


@pytest.mark.parametrize(
    ("listing", "error"),
    [
        (listed({"slug": "support"}, {"slug": "sales"}), UnexpectedAnswer),
        ((404, {"message": "Not found."}), Refused),
        ((404, b"<html>Not Found</html>"), Refused),
        ((200, b"<html>Welcome</html>"), UnexpectedAnswer),
        ((206, {"message": "Invalid Domain Handle", "data": {}}), Refused),
        (listed({"name": "no slug"}), UnexpectedAnswer),
        ((200, {"message": "ok", "data": None}), UnexpectedAnswer),
    ],
)
async def test_a_missing_bridge_is_not_believed_otherwise(answering, listing, error):
    """Where the listing names it, or cannot be read, as with a wrong base URL, nobody is told that it is gone."""
    opened, _ = await answering({BRIDGES: listing})
    for look in (sights(opened.reader.survey({"sales": [ONE]}, census=False)), opened.reader.look("sales", ONE)):
        with pytest.raises(error):
            await look


async def test_a_bridge_that_is_refused_otherwise_is_no_evidence(answering):
    """A 400 for a bridge, as without an Org-Handle, is an error, and the listing is not asked."""
    opened, stub = await answering({SALES: (400, {"message": "Org-Handle header is required."})})
    with pytest.raises(Refused, match="Org-Handle header is required"):
        await opened.reader.look("sales", ONE)
    assert stub.asked == [f"GET {SALES}"]


@pytest.mark.parametrize(
    "support",
    [{"slug": "support"}, {"slug": "support", "numbers": None}, {"slug": "support", "numbers": ["?"]}],
)
async def test_a_listing_without_numbers_means_one_look_a_bridge(answering, support):
    """Where the listing does not tell what a bridge holds, the bridge itself is asked; where it tells, it is spared."""
    answers = {
        BRIDGES: listed(support, {"slug": "empty", "numbers": []}, {"slug": "sales", "numbers": [{"number": TWO}]}),
        f"{BRIDGES}support/": detail(row(), slug="support"),
    }
    opened, stub = await answering(answers)
    (sight,) = await sights(opened.reader.trace({"sales": [ONE]}))
    assert sight.seen == Elsewhere("support")
    assert [path for path in stub.asked if not path.startswith(f"GET {BRIDGES}?")] == [f"GET {BRIDGES}support/"]


async def test_a_listing_never_shows_states_so_the_bridge_decides(sandbox, world):
    """A number that only stays listed at another bridge, detached, is not elsewhere."""
    world.habits.detached_rows = "unassigned"
    world.detach("unpod", "support", THREE)
    (sight,) = await sights(sandbox.reader.trace({"sales": [THREE]}))
    assert sight.seen == Gone()


async def test_a_number_at_several_other_bridges_names_them_all(sandbox, world):
    """Elsewhere lists every bridge that has the number."""
    world.unpod.add_bridge("third", [THREE])
    (sight,) = await sights(sandbox.reader.trace({"sales": [THREE]}))
    assert sight.seen == Elsewhere("support, third")


async def test_the_organisations_numbers_are_asked_for_only_where_that_tells_something(sandbox, world):
    """The list of numbers is read once for all that is nowhere, with the assigned ones, and else not at all."""
    await sights(sandbox.reader.trace({"sales": [THREE]}))
    assert not [entry for entry in world.record if entry.path.startswith(NUMBERS)]
    await sights(sandbox.reader.trace({"sales": [FOUR, "+14155559998"], "support": ["+14155559999"]}))
    assert [entry.path for entry in world.record if entry.path.startswith(NUMBERS)] == [
        f"{NUMBERS}?include_assigned=true"
    ]


@pytest.mark.parametrize("refusal", [(404, {"message": "Not found."}), (206, {"message": "no"}), (400, {})])
async def test_a_server_without_a_list_of_numbers_just_does_not_tell(answering, refusal):
    """Where the list is refused, a number that is nowhere is gone without a reason."""
    opened, _ = await answering({BRIDGES: NOTHING, NUMBERS: refusal})
    (sight,) = await sights(opened.reader.trace({"sales": [ONE]}))
    assert sight.seen == Gone()


async def test_a_list_of_numbers_that_cannot_be_read_is_an_error(answering):
    """Rows without a number are no evidence that a number is unknown."""
    opened, _ = await answering({BRIDGES: NOTHING, NUMBERS: ok([{"id": 1}])})
    with pytest.raises(UnexpectedAnswer, match="required field `number`"):
        await sights(opened.reader.trace({"sales": [ONE]}))


@pytest.mark.parametrize(
    "data",
    [
        {"bridge_slug": "sales", "message": "done"},
        {"bridge_slug": "sales", "phone_number": ONE},
        {"bridge_slug": "sales", "phone_number": "14155550101"},
    ],
)
async def test_a_success_agrees_with_what_was_asked(answering, data):
    """The bridge is named, and the number, where it is repeated, is the one that was meant."""
    opened, _ = await answering({DISCONNECT: ok(data)})
    assert await opened.detacher.detach("sales", ONE) is None


@pytest.mark.parametrize(
    "answer",
    [
        ok({"bridge_slug": "support"}),
        ok({"bridge_slug": "sales", "phone_number": TWO}),
        ok({"bridge_slug": "sales", "phone_number": None}),
        ok({"message": "done"}),
        ok(None),
        (200, {"status_code": 400, "message": "no"}),
        (200, b""),
        (201, {"data": {"bridge_slug": "sales"}}),
        (202, {"data": {"bridge_slug": "sales"}}),
        (204, b""),
    ],
)
async def test_any_other_success_is_a_question(answering, answer):
    """Another bridge or number, no body, or another status is not taken for done."""
    opened, _ = await answering({DISCONNECT: answer})
    with pytest.raises(UnexpectedAnswer):
        await opened.detacher.detach("sales", ONE)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"status_code": 206, "message": "No provider linked to this number.", "data": {}}, "No provider linked"),
        ({"data": {"bridge_slug": "sales"}}, "Partial Content"),
        ([], "Partial Content"),
        (b"", "Partial Content"),
    ],
)
async def test_a_206_is_a_refusal(answering, body, said):
    """This backend refuses with 206, whatever the body says."""
    opened, _ = await answering({DISCONNECT: (206, body)})
    with pytest.raises(Refused, match=f"^HTTP 206: {said}") as caught:
        await opened.detacher.detach("sales", ONE)
    assert (caught.value.status, caught.value.code) == (206, "refused")


async def test_a_206_repeats_no_secret_and_stays_one_line(answering):
    """A refusal that quotes the token, or goes on for pages, is shown cleaned like every other error."""
    message = "No organisation for Token t-0123456789\n" + "x" * 5000
    opened, _ = await answering(
        {DISCONNECT: (206, {"message": message})}, credentials=Credentials(token="t-0123456789")
    )
    with pytest.raises(Refused) as caught:
        await opened.detacher.detach("sales", ONE)
    text = str(caught.value)
    assert ("t-0123456789" in text, "\n" in text, len(text) < 400) == (False, False, True)


@pytest.mark.parametrize("status", [200, 201])
async def test_connect_provider_succeeds_with_200_and_201(status):
    """Both are documented by somebody; the body has to name the bridge and, where it names one, the number."""
    data = {"bridge_slug": "sales", "phone_number": ONE}
    async with serving({CONNECT: (status, {"data": data})}) as stub, line(stub.url, "unpod") as connected:
        assert await connected.attacher.attach([ONE], {"bridge": "sales", "provider_config_id": 42}) == status
    assert orjson.loads(stub.bodies[0]) == {"provider_config_id": 42, "phone_number": ONE}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (206, {"status_code": 206, "message": "Number is not assigned or does not exist.", "data": {}}, Refused),
        (200, {"data": {"bridge_slug": "other", "phone_number": ONE}}, UnexpectedAnswer),
        (200, {"data": {"bridge_slug": "sales", "phone_number": TWO}}, UnexpectedAnswer),
        (204, {}, UnexpectedAnswer),
    ],
)
async def test_connect_provider_is_believed_when_all_agrees(status, body, error):
    """206 is a refusal, and a success about something else is none."""
    async with serving({CONNECT: (status, body)}) as stub, line(stub.url, "unpod") as connected:
        with pytest.raises(error):
            await connected.attacher.attach([ONE], {"bridge": "sales", "provider_config_id": 42})
