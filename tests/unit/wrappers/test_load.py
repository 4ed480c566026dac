"""What routers are told of an expert's state comes from its wrappers."""

import asyncio

import pytest

from mixture.config import ExpertConfig, Resilience, parse
from mixture.errors import ExpertUnavailable
from mixture.mixture import Mixture
from mixture.providers.scripted import scripted
from mixture.streams import complete
from mixture.types import IDLE, Message, Query
from mixture.wrappers import load, wrap

QUERY = Query((Message("user", "hi"),))


async def test_nothing_is_known_before_the_first_answer():
    assert load(wrap(scripted("a"), Resilience())) == IDLE
    assert load(scripted("bare")) == IDLE


async def test_answers_leave_their_time_and_their_tokens():
    expert = wrap(scripted("a", "one two three four"), Resilience())
    for _ in range(3):
        completion = await complete(expert, QUERY)
    found = load(expert)
    assert found.answers == 3
    assert found.latency_ms > 0
    assert found.completion_tokens == completion.usage.completion_tokens > 0
    assert (found.waiting, found.available) == (0.0, True)


async def test_calls_at_work_and_waiting_are_counted():
    gate = asyncio.Event()
    expert = wrap(scripted("a", gate=gate), Resilience(max_concurrency=2))
    asking = [asyncio.create_task(complete(expert, QUERY)) for _ in range(3)]
    await expert.inner.inner.inner.inner.inner.inner.reached(started=2)
    assert load(expert).waiting == 1.5
    gate.set()
    await asyncio.gather(*asking)
    assert load(expert).waiting == 0


async def test_failures_leave_it_unavailable_and_no_pace():
    failing = scripted("a", failure={"error": "ExpertUnavailable", "message": "gone"})
    expert = wrap(failing, Resilience(num_retries=0, allowed_fails=2))
    for _ in range(2):
        with pytest.raises(ExpertUnavailable):
            await complete(expert, QUERY)
    assert load(expert).available is False
    assert load(expert).answers == 0


async def test_a_persona_is_as_busy_as_the_expert_that_it_is():
    experts = [
        ExpertConfig(name="base", provider="scripted"),
        ExpertConfig(name="polite", provider="persona", expert="base", system_prompt="Be polite."),
    ]
    mixture = Mixture.from_config(parse({"experts": experts}, {}))
    await mixture.answer("hi", "base")
    assert load(mixture.panel.experts["polite"]) == load(mixture.panel.experts["base"]) != IDLE
