"""Items that wait for a look, and which groups are looked at together."""

from runner.history import Standing, Target
from runner.model import State
from runner.waiting import Waiting, surveys


def standing(no, number):
    """An item that nothing was sent for."""
    return Standing(no, number, State.PLANNED, known=False, attempts=0, verified=False, only_refused=False)


def target(no, name):
    """A group that names its numbers."""
    return Target(no, "a", "unpod", name, whole=False, if_missing=False)


A, B, C = standing(1, "+14155550101"), standing(2, "+14155550101"), standing(4, "+14155550102")


def test_items_wait_until_they_are_seen():
    """A number may stand for several items, at one target or at two; once popped it is not asked for again."""
    waiting = Waiting()
    for name, item in (("sales", A), ("sales", B), ("support", A), (None, C)):
        waiting.add(name, item)
    assert len(waiting) == 4
    assert waiting.wanted() == {"sales": [A.number], "support": [A.number], None: [C.number]}
    assert waiting.wanted([None, "unheard-of"]) == {None: [C.number]}
    assert waiting.at("sales", A.number) == (A, B)
    assert waiting.at_target("sales") == [A, B]
    assert waiting.pop("sales", A.number) == (A, B)
    assert waiting.wanted() == {"support": [A.number], None: [C.number]}
    assert waiting.pop("sales", A.number) == waiting.at("support", C.number) == ()
    assert waiting.at_target("sales") == []
    assert (waiting.pop("support", A.number), waiting.pop(None, C.number)) == ((A,), (C,))
    assert (len(waiting), waiting.wanted()) == (0, {})


def test_what_stands_otherwise_is_told_apart():
    """Each comes back as it was put in, whatever those before it were, and also when all of them had gone."""
    tried = standing(3, "+14155550103")._replace(state=State.IN_FLIGHT, known=True, attempts=2)
    waiting = Waiting()
    for item in (A, tried, C):
        waiting.add("sales", item)
    assert [waiting.at("sales", item.number) for item in (A, tried, C)] == [(A,), (tried,), (C,)]
    waiting.drop("sales", A.number)
    assert waiting.at_target("sales") == [tried, C]
    assert (waiting.pop("sales", tried.number), waiting.pop("sales", C.number)) == ((tried,), (C,))
    for item in (tried, C):
        waiting.add("sales", item)
    assert waiting.at_target("sales") == [tried, C]


def test_a_survey_is_about_one_target():
    """Groups of a target are looked at together, in plan order; all of them where the account has one list."""
    groups = [target(1, "sales"), target(2, "support"), target(3, "sales"), target(4, None)]
    assert [[each.no for each in survey] for survey in surveys(groups, everywhere=False)] == [[1, 3], [2], [4]]
    assert [[each.no for each in survey] for survey in surveys(groups, everywhere=True)] == [[1, 2, 3, 4]]
    assert surveys([], everywhere=True) == []
