"""All wrappers together."""

import asyncio
from contextlib import aclosing

import pytest

from mixture.config import Resilience
from mixture.errors import ExpertTimeout, ExpertUnavailable
from mixture.metering import metered
from mixture.providers.scripted import scripted
from mixture.streams import chunks, complete
from mixture.types import Message, Query
from mixture.wrappers import wrap

STREAMED = Query((Message("user", "hi"),), stream=True)


async def test_closing_the_stream_stops_the_work_and_notes_it():
    inner, calls = scripted(text="a b c"), []
    expert = wrap(inner, Resilience(max_concurrency=1))
    with metered(calls):
        async with aclosing(chunks(expert, STREAMED)) as stream:
            await anext(stream)
        assert (await complete(expert, STREAMED)).text == "a b c"
    assert [call.outcome for call in calls] == ["cancelled", "ok"]
    assert inner.counts.cancelled == 1


async def test_timeouts_are_retried_within_the_time_for_the_whole():
    inner, calls = scripted(gate=asyncio.Event()), []
    expert = wrap(inner, Resilience(timeout=0.02, num_retries=5))
    with metered(calls), pytest.raises(ExpertTimeout):
        await complete(expert, Query(STREAMED.messages))
    assert [call.outcome for call in calls] == ["timeout"]


async def test_an_expert_left_alone_is_not_called_and_not_metered():
    inner, calls = scripted(failure={"error": "ExpertUnavailable"}), []
    expert = wrap(inner, Resilience(num_retries=0, allowed_fails=1))
    with metered(calls):
        for _ in range(3):
            with pytest.raises(ExpertUnavailable):
                await complete(expert, STREAMED)
    assert len(calls) == inner.counts.started == 1


async def test_close_reaches_the_expert_and_the_card_is_its_own():
    class Closing:
        card = scripted().card
        closed = 0

        async def stream(self, query):
            raise NotImplementedError
            yield

        async def close(self):
            self.closed += 1

    inner = Closing()
    expert = wrap(inner, Resilience())
    await expert.close()
    await wrap(scripted(), Resilience()).close()
    assert inner.closed == 1
    assert expert.card is inner.card


def test_a_persona_is_protected_by_the_expert_that_it_is():
    class Persona:
        card = scripted().card
        base = wrap(scripted(), Resilience())

    persona = Persona()
    assert wrap(persona, Resilience()) is persona
