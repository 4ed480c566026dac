"""An expert that has to be started, as official clients see it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import openai
import pytest
from websockets.asyncio.client import connect

from mixture.wrappers import waking
from tests.serve.gateway.inprocess import KEY, serving
from tests.sleeping import Sleeping

ASK = [{"role": "user", "content": "Hello"}]


@asynccontextmanager
async def served(monkeypatch, *experts):
    monkeypatch.setattr(waking, "NEWS_SECONDS", 0.01)
    async with (
        serving(experts) as server,
        openai.AsyncOpenAI(base_url=server.url + "/v1", api_key=KEY, max_retries=0) as client,
    ):
        yield server, client.chat.completions


async def test_a_stream_has_news_while_the_expert_starts(monkeypatch):
    sleeping = Sleeping(name="sleepy", text="awake now")
    async with served(monkeypatch, sleeping) as (_, sdk):
        stream, news, text = await sdk.create(model="sleepy", messages=ASK, stream=True), [], ""
        async for chunk in stream:
            told = (chunk.model_extra or {}).get("mixture") or {}
            if told.get("type") == "awaited":
                news.append(told)
                assert chunk.choices[0].delta.content is None
                sleeping.up.set()
            text += chunk.choices[0].delta.content or ""
    assert text == "awake now"
    assert (news[0]["expert"], news[0]["left_s"]) == ("sleepy", 20.0)
    assert "adjustments" in told and told["adjustments"][0]["kind"] == "woken"


async def test_an_answer_that_is_not_streamed_waits(monkeypatch):
    sleeping = Sleeping(name="sleepy", text="awake now")
    async with served(monkeypatch, sleeping) as (_, sdk):
        asked = asyncio.create_task(sdk.create(model="sleepy", messages=ASK))
        await sleeping.wanted.wait()
        sleeping.up.set()
        answer = await asked
    assert answer.choices[0].message.content == "awake now"
    assert answer.model_extra["mixture"]["adjustments"][0]["kind"] == "woken"


async def test_who_may_not_wait_is_told_when_to_come_back(monkeypatch):
    sleeping = Sleeping(name="sleepy")
    async with served(monkeypatch, sleeping) as (_, sdk):
        with pytest.raises(openai.APIStatusError) as raised:
            await sdk.create(model="sleepy", messages=ASK, extra_body={"mixture": {"max_latency_ms": 2000}})
    assert (raised.value.status_code, raised.value.code) == (503, "expert_starting")
    assert raised.value.response.headers["retry-after"] == "20"
    assert sleeping.wakings == 1


async def test_a_socket_has_the_news(monkeypatch):
    sleeping, kinds = Sleeping(name="sleepy", text="awake now"), []
    async with (
        served(monkeypatch, sleeping) as (server, _),
        connect(server.ws_url, additional_headers=server.headers) as socket,
    ):
        await socket.send(json.dumps({"type": "ask", "id": "a", "model": "sleepy", "messages": ASK}))
        async with asyncio.timeout(20):
            while "answered" not in kinds:
                kinds.append(json.loads(await socket.recv())["type"])
                if kinds[-1] == "awaited":
                    sleeping.up.set()
    assert "awaited" in kinds
