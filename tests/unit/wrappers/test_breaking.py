"""Breaking: when an expert is left alone, and how it comes back."""

import asyncio
from contextlib import aclosing

import pytest

from mixture.config import Resilience
from mixture.errors import ExpertUnavailable, InvalidQuery, ReplicaBroke, ReplicaLost
from mixture.providers.scripted import scripted
from mixture.streams import chunks, complete
from mixture.types import Chunk, Message, Query
from mixture.wrappers import Breaker, Breaking, cooling, state, wrap

QUERY = Query((Message("user", "hi"),))


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def breaking(expert, fails=2, cooldown=10.0):
    clock = Clock()
    return Breaking(expert, Breaker(fails, cooldown, clock)), clock


async def fail(expert, times=1, kind=ExpertUnavailable):
    for _ in range(times):
        with pytest.raises(kind):
            await complete(expert, QUERY)


async def test_it_opens_after_the_allowed_failures_and_refuses_at_once():
    inner = scripted(failure={"error": "ExpertUnavailable"})
    expert, clock = breaking(inner)
    await fail(expert)
    assert expert.breaker.state == "closed"
    await fail(expert)
    assert expert.breaker.state == "open"
    clock.now += 4
    with pytest.raises(ExpertUnavailable) as refused:
        await complete(expert, QUERY)
    assert refused.value.code == "cooling_down"
    assert refused.value.retry_after == 6.0
    assert inner.counts.started == 2


async def test_a_success_between_failures_starts_the_count_again():
    inner = scripted(failure={"error": "ExpertUnavailable", "calls": 1})
    expert, _ = breaking(inner)
    await fail(expert)
    await complete(expert, QUERY)
    inner.script = scripted(failure={"error": "ExpertUnavailable"}).script
    await fail(expert)
    assert expert.breaker.state == "closed"


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("Declined", None),
        ("InvalidQuery", None),
        ("ExpertTimeout", "expert_busy"),
    ],
)
async def test_what_says_nothing_of_the_expert_does_not_count(kind, code):
    expert, _ = breaking(scripted(failure={"error": kind, "code": code}), fails=1)
    await fail(expert, 3, (ExpertUnavailable, InvalidQuery))
    assert expert.breaker.state == "closed"


class Hosted:
    """An expert whose process dies with each call."""

    def __init__(self, kind):
        self.card, self.kind = scripted().card, kind

    async def stream(self, query):
        if self.kind is ReplicaBroke:
            yield Chunk("so far")
        raise self.kind("the process is gone")


@pytest.mark.parametrize("kind", [ReplicaLost, ReplicaBroke])
async def test_a_process_that_is_gone_does_not_count_since_the_expert_may_have_others(kind):
    expert, _ = breaking(Hosted(kind), fails=1)
    await fail(expert, 3, kind)
    assert expert.breaker.state == "closed"


@pytest.mark.parametrize("kind", ["RateLimited", "ExpertTimeout", "StreamBroken"])
async def test_these_failures_count(kind):
    expert, _ = breaking(scripted(failure={"error": kind}), fails=1)
    await fail(expert)
    assert expert.breaker.state == "open"


async def test_after_the_cooldown_a_single_call_tries():
    gate = asyncio.Event()
    inner = scripted(failure={"error": "ExpertUnavailable", "calls": 2}, gate=gate)
    gate.set()
    expert, clock = breaking(inner)
    await fail(expert, 2)
    clock.now += 10
    assert expert.breaker.state == "half_open"
    gate.clear()
    probe = asyncio.ensure_future(complete(expert, QUERY))
    await inner.reached(started=3)
    with pytest.raises(ExpertUnavailable) as refused:
        await complete(expert, QUERY)
    assert refused.value.code == "cooling_down"
    gate.set()
    assert (await probe).text == "ok"
    assert expert.breaker.state == "closed"


async def test_a_probe_that_fails_opens_it_again():
    expert, clock = breaking(scripted(failure={"error": "ExpertUnavailable"}))
    await fail(expert, 2)
    clock.now += 10
    await fail(expert)
    assert expert.breaker.state == "open"
    assert expert.breaker.retry_after == 10.0


async def test_a_probe_that_is_cancelled_leaves_the_place_to_the_next():
    gate = asyncio.Event()
    gate.set()
    inner = scripted(failure={"error": "ExpertUnavailable", "calls": 2}, gate=gate)
    expert, clock = breaking(inner)
    await fail(expert, 2)
    clock.now += 10
    gate.clear()
    probe = asyncio.ensure_future(complete(expert, QUERY))
    await inner.reached(started=3)
    probe.cancel()
    await asyncio.wait([probe])
    gate.set()
    assert (await complete(expert, QUERY)).text == "ok"


async def test_the_first_chunk_of_a_probe_lets_others_pass_and_a_break_after_it_opens_again():
    inner = scripted(text="a b c", failure={"error": "StreamBroken", "after": 2})
    expert, clock = breaking(inner, fails=1)
    streamed = Query(QUERY.messages, stream=True)
    with pytest.raises(ExpertUnavailable):
        await complete(expert, streamed)
    clock.now += 10
    async with aclosing(chunks(expert, streamed)) as stream:
        await anext(stream)
        assert expert.breaker.state == "closed"
        with pytest.raises(ExpertUnavailable):
            async for _ in stream:
                pass
    assert expert.breaker.state == "open"


async def test_the_state_of_a_wrapped_expert_can_be_seen_also_through_a_persona():
    class Persona:
        def __init__(self, base):
            self.base = base
            self.card = base.card

    expert = wrap(scripted(failure={"error": "Declined"}), Resilience(allowed_fails=1, num_retries=0))
    assert state(expert) == state(Persona(expert)) == "closed"
    failing = wrap(scripted(failure={"error": "ExpertUnavailable"}), Resilience(allowed_fails=1, num_retries=0))
    await fail(failing)
    assert cooling(failing)
    assert cooling(Persona(failing))
    assert state(scripted()) is None
