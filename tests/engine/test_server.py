"""Real engines behind the real graph: `mixture serve`, HAProxy, the gateway, replicas with vLLM in them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import httpx2
import openai
import pytest

from commands.processes import descendants

pytestmark = pytest.mark.timeout(600)

ASK = [{"role": "user", "content": "hello there"}]
GREEDY = {"temperature": 0, "max_tokens": 12}
ENDLESS = {"max_tokens": 30_000, "extra_body": {"ignore_eos": True}}
MANY = 4  # more streams at once, and the client that parses them has no time to look
FLAG = {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"], "additionalProperties": False}


@pytest.fixture
async def sdk(engines):
    patience = openai.Timeout(600, connect=60)  # a client that reads thirty streams is late to notice its connection
    url, key = engines.url + "/v1", engines.key
    async with openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=0, timeout=patience) as client:
        yield client.chat.completions


def processes(engines, *words):
    """Processes of the server whose command line holds all of `words`, by their ids."""
    found = {}
    for pid in descendants(engines.process.pid):
        with suppress(OSError):
            found[pid] = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return {pid: line for pid, line in found.items() if all(word in line for word in words)}


def maps(pid):
    """The files that a process has in its memory."""
    return Path(f"/proc/{pid}/maps").read_text()


def children(engines, name, *words):
    """Those among the processes that replicas of the expert `name` started."""
    replicas = processes(engines, f"ServeReplica:mixture:expert-{name}")
    ours = {pid for replica in replicas for pid in descendants(replica)}
    return {pid for pid in processes(engines, *words) if pid in ours}


async def state(engines, name):
    async with httpx2.AsyncClient(base_url=engines.url, headers=engines.headers) as http:
        return (await http.get("/v1/mixture/strategies")).json()["experts"][name]


async def test_a_chat_and_its_stream(sdk):
    whole = await sdk.create(model="tiny", messages=ASK, **GREEDY)
    stream = await sdk.create(model="tiny", messages=ASK, stream=True, stream_options={"include_usage": True}, **GREEDY)
    pieces = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in pieces if chunk.choices)
    assert text == whole.choices[0].message.content != ""
    assert whole.choices[0].finish_reason == "length"
    assert pieces[-1].usage.completion_tokens == whole.usage.completion_tokens == 12
    assert pieces[-1].usage.prompt_tokens == whole.usage.prompt_tokens > 10


async def test_what_a_request_may_ask_for(sdk):
    several = await sdk.create(model="tiny", messages=ASK, n=3, logprobs=True, top_logprobs=2, max_tokens=4, seed=1)
    assert len(several.choices) == 3
    assert all(len(choice.logprobs.content) == 4 for choice in several.choices)
    assert all(len(entry.top_logprobs) == 2 for entry in several.choices[0].logprobs.content)
    form = {"type": "json_schema", "json_schema": {"name": "flag", "schema": FLAG, "strict": True}}
    fitting = await sdk.create(model="tiny", messages=ASK, response_format=form, max_tokens=60)
    assert isinstance(json.loads(fitting.choices[0].message.content)["on"], bool)
    tool = {"type": "function", "function": {"name": "switch", "parameters": FLAG}}
    named = {"type": "function", "function": {"name": "switch"}}
    called = await sdk.create(model="tiny", messages=ASK, tools=[tool], tool_choice=named, max_tokens=200)
    (call,) = called.choices[0].message.tool_calls
    assert isinstance(json.loads(call.function.arguments)["on"], bool)
    drawn = [await sdk.create(model="tiny", messages=ASK, seed=5, max_tokens=12) for _ in range(2)]
    assert drawn[0].choices[0].message.content == drawn[1].choices[0].message.content


async def test_an_adapter_and_its_base_share_replicas(sdk, engines):
    own, adapted = [await sdk.create(model=name, messages=ASK, **GREEDY) for name in ("tiny", "adapted")]
    assert own.choices[0].message.content != adapted.choices[0].message.content
    assert adapted.model_extra["mixture"]["experts"][0]["name"] == "adapted"
    assert processes(engines, "ServeReplica:mixture:expert-adapted") == {}


async def test_two_engines_in_one_answer(sdk):
    answer = await sdk.create(model="both", messages=ASK, **GREEDY)
    assert {call["name"] for call in answer.model_extra["mixture"]["experts"]} == {"tiny", "other"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("misfit", "is made for size 128, that of 'tiny' is 64: it belongs to another base"),
        ("absent", "there is no folder"),
        ("cramped", "4096 bytes are too few for one request"),
        ("gpu", "it needs 1 GPUs and there is none"),
    ],
)
async def test_what_can_t_run_says_why_at_once(sdk, name, said):
    with pytest.raises(openai.APIStatusError, match=said) as raised:
        await sdk.create(model=name, messages=ASK, timeout=10)
    assert (raised.value.status_code, raised.value.code) == (502, "engine_not_running")


async def test_a_request_that_is_too_long_is_named_as_such(sdk):
    with pytest.raises(openai.BadRequestError) as raised:
        await sdk.create(model="tiny", messages=[{"role": "user", "content": "word " * 40_000}])
    assert (raised.value.code, raised.value.param) == ("context_length_exceeded", "messages")


async def running(sdk, engines, name="tiny"):
    """Requests in the engine of `name`, as comes with an answer and is known for five seconds; its own is counted
    or not yet.
    """
    async with httpx2.AsyncClient(base_url=engines.url, headers=engines.headers) as http:
        await sdk.create(model=name, messages=ASK, max_tokens=2)
        return (await http.get("/v1/mixture/strategies")).json()["experts"][name]["engine"]["running"]


async def until(condition, seconds=60):
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_takes_its_request_out_of_the_engine(sdk, engines, stream):
    tasks = [asyncio.create_task(_read(sdk, stream)) for _ in range(MANY)]

    async def busy():
        return await running(sdk, engines) >= MANY

    async def free():
        return await running(sdk, engines) <= 1

    await until(busy)
    for task in tasks:
        task.cancel()
    await until(free)
    await asyncio.gather(*tasks, return_exceptions=True)


async def _read(sdk, stream, model="tiny"):
    answer = await sdk.create(model=model, messages=ASK, stream=stream, **ENDLESS)
    if stream:
        async for _ in answer:
            continue


def test_neither_gateway_nor_controller_has_vllm_in_it(engines):
    others = processes(engines, "ServeReplica:mixture:gateway") | processes(engines, "ServeController")
    assert len(others) >= 2
    torch = "libtorch_cpu.so"  # vLLM can't be imported without it
    assert {pid for pid in others if torch in maps(pid)} == set()
    assert all(torch in maps(pid) for pid in processes(engines, "ServeReplica:mixture:expert-tiny"))


async def test_a_conversation_goes_to_the_replica_that_knows_its_beginning(sdk, engines):
    async def told(text, *more):
        messages = [{"role": "user", "content": text}, *more]
        answer = await sdk.create(model="other", messages=messages, max_tokens=4, temperature=0)
        return answer.usage.prompt_tokens_details.cached_tokens

    began = [f"{number} conversation " * 60 for number in range(10)]
    for text in began:
        assert await told(text) == 0
        assert await told(text, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "go on"}) > 100
    assert (await state(engines, "other"))["engine"]["prefix_hits"] > 0


async def test_replicas_share_the_load(sdk, engines):
    assert len(processes(engines, "ServeReplica:mixture:expert-other")) == 2
    await asyncio.gather(*(sdk.create(model="other", messages=ASK, max_tokens=200) for _ in range(24)))
    assert (await state(engines, "other"))["engine"]["prefix_queries"] > 0


async def recovered(sdk, name):
    """Ask until an answer comes; the errors on the way."""
    errors = []
    async with asyncio.timeout(240):
        while True:
            try:
                await sdk.create(model=name, messages=ASK, max_tokens=3)
            except openai.APIStatusError as error:
                errors.append(error)
                await asyncio.sleep(0.5)
            else:
                return errors


async def test_an_engine_that_is_killed_is_replaced(sdk, engines):
    stream = await sdk.create(model="tiny", messages=ASK, stream=True, **ENDLESS)
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            break
    victims = children(engines, "tiny", "EngineCore")
    assert len(victims) == 1
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(openai.APIError) as broken:
        async for _ in stream:
            continue
    assert broken.value.code == "stream_broken"
    errors = await recovered(sdk, "tiny")
    assert {error.code for error in errors} <= {"expert_unavailable", "expert_timeout", "cooling_down"}
    assert (await sdk.create(model="adapted", messages=ASK, **GREEDY)).choices[0].message.content
    assert victims.isdisjoint(children(engines, "tiny", "EngineCore"))


async def test_a_replica_that_is_killed_is_replaced_and_leaves_no_engine(sdk, engines):
    engine = children(engines, "tiny", "EngineCore")
    (replica,) = processes(engines, "ServeReplica:mixture:expert-tiny")
    os.kill(replica, signal.SIGKILL)
    await recovered(sdk, "tiny")

    async def gone():
        return engine.isdisjoint(processes(engines, "EngineCore"))

    await until(gone)


async def _news(sdk, model):
    """What a stream tells while its engine starts, and its report."""
    news, report = [], {}
    stream = await sdk.create(model=model, messages=ASK, stream=True, timeout=240, max_tokens=3)
    async for chunk in stream:
        told = (chunk.model_extra or {}).get("mixture") or {}
        news += [told] if told.get("type") == "awaited" else []
        report = told if "experts" in told else report
    return news, report


async def test_a_sleeping_engine_wakes_grows_by_its_own_load_and_sleeps_again(sdk, engines):
    def replicas():
        return len(processes(engines, "ServeReplica:mixture:expert-sleepy"))

    async def asleep():
        return replicas() == 0

    async def grown():
        return replicas() == 2

    await until(asleep, 120)
    assert (await state(engines, "sleepy"))["starts_in_s"] > 5
    other = await sdk.create(model="impatient", messages=ASK)
    assert other.choices[0].message.content == "still here"
    (change,) = other.model_extra["mixture"]["adjustments"]
    assert change["kind"] == "replaced"
    assert "sleepy is being started" in change["why"]
    news, report = await _news(sdk, "sleepy")
    assert news[0]["expert"] == "sleepy"
    assert news[-1]["waited_s"] >= news[0]["waited_s"]
    assert [call["outcome"] for call in report["experts"]] == ["ok"]
    assert [change["kind"] for change in report["adjustments"]] == ["woken"]
    assert "starts_in_s" not in await state(engines, "sleepy")
    assert len(children(engines, "sleepy", "EngineCore")) == 1
    tasks = [asyncio.create_task(_read(sdk, True, "sleepy")) for _ in range(12)]
    await until(grown, 120)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await until(asleep, 180)
    assert (await sdk.create(model="says", messages=ASK)).choices[0].message.content == "still here"
