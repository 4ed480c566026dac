"""An engine on a GPU behind the whole graph: answers, many at once, aborts that free it, two on one GPU, its price."""

from __future__ import annotations

import asyncio

import httpx2
import openai
import pytest
import yaml

from commands import capacity
from mixture.config import parse
from tests.gpu.conftest import HOUR, ON, ON_CPU, SHAPE

pytestmark = pytest.mark.timeout(900)

ASK = [{"role": "user", "content": "hello there"}]
EXACTLY = {"max_tokens": 32, "extra_body": {"ignore_eos": True}, "temperature": 0}
LONG = {"max_tokens": SHAPE.window - 200, "extra_body": {"ignore_eos": True}}
CROWD = 4 if ON_CPU else 64


@pytest.fixture
async def sdk(engines):
    async with openai.AsyncOpenAI(base_url=engines.url + "/v1", api_key=engines.key, max_retries=0) as client:
        yield client.chat.completions


async def facts(engines, name):
    async with httpx2.AsyncClient(base_url=engines.url, headers=engines.headers) as http:
        return (await http.get("/v1/mixture/strategies")).json()["experts"][name]


def test_the_shape_is_what_it_says():
    assert ON_CPU or 0.9e9 < SHAPE.parameters < 1.2e9


async def test_a_stream_is_what_the_whole_answer_is(sdk):
    whole = await sdk.create(model="house", messages=ASK, **EXACTLY)
    stream = await sdk.create(model="house", messages=ASK, stream=True, **EXACTLY)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert whole.usage.completion_tokens == 32
    assert text == whole.choices[0].message.content


async def test_many_at_once(sdk):
    answers = await asyncio.gather(*(sdk.create(model="house", messages=ASK, **EXACTLY) for _ in range(CROWD)))
    assert {answer.usage.completion_tokens for answer in answers} == {32}


async def test_two_engines_share_it(sdk):
    both = [sdk.create(model=name, messages=ASK, **EXACTLY) for name in ("house", "twin")]
    one, other = await asyncio.gather(*both)
    assert one.usage.completion_tokens == other.usage.completion_tokens == 32


async def test_clients_that_leave_free_the_engine(sdk, engines):
    streams = [await sdk.create(model="house", messages=ASK, stream=True, **LONG) for _ in range(CROWD)]
    for stream in streams:
        await anext(aiter(stream))
    for stream in streams:
        await stream.close()
    async with asyncio.timeout(60):
        while True:
            await sdk.create(model="house", messages=ASK, max_tokens=1)  # loads come with answers
            engine = (await facts(engines, "house")).get("engine") or {}
            if engine.get("running", CROWD) <= 1 and engine.get("kv_use", 1.0) < 0.5:
                break
            await asyncio.sleep(0.2)


async def test_its_tokens_cost_what_its_hours_do(sdk, engines):
    answer = await sdk.create(model="house", messages=ASK, **EXACTLY)
    price = (await facts(engines, "house"))["price_usd_per_million_tokens"]
    assert price["derived"] is True
    assert 0 < price["output"] <= HOUR / 3600 * 1e6
    assert answer.mixture["experts"][0]["cost_derived"] is True
    assert answer.mixture["cost_usd"] > 0


async def test_a_gpu_that_is_not_there_is_named_and_the_rest_answers(sdk):
    with pytest.raises(openai.APIStatusError, match="A-GPU-THAT-NOBODY-HAS"):
        await sdk.create(model="nowhere", messages=ASK)
    await sdk.create(model="house", messages=ASK, max_tokens=1)


def test_validate_knows_this_machine(weights, tmp_path):
    expert = {"name": "house", "provider": "vllm", "model": str(weights), "engine": ON}
    config = parse(yaml.safe_load(yaml.safe_dump({"experts": [expert]})), {})
    assert list(capacity.faults_of(config, capacity.this_machine())) == []
    (note,) = capacity.notes_of(config, capacity.this_machine())
    assert "a worker needs" in note
