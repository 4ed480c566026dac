"""Answers to questions that mean the same, over HTTP: who gets them, what is said of them, and how they are judged."""

import aiohttp
import pytest

from mixture.providers.scripted import scripted
from tests.serve.gateway.inprocess import OTHER_KEY, config_of, serving

FIRST, SAME = "How can I repair a flat tyre?", "How do I fix a flat tyre?"


@pytest.fixture
async def server():
    made = [scripted("plain", ("patch it", "buy another", "ask a friend"))]
    async with serving(made, config_of(made, cache={"semantic": {"mode": "on", "recheck": 0}})) as running:
        yield running


async def post(server, text, key=None, **more):
    body = {"model": "plain", "temperature": 0, "messages": [{"role": "user", "content": text}], **more}
    return await send(server, "/v1/chat/completions", body, key)


async def send(server, path, body, key=None):
    headers = {"authorization": f"Bearer {key or server.key}"}
    async with aiohttp.ClientSession() as session, session.post(server.url + path, json=body, headers=headers) as got:
        answer = await got.text() if body.get("stream") else await got.json()
        return got.headers.get("x-mixture-cache"), got.headers["x-request-id"], answer


async def test_a_similar_question_is_answered_and_judged(server):
    await post(server, FIRST)
    how, request_id, answer = await post(server, SAME)
    report = answer["mixture"]
    assert (how, answer["choices"][0]["message"]["content"]) == ("semantic", "patch it")
    assert (report["cached"], report["cache"]["kind"], report["cost_usd"]) == (True, "semantic", 0)
    assert 0.6 <= report["cache"]["similarity"] < 1
    how, _, streamed = await post(server, SAME, stream=True)
    assert how == "semantic"
    assert "patch it" in streamed

    note = {"request_id": request_id, "thumbs": "down"}
    _, _, refused = await send(server, "/v1/mixture/feedback", note, OTHER_KEY)
    assert refused["error"]["code"] == "unsupported_parameter"  # not that key's request, and feedback is off here
    _, _, receipt = await send(server, "/v1/mixture/feedback", note)
    assert (receipt["score"], "semantic cache" in receipt["why"]) == (0, True)
    how, _, answer = await post(server, SAME)
    assert (how, answer["choices"][0]["message"]["content"]) == ("miss", "buy another")

    url = f"{server.url}/v1/mixture/cache"
    async with aiohttp.ClientSession() as session, session.get(url, headers=server.headers) as got:
        (domain,) = (await got.json())["semantic"].values()
    assert domain["threshold"] > 0.6
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/metrics", headers=server.headers) as got:
        told = await got.text()
    assert 'mixture_cache_total{kind="semantic",outcome="hit"}' in told
    assert "mixture_cache_false_hit_rate_upper{" in told


async def test_another_key_is_not_answered_from_it(server):
    await post(server, FIRST)
    assert (await post(server, SAME, OTHER_KEY))[0] == "miss"
    assert (await post(server, SAME))[0] == "semantic"


async def test_a_request_can_refuse_it_and_an_image_is_another_question(server):
    await post(server, FIRST)
    assert (await post(server, SAME, mixture={"cache": {"semantic": False}}))[0] == "miss"
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    parts = [{"type": "text", "text": "How do I mend a flat tyre?"}, image]
    body = {"model": "plain", "temperature": 0, "messages": [{"role": "user", "content": parts}]}
    assert (await send(server, "/v1/chat/completions", body))[0] == "miss"


async def test_who_asks_for_it_where_it_is_off_is_refused():
    made = [scripted("plain", "hello")]
    async with serving(made) as server:
        _, _, answer = await post(server, FIRST, mixture={"cache": {"semantic": True}})
        assert answer["error"]["param"] == "mixture.cache.semantic"
