"""The exact cache over HTTP: who gets which answer again, and what is said of it."""

import asyncio
import json

import aiohttp
import pytest

from mixture.providers.scripted import scripted
from mixture.types import Price
from tests.serve.gateway.inprocess import OTHER_KEY, config_of, serving

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
ASK = {"model": "plain", "temperature": 0, "messages": [{"role": "user", "content": "What is six times seven?"}]}


def experts():
    return [
        scripted("plain", ("first answer", "second answer", "third answer"), price=Price(1.0, 2.0)),
        scripted("cut", "cut off here", finish_reason="length"),
        scripted("tooler", "", tool_calls=({"name": "weather", "arguments": "{}"},)),
        scripted("down", "no", failure={"error": "ExpertUnavailable", "calls": 1}),
    ]


@pytest.fixture
async def server():
    made = experts()
    aliases = {"pair": {"strategy": "voting", "experts": ["plain", "down"]}}
    async with serving(made, config_of(made, aliases=aliases)) as running:
        yield running


async def post(server, body, path=CHAT, key=None):
    headers = {"authorization": f"Bearer {key or server.key}"}
    async with aiohttp.ClientSession() as session, session.post(server.url + path, json=body, headers=headers) as got:
        text = await got.text()
        return got.headers.get("x-mixture-cache"), text if body.get("stream") else json.loads(text)


def said(answer):
    return answer["choices"][0]["message"]["content"]


async def test_the_same_request_is_answered_from_the_cache_and_costs_nothing(server):
    how, first = await post(server, ASK)
    assert (how, said(first), first["mixture"]["cached"], first["mixture"]["cache"]) == (
        "miss",
        "first answer",
        False,
        None,
    )
    for _ in range(3):
        how, again = await post(server, ASK)
        report = again["mixture"]
        assert (how, said(again), report["cached"], report["experts"]) == ("hit", "first answer", True, [])
        assert (again["usage"]["total_tokens"], report["cost_usd"], report["cost_complete"]) == (0, 0, True)
        assert (
            report["cache"]["cost_usd"] == pytest.approx(first["mixture"]["cost_usd"]) and first["mixture"]["cost_usd"]
        )
        assert report["cache"]["usage"]["total_tokens"] == first["usage"]["total_tokens"]
        assert (report["cache"]["kind"], report["cache"]["experts"]) == ("exact", ["plain"])
        assert again["id"] != first["id"]
    assert server.counts("plain").started == 1


async def test_order_and_blanks_of_the_body_do_not_matter(server):
    await post(server, ASK)
    how, _ = await post(server, {**dict(reversed(ASK.items())), "user": "someone", "metadata": {"a": "b"}})
    assert how == "hit"


@pytest.mark.parametrize(
    "other",
    [
        {"messages": [{"role": "user", "content": "What is six times eight?"}]},
        {"messages": [{"role": "system", "content": "Be short."}, *ASK["messages"]]},
        {"max_tokens": 5},
        {"temperature": 0.0, "top_p": 0.5},
        {"model": "pair"},
        {"response_format": {"type": "json_object"}},
        {"mixture": {"max_cost_usd": 1.0}},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_another_request_is_another_request(server, other):
    await post(server, ASK)
    how, _ = await post(server, {**ASK, **other})
    assert how == "miss"


async def test_another_key_sees_nothing_of_it(server):
    await post(server, ASK)
    how, answer = await post(server, ASK, key=OTHER_KEY)
    assert (how, said(answer)) == ("miss", "second answer")
    assert (await post(server, ASK))[0] == "hit"


async def test_only_deterministic_requests_unless_they_ask_for_it(server):
    free = {"model": "plain", "messages": ASK["messages"]}
    assert [(await post(server, free))[0] for _ in range(2)] == ["bypass", "bypass"]
    wished = {**free, "mixture": {"cache": True}}
    assert [(await post(server, wished))[0] for _ in range(2)] == ["miss", "hit"]
    assert (await post(server, {**free, "seed": 4}))[0] == "miss"


async def test_wishes_of_one_request(server):
    def wishing(**cache):
        return {**ASK, "mixture": {"cache": cache}}

    assert (await post(server, {**ASK, "mixture": {"cache": False}}))[0] == "bypass"
    assert (await post(server, wishing(write=False)))[0] == "miss"
    assert (await post(server, ASK))[0] == "miss"
    assert (await post(server, wishing(max_age=0)))[0] == "miss"
    how, answer = await post(server, wishing(read=False))
    assert how == "miss"
    how, again = await post(server, wishing(max_age=60, write=False))
    assert (how, said(again)) == ("hit", said(answer))


async def test_streams_are_replayed_in_either_protocol(server, openai, anthropic):
    await post(server, ASK)
    streamed = await openai.chat.completions.create(**ASK, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in streamed]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "first answer"
    assert chunks[-1].usage.total_tokens == 0
    assert chunks[-2].model_extra["mixture"]["cached"] is True
    wish = {"model": "plain", "messages": ASK["messages"], "max_tokens": 50, "extra_body": {"mixture": {"cache": True}}}
    for _ in range(2):
        message = await anthropic.messages.create(**wish)
        assert message.content[0].text == "second answer"  # it has a limit on tokens: another request
    async with anthropic.messages.stream(**wish) as stream:
        assert await stream.get_final_text() == "second answer"
    assert server.counts("plain").started == 2


async def test_what_was_cut_or_calls_tools_or_failed_is_not_kept(server):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    for body in ({**ASK, "model": "cut"}, {**ASK, "model": "tooler", "tools": tools}):
        assert [(await post(server, body))[0] for _ in range(2)] == ["miss", "miss"]
    first, _ = await post(server, {**ASK, "model": "pair"})
    degraded, answer = await post(server, {**ASK, "model": "pair"})
    assert (first, degraded) == ("miss", "miss"), answer


async def test_a_switched_off_cache_refuses_who_asks_for_it():
    made = experts()
    async with serving(made, config_of(made, cache={"exact": "off"})) as server:
        assert (await post(server, ASK))[0] == "bypass"
        _, answer = await post(server, {**ASK, "mixture": {"cache": True}})
        assert (answer["error"]["param"], answer["error"]["code"]) == ("mixture.cache", "unsupported_parameter")


async def test_identical_requests_at_once_are_one_call():
    gate = asyncio.Event()
    made = [scripted("held", "one two three", gate=gate, price=Price(1.0, 2.0))]
    async with serving(made) as server:
        ask = {**ASK, "model": "held"}
        first = asyncio.create_task(post(server, {**ask, "stream": True}))
        await server.reached("held", started=1)
        others = [asyncio.create_task(post(server, body)) for body in (ask, {**ask, "stream": True}, ask)]
        await joined(server, 3)
        gate.set()
        assert (await first)[0] == "miss"
        results = await asyncio.gather(*others)
        assert [how for how, _ in results] == ["hit"] * 3
        assert results[0][1]["mixture"]["cache"]["kind"] == "flight"
        assert (results[0][1]["mixture"]["cost_usd"], said(results[2][1])) == (0, "one two three")
        assert server.counts("held").started == 1


async def test_a_run_ends_with_the_last_who_waits_for_it():
    made = [scripted("endless", "word " * 5_000, rate=50)]
    async with serving(made) as server:
        ask = {**ASK, "model": "endless", "stream": True}
        first = asyncio.create_task(post(server, ask))
        await server.reached("endless", tokens=3)
        second = asyncio.create_task(post(server, ask))
        await joined(server, 1)
        first.cancel()
        before = server.counts("endless").tokens
        await server.reached("endless", tokens=before + 10)
        assert server.counts("endless").cancelled == 0
        second.cancel()
        await server.reached("endless", cancelled=1)


async def joined(server, many):
    """Wait until so many requests have joined one in progress."""
    url, headers = f"{server.url}/v1/mixture/cache", server.headers
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while True:
            async with session.get(url, headers=headers) as got:
                if (await got.json())["counts"].get("flight", {}).get("hit", 0) >= many:
                    return
            await asyncio.sleep(0.01)


async def test_a_caller_sees_and_deletes_what_is_its_own(server):
    await post(server, ASK)
    await post(server, ASK)
    url = f"{server.url}/v1/mixture/cache"
    async with aiohttp.ClientSession() as session:
        mine, other = server.headers, {"authorization": f"Bearer {OTHER_KEY}"}
        seen = await (await session.get(url, headers=mine)).json()
        assert (seen["entries"], seen["counts"]["exact"]) == (1, {"hit": 1, "miss": 1, "stored": 1})
        assert seen["bytes"] > 0
        theirs = await (await session.get(url, headers=other)).json()
        assert (theirs["entries"], theirs["bytes"], theirs["counts"]) == (0, 0, {})
        assert (await (await session.delete(url, headers=other)).json())["deleted"] == 0
        assert (await post(server, ASK))[0] == "hit"
        assert (await (await session.delete(url, headers=mine)).json())["deleted"] == 1
        assert (await session.get(url)).status == 401
    assert (await post(server, ASK))[0] == "miss"
