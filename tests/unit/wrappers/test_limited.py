"""Limited: how many calls run at once, who is next, and that no place is lost."""

import asyncio
import time
from contextlib import aclosing

import pytest

from mixture.errors import ExpertTimeout, ExpertUnavailable
from mixture.providers.scripted import scripted
from mixture.streams import chunks, complete
from mixture.types import Limits, Message, Query
from mixture.wrappers import Limited, Limiter

QUERY = Query((Message("user", "hi"),))


def query(number):
    return Query((Message("user", str(number)),))


async def waiting(limiter, count):
    """Until `count` callers wait: each step of the loop lets the others run."""
    while limiter.waiting < count:  # noqa: ASYNC110  # a waiter announces itself to nobody
        await asyncio.sleep(0)


async def test_never_more_than_allowed_run_and_the_order_is_that_of_coming():
    gate = asyncio.Event()
    inner = scripted(gate=gate)
    limiter = Limiter(2)
    expert = Limited(inner, limiter, 60)
    tasks = [asyncio.ensure_future(complete(expert, query(i))) for i in range(5)]
    await waiting(limiter, 3)
    assert inner.counts.started == 2
    gate.set()
    await asyncio.gather(*tasks)
    assert [asked.text for asked in inner.queries] == ["0", "1", "2", "3", "4"]
    assert limiter.free == 2


async def test_who_waits_too_long_is_told_that_the_expert_is_busy():
    inner = scripted(gate=asyncio.Event())
    limiter = Limiter(1)
    first = asyncio.ensure_future(complete(Limited(inner, limiter, 60), QUERY))
    await inner.reached(started=1)
    with pytest.raises(ExpertTimeout) as busy:
        await complete(Limited(inner, limiter, 0.001), QUERY)
    assert busy.value.code == "expert_busy"
    with pytest.raises(ExpertTimeout):
        await complete(Limited(inner, limiter, 60), Query(QUERY.messages, limits=Limits(deadline=time.time())))
    assert limiter.waiting == 0
    first.cancel()
    await asyncio.wait([first])
    assert limiter.free == 1


async def test_a_cancelled_waiter_loses_no_place():
    gate = asyncio.Event()
    inner = scripted(gate=gate)
    limiter = Limiter(1)
    expert = Limited(inner, limiter, 60)
    tasks = [asyncio.ensure_future(complete(expert, query(i))) for i in range(3)]
    await waiting(limiter, 2)
    tasks[1].cancel()
    gate.set()
    await asyncio.wait(tasks)
    assert [asked.text for asked in inner.queries] == ["0", "2"]
    assert (limiter.free, limiter.waiting) == (1, 0)


async def test_a_waiter_cancelled_in_the_moment_of_its_turn_hands_the_place_on():
    limiter = Limiter(1)
    await limiter.acquire()
    first, second = (asyncio.ensure_future(limiter.acquire()) for _ in range(2))
    await waiting(limiter, 2)
    limiter.release()
    first.cancel()
    await asyncio.wait([first])
    await second
    assert first.cancelled()
    limiter.release()
    assert limiter.free == 1


@pytest.mark.parametrize("failure", [None, {"error": "ExpertUnavailable"}, {"error": "ExpertUnavailable", "after": 1}])
async def test_the_place_comes_back_however_the_call_ends(failure):
    limiter = Limiter(1)
    expert = Limited(scripted(text="a b", failure=failure), limiter, 60)
    streamed = Query(QUERY.messages, stream=True)
    try:
        await complete(expert, streamed)
    except ExpertUnavailable:
        assert failure is not None
    assert limiter.free == 1
    if failure is None:
        async with aclosing(chunks(expert, streamed)) as stream:
            await anext(stream)
            assert limiter.free == 0
        assert limiter.free == 1


def test_an_expert_can_be_used_from_one_event_loop_after_another():
    limiter = Limiter(1)
    expert = Limited(scripted(), limiter, 60)

    async def crowd():
        await asyncio.gather(*(complete(expert, QUERY) for _ in range(3)))

    asyncio.run(crowd())
    asyncio.run(crowd())
    assert limiter.free == 1
