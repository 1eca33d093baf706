"""A shared time limit: it interrupts what takes too long, and nothing else."""

import asyncio

import pytest
from virtual_time import now, run

from runner.deadlines import Deadlines


async def within(deadlines, seconds):
    """Work for so long under the limit; return how long that was, or TimeoutError and when it came."""
    began = now()
    try:
        with deadlines.limit():
            await asyncio.sleep(seconds)
    except TimeoutError:
        return TimeoutError, round(now() - began, 3)
    return round(now() - began, 3)


def test_each_has_the_whole_limit_from_its_own_beginning():
    """Requests that began at different times are interrupted at different times, and quick ones never."""

    async def scenario():
        deadlines = Deadlines(10.0)
        tasks = []
        for seconds in (3.0, 60.0, 9.5, 60.0, 4.0):
            tasks.append(asyncio.create_task(within(deadlines, seconds)))
            await asyncio.sleep(1.0)
        return await asyncio.gather(*tasks)

    assert run(scenario()) == [3.0, (TimeoutError, 10.0), 9.5, (TimeoutError, 10.0), 4.0]


def test_it_begins_again_after_it_was_idle():
    """A limit that nobody was under for a while is as long as ever."""

    async def scenario():
        deadlines = Deadlines(10.0)
        first = await within(deadlines, 60.0)
        await asyncio.sleep(100.0)
        return first, await within(deadlines, 9.0), await within(deadlines, 60.0)

    assert run(scenario()) == ((TimeoutError, 10.0), 9.0, (TimeoutError, 10.0))


def test_somebody_elses_interruption_stays_one():
    """A task that is cancelled from outside is cancelled, not late."""

    async def scenario():
        task = asyncio.create_task(within(Deadlines(10.0), 60.0))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scenario())


def test_an_interruption_from_outside_wins_over_a_limit_that_is_reached_at_the_same_time():
    """Whoever asked the task to end still sees it end."""

    async def scenario():
        deadlines = Deadlines(10.0)
        task = asyncio.create_task(within(deadlines, 60.0))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(10.0, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scenario())


def test_an_error_of_the_work_itself_passes():
    """What goes wrong inside is neither hidden nor renamed, also when it is the work's own time that is up."""

    async def scenario(error):
        with Deadlines(10.0).limit():
            raise error

    for error in (ValueError("no"), TimeoutError("an inner one")):
        with pytest.raises(type(error), match=str(error)):
            run(scenario(error))


def test_outside_of_a_task_there_is_nothing_to_interrupt():
    """A limit needs a task, and says so."""
    failures = []

    def enter():
        with pytest.raises(RuntimeError, match="needs a task"), Deadlines(1.0).limit():
            failures.append("entered")
        loop.stop()

    loop = asyncio.new_event_loop()
    loop.call_soon(enter)
    loop.run_forever()
    loop.close()
    assert failures == []
