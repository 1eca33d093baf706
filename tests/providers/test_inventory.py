"""All that an account has, as each provider's lists show it: whole, or not at all."""

from contextlib import AsyncExitStack

import pytest
from lines import FOUR, ONE, THREE, TWO, line, serving, sights

from runner.errors import Refused, UnexpectedAnswer
from runner.providers import Holding
from runner.sandbox import World, serve

BRIDGES = "/api/v2/platform/telephony/bridges/"
PHONES = "/v2/sip/phone-numbers"


@pytest.fixture
async def inventory():
    """A function that gives what the inventory of a provider shows where a server gives these answers."""
    async with AsyncExitStack() as stack:

        async def shown(provider, answers, targets=()):
            stub = await stack.enter_async_context(serving(answers))
            opened = await stack.enter_async_context(line(stub.url, provider))
            return await sights(opened.reader.inventory(targets))

        yield shown


def ok(data, **more):
    return 200, {"status_code": 200, "message": "ok", "data": data, **more}


def detail(slug, *rows, **more):
    return ok({"id": 1, "slug": slug, "numbers": list(rows), **more})


def listing(*slugs, count=None):
    return ok([{"id": 1, "slug": slug} for slug in slugs], count=len(slugs) if count is None else count)


def phone(number, inbound=None, outbound=None, **more):
    return {"phoneNumber": {"e164": number, **more}, "inbound": inbound, "outbound": outbound}


@pytest.mark.parametrize("rows", ["gone", "stay_null", "unassigned"])
async def test_attached_means_what_it_means_in_a_pre_check(rows):
    """Of the sandbox's numbers those are shown as attached that truly are, whatever becomes of the others' rows."""
    world = World(show_configurations=True, detached_rows=rows)
    world.unpod.add_bridge("sales", [ONE, TWO])
    world.unpod.detach("sales", TWO)
    async with serve(world) as server, line(server.url, "unpod") as opened:
        shown = await sights(opened.reader.inventory(()))
    assert [each.number for each in shown if each.attached] == [ONE]


async def test_a_bridge_that_vanished_meanwhile_has_no_numbers(inventory):
    """Listed at first, and then neither found nor listed: it is gone, and nothing of it is attached."""
    pages = iter([listing("sales", "gone"), listing("sales")])
    answers = {BRIDGES: lambda _: next(pages), f"{BRIDGES}sales/": detail("sales", {"number": ONE}, name="Sales")}
    assert await inventory("unpod", answers) == [Holding(ONE, "sales", attached=True, title="Sales")]


async def test_a_bridge_that_is_listed_and_not_found(inventory):
    """That is a contradiction, and no evidence."""
    with pytest.raises(UnexpectedAnswer, match="bridge gone is listed, but its detail is not found"):
        await inventory("unpod", {BRIDGES: listing("gone")})


async def test_a_bridge_that_was_asked_for_and_is_not_there(inventory):
    """What does not exist is refused rather than shown as empty."""
    with pytest.raises(Refused, match="there is no bridge slaes"):
        await inventory("unpod", {BRIDGES: listing("sales")}, ["slaes"])


@pytest.mark.parametrize("count", [1, 3])
async def test_bridges_that_are_miscounted(inventory, count):
    """A list that shows other than as many as it says may lack some."""
    answers = {BRIDGES: listing("one", "two", count=count)} | {
        f"{BRIDGES}{slug}/": detail(slug) for slug in ("one", "two")
    }
    with pytest.raises(UnexpectedAnswer, match=f"the list of bridges shows 2 and says that there are {count}"):
        await inventory("unpod", answers)


async def test_what_is_no_number_is_shown_as_it_is(inventory):
    """Names and short codes are part of the inventory; a blank is no evidence of anything."""
    answers = {BRIDGES: listing("sales"), f"{BRIDGES}sales/": detail("sales", {"number": "alice"}, {"number": "911"})}
    assert [each.number for each in await inventory("unpod", answers)] == ["alice", "+911"]
    assert [each.number for each in await inventory("videosdk", {PHONES: (200, [phone("sip:bob", "gw")])})] == [
        "sip:bob"
    ]
    answers[f"{BRIDGES}sales/"] = detail("sales", {"number": " "})
    with pytest.raises(UnexpectedAnswer, match="blank"):
        await inventory("unpod", answers)


async def test_gateways_by_id_and_by_name(inventory):
    """A number stands at its inbound gateway, else at its outbound one, or at the one that was asked for."""
    rows = [
        phone(ONE, {"id": "gw_in", "name": "In"}, {"id": "gw_out", "name": "Out"}, name="Desk", status="ACTIVE"),
        phone(TWO, None, "gw_out"),
        phone(THREE, {"name": "without an id"}),
        phone(FOUR),
    ]
    answers = {PHONES: (200, {"data": rows, "pageInfo": {"total": 4}})}
    one, *rest = await inventory("videosdk", answers)
    remarks = ("Desk", "inbound gw_in", "outbound gw_out", "ACTIVE")
    assert one == Holding(ONE, "gw_in", attached=True, title="In", remarks=remarks)
    assert [(each.number, each.target, each.attached) for each in rest] == [
        (TWO, "gw_out", True),
        (THREE, None, True),
        (FOUR, None, False),
    ]
    (one, *_) = await inventory("videosdk", answers, ["gw_out"])
    assert (one.target, one.title) == ("gw_out", "Out")


async def test_half_a_row_is_no_evidence(inventory):
    """A number whose other direction is not shown is not known to be free."""
    row = phone(ONE)
    del row["outbound"]
    with pytest.raises(UnexpectedAnswer, match="does not show both directions"):
        await inventory("videosdk", {PHONES: (200, [row])})
