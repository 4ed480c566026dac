"""A real engine, asked directly: what a query may ask for, what errors become, what is freed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import aclosing, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from commands.processes import descendants
from deployments.engine.arguments import engine_arguments, environment
from mixture.config import EngineConfig
from mixture.errors import ExpertUnavailable, InvalidQuery, StreamBroken
from mixture.streams import Collector
from mixture.types import ExpertCard, Message, Query, ResponseFormat, Sampling, Tool, ToolChoice
from tests.engine.conftest import ENGINE

pytestmark = pytest.mark.asyncio(loop_scope="module")

FLAG = {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"], "additionalProperties": False}
SWITCH = Tool("switch", "Turns it on or off", FLAG)
ENDLESS = Sampling(max_tokens=30_000, extra={"ignore_eos": True})


@contextmanager
def started(models, **more):
    """An engine in a process of its own, as a replica starts it."""
    from deployments.engine.vllm import Engine

    config = EngineConfig(**{**ENGINE, **more})
    before = dict(os.environ)
    os.environ.update(environment(config, 0.0))
    adapters = [("adapted", str(models / "adapter"))]
    made = None
    try:
        made = Engine(
            ExpertCard("tiny", "vllm"), config, engine_arguments(str(models / "tiny"), config, 0.0, (4,)), adapters
        )
        yield made
    finally:
        if made is not None:
            made.close()
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(models):
    with started(models) as made:
        await made.add("adapted")
        yield made


def asking(text="hello there", **more):
    return Query((Message("user", text),), **more)


async def chunks_of(engine, query, adapter=None):
    async with aclosing(engine.stream(query, adapter)) as stream:
        return [chunk async for chunk in stream]


async def answer(engine, query, adapter=None):
    collector = Collector()
    for chunk in await chunks_of(engine, query, adapter):
        collector.add(chunk)
    return collector.completion("tiny")


GREEDY = Sampling(temperature=0.0, max_tokens=12)


async def test_pieces_join_to_the_whole(engine):
    pieces = await chunks_of(engine, asking(sampling=GREEDY, stream=True))
    whole = await chunks_of(engine, asking(sampling=GREEDY))
    assert len(whole) == 1
    assert len([chunk for chunk in pieces if chunk.text]) > 1
    assert "".join(chunk.text for chunk in pieces) == whole[0].text != ""
    assert all(chunk.finish_reason is None for chunk in pieces[:-1])
    assert all(chunk.usage.completion_tokens < 12 for chunk in pieces[:-1])
    for last in (pieces[-1], whole[0]):
        assert (last.finish_reason, last.usage.completion_tokens) == ("length", 12)
        assert last.usage.prompt_tokens > 10


@pytest.mark.parametrize("stream", [True, False])
async def test_several_choices(engine, stream):
    completion = await answer(engine, asking(sampling=Sampling(n=3, max_tokens=5, seed=1), stream=stream))
    assert len(completion.choices) == 3
    assert len({choice.text for choice in completion.choices}) > 1
    assert completion.usage.completion_tokens == 15


@pytest.mark.parametrize("stream", [True, False])
async def test_log_probabilities(engine, stream):
    wish = Sampling(temperature=0.0, max_tokens=4, logprobs=True, top_logprobs=3)
    entries = (await answer(engine, asking(sampling=wish, stream=stream))).choices[0].logprobs
    assert len(entries) == 4
    for entry in entries:
        assert set(entry) == {"token", "logprob", "bytes", "top_logprobs"}
        assert len(entry["top_logprobs"]) == 3
        assert entry["logprob"] == entry["top_logprobs"][0]["logprob"] <= 0
        json.dumps(entry)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_json_schema_is_kept_to(engine, stream):
    wish = ResponseFormat("json_schema", "flag", FLAG)
    query = asking(response_format=wish, sampling=Sampling(max_tokens=60, seed=2), stream=stream)
    assert isinstance(json.loads((await answer(engine, query)).text)["on"], bool)


@pytest.mark.parametrize("stream", [True, False])
async def test_tools_are_called(engine, stream):
    choice = ToolChoice("function", "switch")
    query = asking(tools=(SWITCH,), tool_choice=choice, sampling=Sampling(max_tokens=200, seed=3), stream=stream)
    completion = await answer(engine, query)
    (call,) = completion.tool_calls
    assert (completion.text, completion.finish_reason, call.name) == ("", "tool_calls", "switch")
    assert call.id
    assert isinstance(json.loads(call.arguments)["on"], bool)
    plain = await answer(engine, asking(tools=(SWITCH,), sampling=GREEDY, stream=stream))
    assert plain.text and not plain.tool_calls


async def test_stop_and_seed(engine):
    text = (await answer(engine, asking(sampling=GREEDY))).text
    stop = text[3:6]
    cut = await answer(engine, asking(sampling=Sampling(temperature=0.0, max_tokens=12, stop=(stop,))))
    assert (cut.text, cut.finish_reason) == (text[: text.index(stop)], "stop")
    drawn = [await answer(engine, asking(sampling=Sampling(max_tokens=12, seed=seed))) for seed in (5, 5, 6)]
    assert drawn[0].text == drawn[1].text != drawn[2].text


async def test_an_adapter_answers_otherwise(engine):
    own = await answer(engine, asking(sampling=GREEDY))
    adapted = await answer(engine, asking(sampling=GREEDY), "adapted")
    assert adapted.text != own.text
    assert (await answer(engine, asking(sampling=GREEDY))).text == own.text


async def test_tokens_of_a_known_prefix_are_counted_as_cached(engine):
    long = asking("one two three four five six seven eight nine ten " * 12, sampling=GREEDY)
    first, again = await answer(engine, long), await answer(engine, long)
    assert first.usage.cached_tokens == 0
    assert 0 < again.usage.cached_tokens <= again.usage.prompt_tokens


@pytest.mark.parametrize(
    ("query", "said", "code"),
    [
        (asking("word " * 40_000), "longer than the context window of tiny", "context_length_exceeded"),
        (asking(sampling=Sampling(extra={"min_p": 7})), "min_p", None),
        (asking(sampling=Sampling(max_tokens=50_000)), "max_tokens", None),
        (asking(response_format=ResponseFormat("json_schema", "x", {"type": "nonsense"})), "", None),
        (asking(sampling=Sampling(logprobs=True, top_logprobs=5000)), "logprobs", None),
    ],
)
async def test_a_wrong_request_is_ours_to_name(engine, query, said, code):
    with pytest.raises(InvalidQuery) as raised:
        await chunks_of(engine, query)
    assert said in raised.value.message
    assert raised.value.code == code
    assert raised.value.expert == "tiny"


async def idle(engine):
    """Wait until the engine has nothing to do."""
    async with asyncio.timeout(20):
        while engine.load.running or engine.load.waiting or engine.load.kv_use:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("n", [1, 3])
async def test_closing_takes_the_request_out_of_the_engine(engine, n):
    await idle(engine)
    stream = engine.stream(asking(sampling=Sampling(max_tokens=30_000, n=n, extra={"ignore_eos": True}), stream=True))
    for _ in range(5):
        await anext(stream)
    assert engine.load.running == n
    assert engine.load.kv_use > 0
    await stream.aclose()
    await idle(engine)


async def test_a_stream_that_is_left_has_told_what_it_came_to(engine):
    stream, texts, counted = engine.stream(asking(sampling=ENDLESS, stream=True)), 0, []
    async for chunk in stream:
        texts += bool(chunk.text)
        counted.append(chunk.usage)
        if texts == 5:
            break
    await stream.aclose()
    assert all(usage.prompt_tokens > 0 for usage in counted)
    written = [usage.completion_tokens for usage in counted]
    assert written == sorted(written)
    assert written[-1] >= 5
    await idle(engine)


async def test_cancelling_takes_the_request_out_of_the_engine(engine):
    await idle(engine)
    tasks = [asyncio.create_task(answer(engine, asking(sampling=ENDLESS))) for _ in range(30)]
    async with asyncio.timeout(20):
        while not (engine.load.running == 16 and engine.load.waiting == 14):  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert engine.load.busy == 30 / 16
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await idle(engine)


def engine_processes():
    return {pid for pid in descendants(os.getpid()) if "EngineCore" in Path(f"/proc/{pid}/cmdline").read_text()}


async def test_an_engine_whose_process_is_killed_says_so(models):
    before = engine_processes()
    with started(models) as doomed:
        stream = doomed.stream(asking(sampling=ENDLESS, stream=True))
        await anext(stream)
        waiting = asyncio.create_task(answer(doomed, asking(sampling=ENDLESS)))
        async with asyncio.timeout(20):
            while doomed.load.running < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for pid in engine_processes() - before:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(StreamBroken):
            async for _ in stream:
                continue
        with pytest.raises(ExpertUnavailable) as raised:
            await waiting
        assert not isinstance(raised.value, StreamBroken)
        assert doomed.dead
        with pytest.raises(ExpertUnavailable):
            await answer(doomed, asking())
