"""What a client gets over HTTP when ensembles are stopped, hedged, retried and short of money, and that the usage is
what the upstreams themselves have counted.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import openai
import pytest

from deployments.http.app import create_app
from mixture import Mixture
from mixture.config import parse
from mixture.simulation import StandIn
from tests.serve.gateway.inprocess import KEY, Vectors, listening

QUESTION = [{"role": "user", "content": "2 + 3 * 7 - 1 ="}]
"""Eight words, and eight tokens by the rule of thumb: estimates of its length are exact."""
ON_THE_WAY = 3
"""Tokens that an upstream may have sent and nobody read when its call was stopped."""
PRICE = {"input": 1, "output": 10}
COUNTED = {"tokenizer": "characters"}


@asynccontextmanager
async def server(
    upstreams: dict[str, dict], **fields
) -> AsyncGenerator[tuple[openai.AsyncOpenAI, dict[str, StandIn]], None]:
    """A server whose experts are stand-ins, and OpenAI's client for it."""
    async with AsyncExitStack() as stack:
        made = {name: stack.enter_context(StandIn(**options)) for name, options in upstreams.items()}
        experts = [
            {"name": name, "provider": "openai", "base_url": up.base_url, "api_key": "none", "price": PRICE, **COUNTED}
            for name, up in made.items()
        ]
        defaults = {"num_retries": 0}
        config = parse({"experts": experts, "server": {"log": "off"}, "defaults": defaults, **fields}, {})
        app = create_app(Mixture.from_config(config), Vectors(), config.server, [KEY])
        url = await stack.enter_async_context(listening(app))
        client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0)
        yield await stack.enter_async_context(client), made


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - the counts are those of another thread
            await asyncio.sleep(0.005)


async def asked(client, model, stream=True, **mixture):
    """The text, the report and the usage of an answer."""
    create = client.chat.completions.create
    more = {"extra_body": {"mixture": mixture}} if mixture else {}
    if not stream:
        answer = await create(model=model, messages=QUESTION, **more)
        return answer.choices[0].message.content, answer.model_extra["mixture"], answer.usage
    texts, report, usage = [], None, None
    options = {"include_usage": True}
    async for chunk in await create(model=model, messages=QUESTION, stream=True, stream_options=options, **more):
        texts += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        found = (chunk.model_extra or {}).get("mixture") or {}
        report, usage = found if "cost_usd" in found else report, chunk.usage or usage
    return "".join(texts), report, usage


def outcomes(report):
    return {call["name"]: call["outcome"] for call in report["experts"]}


def kinds(report):
    return [(made["kind"], *made["experts"]) for made in report["adjustments"]]


def same(usage, upstreams, on_the_way=0):
    """Whether the usage that the client got is what the stand-ins have counted, but for what was on its way."""
    counted = [
        sum(getattr(up.stats, kind) for up in upstreams.values()) for kind in ("prompt_tokens", "completion_tokens")
    ]
    assert usage.prompt_tokens == counted[0]
    assert 0 <= counted[1] - usage.completion_tokens <= on_the_way


@pytest.mark.parametrize("stream", [True, False])
async def test_a_decided_vote_frees_the_other_upstreams(stream):
    fast, slow = {"text": "22", "delay": 0.3}, {"text": "abc " * 10_000, "rate": 20}
    async with server({"a": fast, "b": fast, "c": fast, "d": slow, "e": slow}) as (client, upstreams):
        text, report, usage = await asked(client, "voting", stream)
        assert text == "22"
        stopped = [upstreams["d"].stats, upstreams["e"].stats]
        await until(lambda: all(stats.cancelled == 1 and stats.open_connections == 0 for stats in stopped))
        assert [stats.active for stats in stopped] == [0, 0]
        assert all(stats.completion_tokens >= 1 for stats in stopped)
        same(usage, upstreams, 2 * ON_THE_WAY)
    assert outcomes(report) == {"a": "ok", "b": "ok", "c": "ok", "d": "cancelled", "e": "cancelled"}
    assert ("cancelled", "d", "e") in kinds(report)
    assert (report["quorum"], report["degraded"]) == ({"asked": 5, "answered": 3, "agreed": 3}, None)
    assert report["cost_usd"] == pytest.approx((usage.prompt_tokens * 1 + usage.completion_tokens * 10) / 1e6)


async def test_a_hedged_stream_is_one_answer_and_both_calls_are_paid_for():
    slow, fast = {"text": "never", "delay": 60}, {"text": "one two three", "rate": 100}
    strategies = {"cascade": {"hedge": 50, "fallback_order": ["a", "b"]}}
    async with server({"a": slow, "b": fast}, strategies=strategies) as (client, upstreams):
        text, report, usage = await asked(client, "cascade")
        await until(lambda: upstreams["a"].stats.cancelled == 1 and upstreams["a"].stats.open_connections == 0)
        assert upstreams["b"].stats.completion_tokens == 3
    assert text == "one two three"
    calls = [(call["name"], call["role"], call["outcome"]) for call in report["experts"]]
    assert sorted(calls) == [("a", "answer", "cancelled"), ("b", "answer, hedge", "ok")]
    assert kinds(report) == [("hedged", "b")]
    # The slow upstream had read the prompt and sent nothing: its prompt is paid for.
    assert (usage.prompt_tokens, usage.completion_tokens) == (16, 3)


async def test_proposers_that_fail_and_break_off_are_counted_as_upstream():
    upstreams = {
        "a": {"text": "22"},
        "b": {"text": "abc abc abc abc", "rate": 200, "failure": {"error": "StreamBroken", "after": 2}},
        "c": {"text": "22", "failure": {"error": "ExpertUnavailable"}},
        "d": {"text": "22"},
    }
    # All have to agree, so that the vote is not decided before the last one has answered or failed.
    async with server(upstreams, strategies={"voting": {"voting_threshold": 0.9}}) as (client, made):
        text, report, usage = await asked(client, "voting")
        same(usage, made)
        assert made["b"].stats.completion_tokens == 2
    assert (text, outcomes(report)) == ("22", {"a": "ok", "b": "error", "c": "error", "d": "ok"})
    assert "b did not answer" in report["degraded"]
    assert "c did not answer" in report["degraded"]


async def test_spares_are_asked_for_what_is_lacking():
    upstreams = {name: {"text": "22"} for name in "abc"} | {"b": {"failure": {"error": "ExpertUnavailable"}}}
    async with server(upstreams) as (client, made):
        text, report, usage = await asked(client, "voting", n=2, on_partial="retry")
        same(usage, made)
        assert (text, kinds(report)) == ("22", [("retried", "c")])
        with pytest.raises(openai.APIStatusError) as raised:
            await asked(client, "voting", stream=False, n=2, on_partial="reject")
    assert (raised.value.status_code, raised.value.code) == (502, "too_few_answers")
    assert "1 of 2 proposals came, 2 are needed (b: " in raised.value.message


async def test_at_the_soft_deadline_the_vote_goes_on():
    upstreams = {"a": {"text": "22"}, "b": {"text": "22"}, "c": {"text": "21"}, "d": {"text": "22", "delay": 60}}
    async with server(upstreams, strategies={"voting": {"voting_threshold": 0.7}}) as (client, made):
        text, report, _ = await asked(client, "voting", max_latency_ms=1_000)
        await until(lambda: made["d"].stats.cancelled == 1)
    assert text == "22"
    assert "d did not answer (it was not done when the time for proposals was over)" in report["degraded"]


async def test_a_budget_that_pays_for_two_and_one_that_pays_for_none():
    async with server({name: {"text": "22"} for name in "abcd"}) as (client, made):
        text, report, usage = await asked(client, "voting", max_cost_usd=0.011)
        same(usage, made)
        assert (text, kinds(report)[0]) == ("22", ("shrunk", "c", "d"))
        assert report["budget"]["spent_usd"] == pytest.approx(report["cost_usd"])
        assert report["budget"]["spent_usd"] <= report["budget"]["reserved_usd"] <= 0.011
        requests = sum(up.stats.requests for up in made.values())
        for stream in (True, False):
            with pytest.raises(openai.APIStatusError) as raised:
                await asked(client, "voting", stream=stream, max_cost_usd=0.001)
            assert (raised.value.status_code, raised.value.code) == (402, "budget_exceeded")
        assert sum(up.stats.requests for up in made.values()) == requests


async def test_fifty_requests_at_once_are_all_counted():
    fast, slow = {"text": "22", "delay": 1.0}, {"text": "abc " * 10_000, "rate": 4}
    async with server({"a": fast, "b": fast, "c": fast, "d": slow, "e": slow}) as (client, upstreams):
        answers = await asyncio.gather(*(asked(client, "voting") for _ in range(50)))
        assert {text for text, _, _ in answers} == {"22"}
        stopped = [upstreams["d"].stats, upstreams["e"].stats]
        await until(lambda: all(stats.active == 0 for stats in stopped))
        assert sum(stats.cancelled for stats in stopped) == sum(
            list(outcomes(report).values()).count("cancelled") for _, report, _ in answers
        )
        counted = sum(up.stats.completion_tokens for up in upstreams.values())
        billed = sum(usage.completion_tokens for _, _, usage in answers)
        assert 0 <= counted - billed <= 100 * ON_THE_WAY


async def test_a_writer_that_breaks_off_ends_the_stream_with_an_error_and_a_spare_writes_where_nothing_was_sent():
    broken = {"text": "abc " * 50, "rate": 500, "failure": {"error": "StreamBroken", "after": 10}}
    async with server({"a": broken, "b": {"text": "all of it"}}, fallback_order=["a", "b"]) as (client, made):
        with pytest.raises(openai.APIError):
            await asked(client, "cascade")
        assert made["b"].stats.requests == 0
        text, report, _ = await asked(client, "cascade", stream=False)
        assert (text, made["b"].stats.requests) == ("all of it", 1)
    assert outcomes(report) == {"a": "error", "b": "ok"}
    assert kinds(report) == [("replaced", "b")]
