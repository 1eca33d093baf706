"""An account's numbers on their way to a plan: what is said meanwhile, what is held, and what is written."""

from itertools import count

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.config import Account, SecretRef, Settings
from runner.discovery import look_through, plan_text
from runner.errors import BlockedError
from runner.inventory import Choice, Inventory
from runner.policy import Guards
from runner.providers import Holding
from runner.sandbox import ORG_HANDLE, TOKEN, World, serve

ONE, TWO = "+14155550101", "+14155550102"
ACCOUNT = Account("main", "unpod", "https://unpod.dev")


def inventory(*holdings, **choice):
    """Give an inventory of these."""
    made = Inventory(Choice(**choice), str)
    for each in holdings:
        made.add(each)
    return made


def written(*holdings, **choice):
    """Give the plan of these."""
    with inventory(*holdings, **choice) as made:
        return "".join(plan_text(ACCOUNT, made, Guards(), 0.0))


@pytest.mark.parametrize(("step", "told"), [(5.0, list(range(1, 11))), (0.0, [])])
async def test_a_long_look_says_how_far_it_is(step, told):
    """Every five seconds by the clock, with the numbers so far."""
    world, said, ticks = World(), [], count(0.0, step)
    world.unpod.add_bridge("sales", [f"+1415555{index:04d}" for index in range(10)])
    async with serve(world) as server:
        account = Account("main", "unpod", server.url, org_handle=ORG_HANDLE, token=SecretRef.literal(TOKEN))
        with inventory() as made:
            await look_through(account, Settings(), (), made, environ={}, clock=lambda: next(ticks), heard=said.append)
            assert len(list(made.numbers("sales"))) == 10
    assert said == told


def test_a_number_that_is_shown_twice_stands_once():
    """At one target it is one number, attached if any row says so; at two targets it is two."""
    text = written(
        Holding(ONE, "a", attached=False),
        Holding(ONE, "a", attached=True, remarks=("ACTIVE",)),
        Holding(ONE, "a", attached=False),
        Holding(ONE, "b", attached=True),
        Holding(TWO, "b", attached=False),
    )
    groups = yaml.safe_load(text)["teardown"]
    assert [(group["bridge"], group["numbers"]) for group in groups] == [("a", [int(ONE)]), ("b", [int(ONE)])]
    assert f"      - {ONE}    # ACTIVE\n" in text
    assert text.endswith("# 2 numbers in all; left out:\n#   1 not attached to anything\n")


@pytest.mark.parametrize("target", ["", ".", "..", "a b", "a/b", "a?b", "a#b", "a\u2028b", "a\x00"])
def test_a_target_that_no_plan_can_name(target):
    """Nothing at all is written, not even what comes before it."""
    fine, unfit = Holding(ONE, "fine", attached=True), Holding(TWO, target, attached=True)
    with inventory(fine, unfit) as made, pytest.raises(BlockedError, match="none can name the target"):
        next(plan_text(ACCOUNT, made, Guards(), 0.0))


@given(target=st.text(min_size=1), title=st.text(), remarks=st.lists(st.text(), max_size=3).map(tuple))
def test_whatever_a_provider_says_stays_in_its_comment(target, title, remarks):
    """Any target is named as it is, or refused; any title and remark leaves the plan what it is."""
    try:
        text = written(Holding(ONE, target, attached=True, title=title, remarks=remarks))
    except BlockedError:
        return
    (group,) = yaml.safe_load(text)["teardown"]
    assert (str(group["bridge"]), group["numbers"]) == (target, [int(ONE)])
    assert all(line.isprintable() for line in text.split("\n"))
