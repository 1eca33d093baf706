"""What every provider promises, asked of each one that is installed."""

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest
from lines import FOUR, ONE, THREE, TWO, findings, line, sights

from runner import providers
from runner.config import PROVIDERS, Credentials
from runner.errors import AccessDenied, InputError, LostAnswer, Refused, Throttled, UnexpectedAnswer
from runner.model import Attached, Elsewhere, Gone
from runner.providers import NumberSeen, TargetSeen
from runner.rollback import able
from runner.sandbox import World, serve

STRANGER = "+14155559999"
PLACES = 230


@dataclass(frozen=True)
class Kit:
    """What the suite has to know of a provider: two targets of it, and how to empty a place of its listing."""

    target: str
    other: str
    vacate: object
    """Takes the first place of the listing away, given the world, the place and the number that is there."""


KITS = {
    "unpod": Kit("sales-bridge-001", "support-bridge", lambda world, place, _: world.unpod.remove_bridge(place)),
    "videosdk": Kit("gw_7f3a", "gw_other", lambda world, _, number: world.videosdk.phones.pop(number)),
}


@pytest.fixture(params=sorted(providers.installed()))
def provider(request):
    return request.param


@pytest.fixture
def kit(provider):
    return KITS[provider]


@pytest.fixture
def world(provider, kit):
    """Two numbers at the target, one elsewhere, one that the account has and that is attached to nothing."""
    world = World(show_configurations=True)
    for target, number in ((kit.target, ONE), (kit.target, TWO), (kit.other, THREE), (kit.other, FOUR)):
        world.attach(provider, target, number)
    world.detach(provider, None, FOUR)
    return world


@pytest.fixture
async def connect(world, provider):
    """A function that serves the world and opens a line to it."""
    async with AsyncExitStack() as stack:

        async def open_line(faults=None, **options):
            server = await stack.enter_async_context(serve(world, faults=faults))
            return await stack.enter_async_context(line(server.url, provider, **options))

        yield open_line


def numbers(count):
    return [f"+1212555{index:04d}" for index in range(count)]


async def all_looks(reader, target):
    """Each kind of look at one number, as functions."""
    return [
        lambda: sights(reader.survey({target: [ONE]}, census=False)),
        lambda: sights(reader.survey({target: [ONE]}, census=True)),
        lambda: sights(reader.trace({target: [ONE]})),
        lambda: reader.look(target, ONE),
    ]


def test_a_provider_is_found_by_its_name(provider):
    """Its spec says how it is called, and each of its parts is there."""
    spec = providers.load(provider)
    assert spec is providers.installed()[provider]
    assert (spec.name, provider in KITS) == (provider, True)
    assert all((spec.title, spec.target_key, spec.root, spec.abilities))


def test_a_provider_that_is_not_installed_is_a_sentence():
    """An unknown name is refused with those that there are."""
    with pytest.raises(InputError, match=r"no provider 'twilio'; installed are: .*unpod, videosdk"):
        providers.load("twilio")


async def test_looking_tells_attached_gone_elsewhere_and_unknown(connect, kit):
    """A survey and a trace together find out of every number what it is at its target, and say why it is not there."""
    reader = (await connect()).reader
    found = await findings(reader, {kit.target: [ONE, TWO, THREE, FOUR, STRANGER]})
    assert {number: type(seen) for (_, number), seen in found.items()} == {
        ONE: Attached,
        TWO: Attached,
        THREE: Elsewhere,
        FOUR: Gone,
        STRANGER: Gone,
    }
    assert kit.other in found[kit.target, THREE].where
    assert found[kit.target, FOUR] == Gone()
    assert found[kit.target, STRANGER] == Gone("unknown_to_account")


async def test_a_survey_shows_a_number_at_each_target_that_asks_for_it(connect, kit):
    """A number that two targets name is seen attached at the one that has it, and not at the other."""
    found = await findings((await connect()).reader, {kit.target: [ONE], kit.other: [ONE, THREE]})
    assert {key: type(seen) for key, seen in found.items()} == {
        (kit.target, ONE): Attached,
        (kit.other, ONE): Elsewhere,
        (kit.other, THREE): Attached,
    }


async def test_a_survey_of_a_whole_target_shows_what_is_attached_there(connect, kit):
    """Where everything is asked for, the numbers attached there are seen, and no others."""
    seen = await sights((await connect()).reader.survey({kit.target: None}, census=False))
    attached = [sight for sight in seen if isinstance(sight.seen, Attached)]
    assert [(sight.target, sight.number) for sight in attached] == [(kit.target, ONE), (kit.target, TWO)]


async def test_a_census_counts_every_target(connect, kit):
    """With a census there is a count for each target, of all that is attached, asked for or not; without it none."""
    reader = (await connect()).reader
    wanted = {kit.target: [ONE], kit.other: [ONE]}
    seen = await sights(reader.survey(wanted, census=True))
    counts = {sight.target: sight.attached for sight in seen if isinstance(sight, TargetSeen)}
    assert counts == {kit.target: 2, kit.other: 1}
    seen = await sights(reader.survey(wanted, census=False))
    assert [sight for sight in seen if isinstance(sight, TargetSeen)] == []


async def test_nothing_is_attached_to_a_target_that_does_not_exist(connect):
    """A survey does not show a number as attached there, and neither does a single look."""
    reader = (await connect()).reader
    seen = await sights(reader.survey({"no-such-target": [ONE, STRANGER]}, census=False))
    assert not any(isinstance(getattr(sight, "seen", None), Attached) for sight in seen)
    assert isinstance(await reader.look("no-such-target", ONE), Gone | Elsewhere)


async def test_a_trace_finds_what_is_missing(connect, kit):
    """Without any survey, a trace tells elsewhere, attached to nothing, and unknown to the account apart."""
    missing = {kit.target: [THREE, FOUR, STRANGER], kit.other: [FOUR]}
    seen = {(s.target, s.number): s for s in await sights((await connect()).reader.trace(missing))}
    assert all(sight.traced for sight in seen.values())
    assert kit.other in seen[kit.target, THREE].seen.where
    assert {key: sight.seen for key, sight in seen.items() if key[1] != THREE} == {
        (kit.target, FOUR): Gone(),
        (kit.target, STRANGER): Gone("unknown_to_account"),
        (kit.other, FOUR): Gone(),
    }


async def test_a_trace_that_finds_the_number_at_its_target_says_so(connect, kit):
    """A number that came back since the survey is not called gone."""
    (sight,) = await sights((await connect()).reader.trace({kit.target: [ONE]}))
    assert isinstance(sight.seen, Attached)


async def test_a_look_sees_one_number_now(connect, world, provider, kit):
    """Attached before a detach, gone after it."""
    reader = (await connect()).reader
    assert isinstance(await reader.look(kit.target, ONE), Attached)
    world.detach(provider, None, ONE)
    assert await reader.look(kit.target, ONE) == Gone()


async def test_what_was_seen_holds_no_secret(connect, world, kit):
    """What a look keeps can be stored as JSON, names its number's place, and none of the secrets that were shown."""
    assert world.unpod.configurations
    reader = (await connect()).reader
    found = await findings(reader, {kit.target: [ONE, TWO]})
    for seen in (*found.values(), await reader.look(kit.target, ONE)):
        text = json.dumps(seen.before)
        assert kit.target in text
        assert not any(word in text for word in ("in-clear", "api_key", "api_secret", "auth", "password", "token"))


async def test_detaching_detaches_that_number_alone(connect, world, provider, kit):
    """One request goes out, the number is gone, and all the others are where they were."""
    before = [world.attached(provider, target, number) for target, number in ((kit.target, TWO), (kit.other, THREE))]
    await (await connect()).detacher.detach(kit.target, ONE)
    assert not world.attached(provider, kit.target, ONE)
    assert [world.attached(provider, t, n) for t, n in ((kit.target, TWO), (kit.other, THREE))] == before == [True] * 2
    assert [(entry.kind, entry.number, entry.worked) for entry in world.record] == [("detach", ONE, True)]


@pytest.mark.parametrize("number", [FOUR, STRANGER])
async def test_detaching_what_is_not_attached_is_refused(connect, kit, number):
    """A number that is attached to nothing, or that nobody knows, raises Refused."""
    with pytest.raises(Refused):
        await (await connect()).detacher.detach(kit.target, number)


@pytest.mark.parametrize(
    ("fault", "error", "worked"),
    [
        ("lost_before", LostAnswer, False),
        ("lost_after", LostAnswer, True),
        ("reset_before", LostAnswer, False),
        ("reset_after", LostAnswer, True),
        ("truncated", LostAnswer, True),
        ("garbage", UnexpectedAnswer, True),
        ("wrong_slug", UnexpectedAnswer, False),
        ("redirect", UnexpectedAnswer, False),
        ("http_500_before", UnexpectedAnswer, False),
        ("http_500_after", UnexpectedAnswer, True),
        ("http_502_html", UnexpectedAnswer, False),
        ("http_400_after", Refused, True),
        ("http_429", Throttled, False),
        ("http_503_after", Throttled, True),
    ],
)
async def test_only_the_documented_success_is_one(connect, world, provider, kit, *, fault, error, worked):
    """Whatever else comes back is an error, whether the number was detached or not, and is not repeated here."""
    with pytest.raises(error):
        await (await connect(f"{fault}=100%")).detacher.detach(kit.target, ONE)
    assert world.attached(provider, kit.target, ONE) is not worked
    assert len(world.record) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("read_500", UnexpectedAnswer),
        ("read_garbage", UnexpectedAnswer),
        ("read_lost", LostAnswer),
        ("read_reset", LostAnswer),
        ("read_truncated", LostAnswer),
        ("http_429", Throttled),
        ("http_503", Throttled),
    ],
)
async def test_a_failed_read_is_an_error_and_never_gone(connect, kit, fault, error):
    """No kind of look turns a read that failed into evidence."""
    reader = (await connect(f"{fault}=100%")).reader
    for look in await all_looks(reader, kit.target):
        with pytest.raises(error):
            await look()


async def test_wrong_credentials_are_access_denied(connect, kit):
    """Every look and the detach raise AccessDenied, and the token is in no message."""
    refused = await connect(credentials=Credentials(token="a-token-that-is-not-good"))
    looks = await all_looks(refused.reader, kit.target)
    for use in (*looks, lambda: refused.detacher.detach(kit.target, ONE)):
        with pytest.raises(AccessDenied) as caught:
            await use()
        assert "not-good" not in str(caught.value)


async def test_a_reader_cannot_detach(connect, world, kit):
    """What a dry run holds has no way to change anything, and asks with reads alone."""
    dry = (await connect()).reader
    assert not hasattr(dry, "detach")
    assert hasattr((await connect()).detacher, "detach")
    for look in await all_looks(dry, kit.target):
        await look()
    assert {(entry.method, entry.kind) for entry in world.record} == {("GET", "read")}


async def test_many_numbers_take_few_requests(connect, world, provider, kit):
    """A thousand numbers at one target are each seen once, a hundred or more with each request."""
    wanted = numbers(1000)
    for number in wanted:
        world.attach(provider, kit.target, number)
    seen = await sights((await connect()).reader.survey({kit.target: wanted}, census=False))
    assert sorted(sight.number for sight in seen) == wanted
    assert all(isinstance(sight.seen, Attached) for sight in seen)
    assert len(world.record) <= 12


async def test_numbers_are_known_in_every_spelling(connect, world, provider, kit):
    """A provider that leaves out the plus, or puts in blanks and brackets, still means the same number."""
    spelt = {"14155550151": "+14155550151", "+1 (415) 555-0152": "+14155550152"}
    for number in spelt:
        world.attach(provider, kit.target, number)
    seen = await sights((await connect()).reader.survey({kit.target: [*spelt.values()]}, census=False))
    assert [(sight.number, type(sight.seen)) for sight in seen] == [(number, Attached) for number in spelt.values()]


def spread(world, provider):
    """Put one number at each of so many targets that the listing takes several pages."""
    places = [(f"place-{index:03d}", number) for index, number in enumerate(numbers(PLACES))]
    for place, number in places:
        world.attach(provider, place, number)
    return places


async def test_a_listing_is_read_to_its_end(connect, world, provider, kit):
    """Numbers on every page are found where they are."""
    wanted = dict((number, place) for place, number in spread(world, provider))  # noqa: C402 - the other way round
    found = await findings((await connect()).reader, {kit.target: [*wanted]})
    assert {number: seen.where.split(",")[0] for (_, number), seen in found.items()} == wanted


async def test_a_listing_that_shifts_while_it_is_read_hides_nothing(connect, world, provider, kit):
    """When a row leaves an early page, the one that slips to the page before is found all the same."""
    places = spread(world, provider)
    shown = [number for _, number in places[80:120]]

    def shift(request):
        if "page=2&" in request.path and places:
            kit.vacate(world, *places[0])
            places.clear()

    world.on_request.append(shift)
    found = await findings((await connect()).reader, {kit.target: shown})
    assert not places
    assert {number: type(seen) for (_, number), seen in found.items()} == dict.fromkeys(shown, Elsewhere)


async def test_a_listing_that_never_holds_still_is_no_evidence(connect, world, provider, kit):
    """Rows that leave with every page that is read end in an error in place of a guess."""
    places = spread(world, provider)
    shown = [number for _, number in places[80:120]]

    def shift(request):
        if "page=" in request.path:
            kit.vacate(world, *places.pop(0))

    world.on_request.append(shift)
    with pytest.raises(UnexpectedAnswer, match="kept changing while it was read") as caught:
        await findings((await connect()).reader, {kit.target: shown})
    assert caught.value.code == "unstable_listing"


SAID = {"unpod": {}, "videosdk": {"auth_username": "trunk", "auth_password": "of-the-trunk"}}


async def snapshot(connected, provider, target, number):
    """What a run keeps of a number that is attached, with what a user gives for a rollback."""
    spec = providers.load(provider)
    seen = await connected.reader.look(target, number)
    around = (await spec.reattaching.surroundings(connected.channel)).of(number, seen.before)
    return {**seen.before, **around, **seen.details, "reattach": SAID[provider]}


def test_a_way_back_is_all_there_or_not_at_all(provider):
    """A provider that lists rollback says how, and what may be given for it is what plans may give."""
    spec = providers.load(provider)
    assert ("rollback" in spec.abilities) == (spec.reattaching is not None)
    assert spec.reattaching.keys == PROVIDERS[provider].reattach


def test_a_provider_that_cannot_attach_is_a_sentence(provider):
    """Its numbers cannot be put back, which a check says beforehand and a rollback before anything else."""
    spec = replace(providers.load(provider), reattaching=None)
    assert spec.reversal({}).missing == (f"{spec.title} cannot attach numbers",)
    with pytest.raises(InputError, match="cannot attach numbers; leave them out with --exclude main"):
        able(spec, "main")
    assert able(providers.load(provider), "main") is providers.load(provider)


async def test_putting_back_puts_back_that_number_alone(connect, world, provider, kit):
    """One request goes out, and a look sees the number where it was; all others are where they were."""
    connected, how = await connect(), providers.load(provider).reattaching
    before = await snapshot(connected, provider, kit.target, ONE)
    await connected.detacher.detach(kit.target, ONE)
    del world.record[:]
    assert await connected.attacher.attach([ONE], before) in {200, 201}
    assert [(entry.kind, entry.numbers, entry.worked) for entry in world.record] == [("attach", (ONE,), True)]
    seen = await connected.reader.look(None if providers.load(provider).everywhere else kit.target, ONE)
    assert how.elsewhere(before, {**seen.details, **seen.before}) is None
    assert world.attached(provider, kit.target, TWO)
    assert not world.attached(provider, None, FOUR)


async def test_what_hangs_on_something_else_is_elsewhere(connect, world, provider, kit):
    """A look at a number that somebody attached otherwise says where it is."""
    connected, how = await connect(), providers.load(provider).reattaching
    before = await snapshot(connected, provider, kit.target, ONE)
    world.detach(provider, None, ONE)
    if provider == "videosdk":
        world.videosdk.connect(ONE, world.videosdk.add_pair("gw_new", address="sip.example.org"))
        seen, place = await connected.reader.look(None, ONE), "gw_new"
    else:
        world.unpod.configurations[43] = {"id": 43, "provider": "plivo"}
        world.unpod.attach(kit.target, ONE, config=43)
        seen, place = await connected.reader.look(kit.target, ONE), "provider configuration 43"
    assert place in how.elsewhere(before, {**seen.details, **seen.before})


async def test_a_snapshot_holds_no_secret(connect, world, provider, kit):
    """What is kept can be stored as JSON, and holds nothing of what the provider shows in clear."""
    text = json.dumps(await snapshot(await connect(), provider, kit.target, ONE) | {"reattach": None})
    assert not any(word in text for word in ("in-clear", "api_key", "password", "sandbox-user"))


async def test_what_can_be_said_beforehand(connect, provider, kit):
    """With all that is needed a number can be put back; without it each thing that is missing is named."""
    spec = providers.load(provider)
    before = await snapshot(await connect(), provider, kit.target, ONE)
    assert spec.reversal(before).how == {"unpod": "exact", "videosdk": "new_ids"}[provider]
    bare = {"bridge": kit.target, "inbound": "gw_1", "outbound": "gw_1-out"}
    missing = spec.reversal(bare).missing
    assert spec.reversal(bare).how == "none"
    assert set(missing) <= spec.reattaching.keys
    given = dict.fromkeys(missing, "none") | {"provider_config_id": 7}
    assert spec.reversal({**bare, "reattach": given}).missing == ()


@pytest.mark.parametrize(
    ("fault", "error", "worked"),
    [
        ("lost_before", LostAnswer, False),
        ("lost_after", LostAnswer, True),
        ("truncated", LostAnswer, True),
        ("garbage", UnexpectedAnswer, True),
        ("wrong_slug", UnexpectedAnswer, False),
        ("http_500_after", UnexpectedAnswer, True),
        ("http_400_after", Refused, True),
        ("http_409", UnexpectedAnswer, False),
        ("http_429", Throttled, False),
        ("http_503_after", Throttled, True),
    ],
)
async def test_only_the_documented_success_of_an_attach_is_one(connect, world, provider, kit, *, fault, error, worked):
    """Whatever else comes back is an error, whether the number was attached or not, and is not repeated here."""
    before = await snapshot(await connect(), provider, kit.target, ONE)
    world.detach(provider, None, ONE)
    del world.record[:]
    with pytest.raises(error):
        await (await connect(f"{fault}=100%")).attacher.attach([ONE], before)
    assert world.attached(provider, None, ONE) is worked
    assert len(world.record) == 1


async def test_attaching_what_is_attached_elsewhere_is_refused(connect, world, provider, kit):
    """A number that somebody else has by now is left where it is."""
    connected = await connect()
    before = await snapshot(connected, provider, kit.target, ONE)
    world.detach(provider, None, ONE)
    world.attach(provider, kit.other, ONE)
    with pytest.raises(Refused):
        await connected.attacher.attach([ONE], before)
    assert world.attached(provider, kit.other, ONE)


async def test_an_empty_survey_asks_for_nothing_and_sees_nothing(connect):
    """Without targets there is nothing to see."""
    reader = (await connect()).reader
    assert [sight for sight in await sights(reader.survey({}, census=True)) if isinstance(sight, NumberSeen)] == []


TO = {
    "unpod": {"bridge": "support-bridge"},
    "videosdk": {
        "name": "new trunk",
        "address": "sip.example.org",
        "transport": "tls",
        "region_inbound": "auto",
        "region_outbound": "us002",
    },
}


def test_who_moves_says_where_to(provider):
    """A provider that lists move can make a destination of what a plan says."""
    spec = providers.load(provider)
    assert ("move" in spec.abilities) == (spec.reattaching.moving is not None)


async def test_a_number_that_is_moved_is_there_and_not_here(connect, world, provider, kit):
    """Before, it is not there; after one attach it is, and all others are where they were."""
    connected, spec = await connect(), providers.load(provider)
    how = spec.reattaching
    before = await snapshot(connected, provider, kit.target, ONE)
    there = how.moving.destination(TO[provider], before)
    assert how.moving.lacks(there) == ()
    seen = await connected.reader.look(None if spec.everywhere else kit.target, ONE)
    assert how.elsewhere(there, {**seen.details, **seen.before}) is not None
    await connected.detacher.detach(kit.target, ONE)
    assert await connected.attacher.attach([ONE], there) in {200, 201}
    seen = await connected.reader.look(how.moving.target(there), ONE)
    shown = {**seen.details, **seen.before}
    assert how.elsewhere(there, shown) is None
    assert how.elsewhere(before, shown) is not None
    assert not world.attached(provider, kit.target, ONE)
    assert world.attached(provider, kit.target, TWO)


async def test_a_destination_is_completed_by_what_was_seen(connect, provider, kit):
    """What the plan does not say is as it was; what nobody knows is named as missing."""
    moving = providers.load(provider).reattaching.moving
    before = await snapshot(await connect(), provider, kit.target, ONE)
    if provider == "unpod":
        assert moving.destination(TO[provider], before)["provider_config_id"] == 42
        assert moving.destination(TO[provider] | {"provider_config_id": 43}, before)["provider_config_id"] == 43
        assert moving.lacks(moving.destination(TO[provider], {})) == ("provider_config_id",)
    else:
        assert moving.destination(TO[provider], before).items() >= TO[provider].items()
