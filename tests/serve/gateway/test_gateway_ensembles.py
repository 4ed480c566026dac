"""Ensembles through the gateway with the official SDK, over stand-ins for model servers: faults, JSON, tools, usage."""

import asyncio
import json
from collections import Counter
from contextlib import ExitStack, asynccontextmanager

import pytest
from openai import APIError, AsyncOpenAI

from deployments.http.app import create_app
from mixture import Mixture
from mixture.config import parse
from mixture.simulation import StandIn
from tests.serve.gateway.inprocess import KEY, Vectors, listening

RIGHT = "Six times seven is worked out first, and so the answer is 42."
WRITTEN = " ".join(f"word{number}" for number in range(20)) + "."
SCHEMA = {"type": "object", "properties": {"answer": {"type": "integer"}}, "required": ["answer"]}
FORM = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {}}}}}]
ASKED = [{"role": "user", "content": "What is six times seven?"}]
STAND_INS = {
    "good": {"text": RIGHT},
    "fine": {"text": RIGHT, "delay": 0.05},
    "late": {"text": RIGHT, "delay": 30.0},
    "empty": {"text": ""},
    "refusing": {"text": "I'm sorry, but I can't help with that."},
    "breaking": {"text": RIGHT, "failure": {"error": "StreamBroken", "after": 3}},
    "broken-json": {"text": '{"answer": 42', "raw": True},
    "down": {"failure": {"error": "ExpertUnavailable"}},
    "writer": {"text": WRITTEN, "rate": 100},
    "breaking-writer": {"text": WRITTEN, "failure": {"error": "StreamBroken", "after": 10}},
    "one": {"text": '{"answer": 1}', "raw": True},
    "three": {"text": '{"answer": 3}', "raw": True},
    "looks": {"text": "done", "tool_calls": [{"name": "look", "arguments": '{"at": "it"}'}]},
    "watches": {"text": "done", "tool_calls": [{"name": "look", "arguments": '{ "at":"it" }'}]},
    "guesses": {"text": "guessed", "tool_calls": [{"name": "guess", "arguments": "{}"}]},
}


def vote(*experts):
    return {"strategy": "voting", "experts": list(experts), "early_stop": False}


def written_by(writer, *others):
    return {
        "strategy": "mixture_of_agents",
        "proposer_models": ["good", "fine"],
        "aggregator_model": writer,
        "experts": ["good", "fine", writer, *others],
    }


ALIASES = {
    "one-late": vote("good", "fine", "late"),
    "one-empty": vote("good", "fine", "empty"),
    "one-refusing": vote("good", "fine", "refusing"),
    "one-breaking": vote("good", "fine", "breaking"),
    "one-broken-json": vote("one", "three", "broken-json"),
    "judge-down": {**written_by("down"), "aggregation_strategy": "selection"},
    "none-counts": vote("refusing", "empty"),
    "writer-breaks": written_by("breaking-writer", "writer"),
    "written": written_by("writer"),
    "json": vote("one", "three", "one"),
    "tools": vote("guesses", "watches", "looks"),
}


@asynccontextmanager
async def serving():
    """The gateway over the stand-ins, the client, and the stand-ins."""
    with ExitStack() as stack:
        upstreams = {name: stack.enter_context(StandIn(**script)) for name, script in STAND_INS.items()}
        experts = [
            {
                "name": name,
                "provider": "openai",
                "base_url": upstream.base_url,
                "api_key": "none",
                "num_retries": 0,
                "timeout": 1.0 if name == "late" else 20.0,
                "allowed_fails": 10_000,
                "abilities": ["tools", "json"],
                "price": {"input": 1, "output": 2},
            }
            for name, upstream in upstreams.items()
        ]
        config = parse({"experts": experts, "aliases": ALIASES, "server": {"log": "off"}}, {})
        app = create_app(Mixture.from_config(config), Vectors(), config.server, [KEY])
        async with listening(app) as url, AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
            yield client, upstreams


async def asked(client, model, **more):
    """The text and report of an answer."""
    found = await client.chat.completions.create(model=model, messages=ASKED, **more)
    return found.choices[0].message.content, found.mixture, found.usage


async def streamed(client, model, **more):
    """The texts of a stream, its report, its usage, and the error that ended it."""
    texts, report, usage = [], {}, None
    try:
        stream = await client.chat.completions.create(
            model=model, messages=ASKED, stream=True, stream_options={"include_usage": True}, **more
        )
        async for chunk in stream:
            texts += [choice.delta.content for choice in chunk.choices if choice.delta.content]
            told = (chunk.model_extra or {}).get("mixture") or {}
            report = told if "quorum" in told else report
            usage = chunk.usage or usage
    except APIError as error:
        return texts, report, usage, str(error)
    return texts, report, usage, None


FAULTS = {
    "one-late": "late did not answer",
    "one-empty": "empty did not answer (empty gave an empty answer)",
    "one-refusing": "refusing does not count: its proposal is a refusal",
    "one-breaking": "breaking did not answer",
    "one-broken-json": "broken-json does not count: its proposal is not valid JSON",
    "judge-down": "the proposals were compared without a judge (no expert answered (down: ",
    "none-counts": "no proposal counts: the least bad one is given",
}


@pytest.mark.parametrize("model", FAULTS)
async def test_fifty_clients_get_marked_answers_whatever_is_wrong(model):
    async with serving() as (client, _):
        more = {"response_format": FORM} if "json" in model else {}
        plain = await asyncio.gather(*(asked(client, model, **more) for _ in range(25)))
        live = await asyncio.gather(*(streamed(client, model, **more) for _ in range(25)))
        assert all(FAULTS[model] in report["degraded"] for _, report, _ in plain)
        assert all(FAULTS[model] in report["degraded"] and error is None for _, report, _, error in live)
        texts = Counter([text for text, _, _ in plain] + ["".join(texts) for texts, _, _, _ in live])
        wanted = {"one-broken-json": '{"answer": 1}', "none-counts": STAND_INS["refusing"]["text"]}.get(model, RIGHT)
        assert texts == {wanted: 50}
        assert all(usage.total_tokens == sum(c["usage"]["total_tokens"] for c in r["experts"]) for _, r, usage in plain)


async def test_a_writer_that_fails_after_ten_tokens():
    async with serving() as (client, _):
        text, report, _ = await asked(client, "writer-breaks")
        assert text in (RIGHT, WRITTEN)
        assert "stepped in for breaking-writer" in report["degraded"]
        texts, told, _, error = await streamed(client, "writer-breaks")
        assert 0 < len("".join(texts).split()) <= 10
        assert error
        assert [call["outcome"] for call in told["experts"] if call["name"] == "breaking-writer"] == ["error"]
        assert told["cost_usd"] > 0


async def test_a_writers_tokens_come_as_it_writes_them_and_every_token_is_counted():
    async with serving() as (client, upstreams):
        texts, report, usage, error = await streamed(client, "written")
        assert error is None and "".join(texts) == WRITTEN and len(texts) > 5
        sent = [upstreams[name].stats for name in ("good", "fine", "writer")]
        assert usage.prompt_tokens == sum(stats.prompt_tokens for stats in sent)
        assert usage.completion_tokens == sum(stats.completion_tokens for stats in sent)
        assert report["aggregation"]["by"] == "writer"


async def test_json_is_merged_and_says_how_far_its_fields_agree():
    async with serving() as (client, _):
        text, report, _ = await asked(client, "json", response_format=FORM)
        assert json.loads(text) == {"answer": 1}
        assert report["fields"] == {"answer": {"agreement": 0.6667, "support": 2}}
        texts, live, _, _ = await streamed(client, "json", response_format=FORM)
        assert ("".join(texts), live["fields"]) == (text, report["fields"])


@pytest.mark.parametrize("stream", [True, False])
async def test_a_loop_of_tools_stays_with_its_expert(stream):
    async with serving() as (client, upstreams):
        if stream:
            async with client.chat.completions.stream(model="tools", messages=ASKED, tools=TOOLS) as events:
                first = await events.get_final_completion()
        else:
            first = await client.chat.completions.create(model="tools", messages=ASKED, tools=TOOLS)
        message = first.choices[0].message
        assert [json.loads(call.function.arguments) for call in message.tool_calls] == [{"at": "it"}]
        result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "seen"}
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in message.tool_calls
        ]
        history = [*ASKED, {"role": "assistant", "tool_calls": calls}, result]
        before = {name: upstreams[name].stats.requests for name in upstreams}
        second = await client.chat.completions.create(model="tools", messages=history)
        assert second.choices[0].message.content == "done"
        asked_again = [name for name in upstreams if upstreams[name].stats.requests > before[name]]
        assert asked_again == ["watches"]
        assert second.mixture["route"]["why"] == "the tool loop stays with watches, which made the call"
