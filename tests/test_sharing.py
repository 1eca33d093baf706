"""Reads that are shared."""

import asyncio

import pytest

from runner.sharing import Shared


class Source:
    """Counts its reads; each ends when it is let go."""

    def __init__(self):
        self.reads = []

    async def read(self):
        gate = asyncio.get_running_loop().create_future()
        self.reads.append(gate)
        return await gate


async def settle():
    """Let everything that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def asking(shared, source, count):
    """Ask so many times at once."""
    tasks = [asyncio.create_task(shared.read("bridge", source.read)) for _ in range(count)]
    await settle()
    return tasks


async def test_those_who_ask_during_a_read_share_the_next_one():
    """A read that began before somebody asked may be too old for them; one more serves them all."""
    shared, source = Shared(), Source()
    first = await asking(shared, source, 1)
    later = await asking(shared, source, 5)
    assert len(source.reads) == 1
    source.reads[0].set_result("old")
    await settle()
    assert len(source.reads) == 2
    source.reads[1].set_result("new")
    assert await asyncio.gather(*first, *later) == ["old"] + ["new"] * 5


async def test_an_error_is_shared_as_well():
    """Who shares a read shares its failure, and the next one starts afresh."""
    shared, source = Shared(), Source()
    first = await asking(shared, source, 1)
    later = await asking(shared, source, 2)
    source.reads[0].set_exception(ValueError("first"))
    await settle()
    source.reads[1].set_exception(ValueError("second"))
    results = await asyncio.gather(*first, *later, return_exceptions=True)
    assert [str(error) for error in results] == ["first", "second", "second"]
    (task,) = await asking(shared, source, 1)
    source.reads[2].set_result("fine")
    assert await task == "fine"


async def test_who_gives_up_leaves_the_others_their_read():
    """When the one that would have read is cancelled, another of those who wait reads instead."""
    shared, source = Shared(), Source()
    first = await asking(shared, source, 1)
    leader, *others = await asking(shared, source, 3)
    leader.cancel()
    await settle()
    source.reads[0].set_result("old")
    await settle()
    source.reads[1].set_result("new")
    assert await asyncio.gather(*first, *others) == ["old", "new", "new"]
    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_other_keys_have_reads_of_their_own():
    """Nobody waits for somebody else's bridge."""
    shared, source = Shared(), Source()
    one = asyncio.create_task(shared.read("one", source.read))
    two = asyncio.create_task(shared.read("two", source.read))
    await settle()
    for gate in source.reads:
        gate.set_result("seen")
    assert await asyncio.gather(one, two) == ["seen", "seen"]
