"""Metered: one call for every attempt, however it ends, with what it used and cost."""

import asyncio
import logging
from contextlib import aclosing

import pytest

from mixture.config import Resilience
from mixture.errors import ExpertUnavailable, InvalidQuery, StreamBroken
from mixture.metering import metered
from mixture.providers.scripted import scripted
from mixture.streams import chunks, complete
from mixture.types import Chunk, ExpertCard, Message, Price, Query, ToolCall, Usage
from mixture.wrappers import Metered, Timed, wrap

PRICE = Price(1.0, 2.0)
PLAIN = Query((Message("user", "three words here"),), purpose="proposer")
STREAMED = Query(PLAIN.messages, stream=True)
NOTHING = Usage()


async def calls_of(expert, query=PLAIN, expected=()):
    calls = []
    with metered(calls):
        try:
            await complete(expert, query)
        except expected as error:
            assert error is not None
    return calls


async def test_a_call_that_went_well():
    expert = Metered(scripted(text="a b", price=PRICE, usage={"prompt_tokens": 1000, "completion_tokens": 500}))
    (call,) = await calls_of(expert)
    assert (call.expert, call.purpose, call.outcome, call.error) == ("scripted", "proposer", "ok", None)
    assert call.usage == Usage(1000, 500)
    assert call.cost_usd == pytest.approx(0.002)
    assert 0 < call.ttft_ms <= call.latency_ms


async def test_an_unknown_price_is_no_price_of_nothing():
    (call,) = await calls_of(Metered(scripted()))
    assert call.cost_usd is None


async def test_usage_that_is_not_reported_is_estimated_and_marked():
    (call,) = await calls_of(Metered(scripted(text="x" * 40, usage="none")))
    assert call.usage == Usage(prompt_tokens=8, completion_tokens=10, estimated=True)


@pytest.mark.parametrize(
    ("kind", "outcome", "error"),
    [
        ("ExpertUnavailable", "error", "expert_unavailable"),
        ("RateLimited", "error", "rate_limit_exceeded"),
        ("ExpertTimeout", "timeout", "expert_timeout"),
        ("Declined", "declined", "declined"),
        ("InvalidQuery", "error", "InvalidQuery"),
    ],
)
async def test_a_failure_before_the_first_chunk(kind, outcome, error):
    expected = (ExpertUnavailable, InvalidQuery)
    (call,) = await calls_of(Metered(scripted(failure={"error": kind})), expected=expected)
    assert (call.outcome, call.error, call.ttft_ms) == (outcome, error, None)
    if outcome == "timeout":
        assert call.usage == Usage(prompt_tokens=8, estimated=True)
    else:
        assert (call.usage, call.cost_usd) == (NOTHING, 0.0)


async def test_a_failure_after_the_first_chunk_counts_what_came():
    expert = Metered(scripted(text="abcdefgh ijk", price=PRICE, failure={"error": "StreamBroken", "after": 1}))
    (call,) = await calls_of(expert, STREAMED, StreamBroken)
    assert call.outcome == "error"
    assert call.usage == Usage(8, 3, estimated=True)
    assert call.cost_usd == pytest.approx(14e-6)


async def test_a_cancelled_call_counts_what_was_produced():
    calls, inner = [], scripted(text="abcd efgh ijkl", price=PRICE)
    with metered(calls):
        async with aclosing(chunks(Metered(inner), STREAMED)) as stream:
            await anext(stream)
            await anext(stream)
    (call,) = calls
    assert call.outcome == "cancelled"
    assert call.usage == Usage(8, 3, estimated=True)


async def test_a_call_cancelled_before_its_first_chunk_has_read_its_prompt():
    calls, inner = [], scripted(gate=asyncio.Event())
    with metered(calls):
        task = asyncio.ensure_future(complete(Metered(inner), PLAIN))
    await inner.reached(started=1)
    task.cancel()
    await asyncio.wait([task])
    assert [(call.outcome, call.usage) for call in calls] == [("cancelled", Usage(8, 0, estimated=True))]


async def test_running_out_of_time_is_a_timeout_and_not_a_cancellation():
    (call,) = await calls_of(Metered(Timed(scripted(gate=asyncio.Event()), 0.01)), STREAMED, ExpertUnavailable)
    assert call.outcome == "timeout"


async def test_every_attempt_is_a_call_of_its_own():
    expert = wrap(scripted(failure={"error": "ExpertUnavailable", "calls": 2}), Resilience(num_retries=2))
    expert.inner._sleep = lambda seconds: asyncio.sleep(0)
    assert [call.outcome for call in await calls_of(expert)] == ["error", "error", "ok"]


async def test_tool_calls_count_towards_the_estimate():
    expert = Metered(scripted(text="", usage="none", tool_calls=({"name": "look", "arguments": '{"a": 12}'},)))
    from mixture.types import Tool

    (call,) = await calls_of(expert, Query(PLAIN.messages, tools=(Tool("look"),)))
    assert call.usage.completion_tokens == 4


async def test_a_persona_s_calls_go_by_its_name_and_price():
    card = ExpertCard("finance", "persona", price=Price(1e6, 0))
    query = Query(PLAIN.messages, persona=card)
    (call,) = await calls_of(Metered(scripted(price=PRICE, usage={"prompt_tokens": 3})), query)
    assert (call.expert, call.cost_usd) == ("finance", 3.0)


@pytest.mark.parametrize(("before", "kind"), [(0, ExpertUnavailable), (1, StreamBroken)])
async def test_an_exception_that_is_none_of_ours_becomes_one(before, kind, caplog):
    class Faulty:
        card = scripted("faulty").card

        async def stream(self, query):
            for _ in range(before):
                yield Chunk("x", tool_calls=(ToolCall("1", "t", "{}"),))
            raise KeyError("secret")

    calls = []
    with metered(calls), caplog.at_level(logging.ERROR), pytest.raises(kind) as raised:
        await complete(Metered(Faulty()), STREAMED)
    assert raised.value.code == "expert_fault"
    assert "secret" not in raised.value.message
    assert raised.value.__cause__ is None
    assert calls[0].outcome == "error"
    assert "faulty" in caplog.text
