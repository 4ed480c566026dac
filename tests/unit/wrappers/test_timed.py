"""Timed: what happens when the time is over, and that cancelling stays cancelling."""

import asyncio
import time
from contextlib import aclosing

import pytest

from mixture.errors import ExpertTimeout, StreamBroken
from mixture.providers.scripted import scripted
from mixture.streams import chunks, complete
from mixture.types import Chunk, Limits, Message, Query
from mixture.wrappers import Timed
from mixture.wrappers.timed import Alarm

PLAIN = Query((Message("user", "hi"),))
STREAMED = Query(PLAIN.messages, stream=True)


def soon(query=PLAIN):
    return Query(query.messages, stream=query.stream, limits=Limits(deadline=time.time() + 0.01))


class Stuck:
    """Says a word and then nothing more."""

    card = scripted().card

    def __init__(self):
        self.closed = False

    async def stream(self, query):
        try:
            yield Chunk("one")
            await asyncio.Event().wait()
        finally:
            self.closed = True


async def test_a_stream_without_a_first_token_in_time_is_an_expert_timeout():
    inner = scripted(gate=asyncio.Event())
    with pytest.raises(ExpertTimeout, match="did not begin"):
        await complete(Timed(inner, 0.01), STREAMED)
    assert inner.counts.cancelled == 1


async def test_an_answer_in_one_piece_may_take_longer_than_the_first_token():
    inner = scripted(delay=0.05)
    assert (await complete(Timed(inner, 0.01), PLAIN)).text == "ok"


async def test_the_deadline_ends_a_plain_call():
    inner = scripted(gate=asyncio.Event())
    with pytest.raises(ExpertTimeout, match="did not answer"):
        await complete(Timed(inner, 60), soon())
    assert inner.counts.cancelled == 1


async def test_the_deadline_in_the_middle_of_a_stream_breaks_it():
    inner = Stuck()
    with pytest.raises(StreamBroken) as broken:
        await complete(Timed(inner, 60), soon(STREAMED))
    assert broken.value.code == "expert_timeout"
    assert inner.closed


async def test_the_first_token_s_time_ends_with_the_first_token():
    inner = scripted(text="a b c", rate=50)
    assert (await complete(Timed(inner, 0.2), STREAMED)).text == "a b c"


async def test_a_reader_who_takes_his_time_is_not_cancelled_outside_the_generator():
    """The limit may only strike while the expert is waited for (PEP 789)."""
    inner = Stuck()
    async with aclosing(chunks(Timed(inner, 60), soon(STREAMED))) as stream:
        await anext(stream)
        await asyncio.sleep(0.03)
        with pytest.raises(StreamBroken):
            await anext(stream)
    assert asyncio.current_task().cancelling() == 0


async def test_cancelling_from_outside_stays_a_cancellation():
    inner = scripted(gate=asyncio.Event())
    task = asyncio.ensure_future(complete(Timed(inner, 60), PLAIN))
    await inner.reached(started=1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert inner.counts.cancelled == 1


async def test_cancelling_and_the_alarm_in_the_same_moment_stays_a_cancellation():
    async def work():
        alarm = Alarm()
        with alarm:
            asyncio.current_task().cancel()
            alarm._ring()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(work())
    await asyncio.wait([task])
    assert task.cancelled()


async def test_an_expert_s_error_while_it_is_being_ended_is_kept():
    class Clumsy:
        card = scripted().card

        async def stream(self, query):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ValueError("mine") from None
            yield Chunk()

    with pytest.raises(ValueError, match="mine"):
        await complete(Timed(Clumsy(), 60), soon())
    assert asyncio.current_task().cancelling() == 0


async def test_no_timer_is_left():
    loop = asyncio.get_running_loop()
    await complete(Timed(scripted(text="a b"), 60), STREAMED)
    pending = [handle for handle in getattr(loop, "_scheduled", []) if not handle.cancelled()]
    assert pending == []
