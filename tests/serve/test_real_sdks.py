"""The official SDKs, unpatched, against the real server: HAProxy, two gateways, plain and hosted experts."""

from __future__ import annotations

import asyncio
import json

import anthropic
import openai
import pytest

SAID = "hello there from upstream"
ASK = [{"role": "user", "content": "say hello"}]
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture
def client(real_server):
    with openai.OpenAI(base_url=real_server.url + "/v1", api_key=real_server.key, max_retries=0) as made:
        yield made


@pytest.fixture
def claude(real_server):
    with anthropic.Anthropic(base_url=real_server.url, api_key=real_server.key, max_retries=0) as made:
        yield made


@pytest.mark.parametrize("model", ["plain", "hosted", "polite", "auto", "both", "fallback", "mixture/plain"])
def test_plain(client, model):
    answer = client.chat.completions.create(model=model, messages=ASK)
    assert answer.choices[0].message.content == SAID
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == model
    assert answer.usage.completion_tokens >= 4


@pytest.mark.parametrize("model", ["plain", "hosted", "both"])
def test_streamed_with_usage(client, model):
    chunks = list(
        client.chat.completions.create(model=model, messages=ASK, stream=True, stream_options={"include_usage": True})
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == SAID
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == (8 if model == "both" else 4)


def test_an_ensemble_sums_what_was_spent(client):
    answer = client.chat.completions.create(model="both", messages=ASK)
    report = answer.model_extra["mixture"]
    assert sorted(call["name"] for call in report["experts"]) == ["hosted", "plain"]
    assert answer.usage.completion_tokens == 8
    assert report["cost_complete"] is False


def test_a_hosted_failure_falls_back(client):
    answer = client.chat.completions.create(model="fallback", messages=ASK)
    outcomes = [(call["name"], call["outcome"]) for call in answer.model_extra["mixture"]["experts"]]
    assert outcomes == [("limited", "error"), ("hosted", "ok")]


def test_tools(client):
    answer = client.chat.completions.create(model="tools", messages=ASK, tools=[WEATHER])
    call = answer.choices[0].message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Bonn"})
    assert answer.choices[0].finish_reason == "tool_calls"


def test_errors(client, real_server):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="nobody", messages=ASK)
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="plain", messages=[])
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").models.list()


def test_an_error_of_a_hosted_expert_keeps_its_fields(client):
    with pytest.raises(openai.RateLimitError) as limited:
        client.chat.completions.create(model="limited", messages=ASK)
    assert limited.value.response.headers["retry-after"] == "7"


def test_a_stream_that_breaks_off_ends_with_an_error(client):
    with pytest.raises(openai.APIError) as broken:
        for _ in client.chat.completions.create(model="hosted-breaking", messages=ASK, stream=True):
            continue
    assert broken.value.code == "stream_broken"


@pytest.mark.parametrize("model", ["plain-slow", "hosted-slow"])
async def test_a_client_that_leaves_stops_the_upstream(real_server, upstreams, model):
    stats = upstreams.slow.stats
    cancelled, active = stats.cancelled, stats.active
    async with openai.AsyncOpenAI(base_url=real_server.url + "/v1", api_key=real_server.key) as client:
        stream = await client.chat.completions.create(model=model, messages=ASK, stream=True)
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        assert stats.active == active + 1
        await stream.close()
    async with asyncio.timeout(10):
        while stats.cancelled == cancelled:  # noqa: ASYNC110  # the stand-in runs in another thread
            await asyncio.sleep(0.01)
    assert stats.active == active


@pytest.mark.parametrize("stream", [True, False])
async def test_an_ensemble_that_agrees_stops_the_others_at_their_upstream(real_server, upstreams, stream):
    """One of those stopped is called from the gateway, the other from a process of its own."""
    stats = upstreams.slow.stats
    cancelled, active = stats.cancelled, stats.active
    async with openai.AsyncOpenAI(base_url=real_server.url + "/v1", api_key=real_server.key) as client:
        if stream:
            chunks = [c async for c in await client.chat.completions.create(model="early", messages=ASK, stream=True)]
            text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
            reports = [(c.model_extra or {}).get("mixture") or {} for c in chunks]
            report = next(found for found in reports if "budget" in found)
        else:
            answer = await client.chat.completions.create(model="early", messages=ASK)
            text, report = answer.choices[0].message.content, answer.model_extra["mixture"]
    assert text == SAID
    outcomes = sorted((call["name"], call["outcome"]) for call in report["experts"])
    assert outcomes == [("hosted-slow", "cancelled"), ("late", "ok"), ("later", "ok"), ("plain-slow", "cancelled")]
    assert report["degraded"] is None
    async with asyncio.timeout(10):
        while stats.cancelled < cancelled + 2:  # noqa: ASYNC110  # the stand-in runs in another thread
            await asyncio.sleep(0.01)
    assert stats.active == active


@pytest.mark.parametrize("model", ["plain", "hosted"])
def test_anthropic_plain(claude, model):
    answer = claude.messages.create(model=model, max_tokens=100, messages=ASK)
    assert answer.content[0].text == SAID
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens == 4


def test_anthropic_streamed(claude):
    with claude.messages.stream(model="hosted", max_tokens=100, messages=ASK) as stream:
        assert "".join(stream.text_stream) == SAID
        assert stream.get_final_message().usage.output_tokens == 4


def test_anthropic_tools(claude):
    tool = {"name": "weather", "input_schema": WEATHER["function"]["parameters"]}
    answer = claude.messages.create(model="tools", max_tokens=100, messages=ASK, tools=[tool])
    assert answer.stop_reason == "tool_use"
    assert answer.content[-1].input == {"city": "Bonn"}


def test_anthropic_errors(claude):
    with pytest.raises(anthropic.NotFoundError):
        claude.messages.create(model="nobody", max_tokens=100, messages=ASK)


def test_embeddings(client):
    vectors = client.embeddings.create(model="all-MiniLM-L6-v2", input=["a cat", "a kitten", "tax law"]).data
    close = sum(x * y for x, y in zip(vectors[0].embedding, vectors[1].embedding, strict=True))
    far = sum(x * y for x, y in zip(vectors[0].embedding, vectors[2].embedding, strict=True))
    assert close > far


def test_models_lists_everything(client):
    names = {model.id for model in client.models.list()}
    assert {"plain", "hosted", "polite", "both", "fallback", "auto", "voting"} <= names
