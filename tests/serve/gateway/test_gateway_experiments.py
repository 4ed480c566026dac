"""Experiments over HTTP: who answers, what is judged, and what the background never shows."""

import asyncio
import json

import aiohttp
import pytest
from websockets.asyncio.client import connect

from mixture.providers.scripted import scripted
from tests.serve.gateway.inprocess import OTHER_KEY, config_of, serving

OLD, NEW = "The answer is 12.", "The answer is 13."


def made(folder, **experiment):
    experts = [scripted("old", OLD), scripted("new", NEW)]
    config = config_of(
        experts,
        feedback={"folder": str(folder), "per_hour": 100_000},
        aliases={"chat": {"experiment": {"control": "old", "candidate": "new", **experiment}}},
    )
    return serving(experts, config)


def broken(folder):
    """A server whose candidate never answers."""
    experts = [scripted("old", OLD), scripted("new", NEW, failure={"error": "ExpertUnavailable"})]
    aliases = {"chat": {"experiment": {"control": "old", "candidate": "new"}}}
    return serving(experts, config_of(experts, feedback={"folder": str(folder)}, aliases=aliases))


async def post(server, path, body, **headers):
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.url + path, json=body, headers={**server.headers, **headers}) as answer,
    ):
        return answer.status, answer.headers.get("x-request-id"), await answer.json()


async def ask(server, number, **more):
    body = {"model": "chat", "messages": [{"role": "user", "content": "How much is it?"}], **more}
    return await post(server, "/v1/chat/completions", body, **{"x-session-id": f"s{number}"})


async def status(server):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/v1/mixture/experiments", headers=server.headers) as answer,
    ):
        return (await answer.json())["data"][0]


async def until(server, condition):
    async with asyncio.timeout(20):
        while True:
            found = await status(server)
            if condition(found):
                return found
            await asyncio.sleep(0.02)


async def test_a_split_answers_each_session_its_way_and_learns_from_judgements(tmp_path):
    async with made(tmp_path) as server:
        arms = {}
        for number in range(24):
            _, request_id, answer = await ask(server, number)
            told = answer["mixture"]["experiment"]
            assert answer["model"] == "chat"
            assert answer["choices"][0]["message"]["content"] == (NEW if told["arm"] == "candidate" else OLD)
            arms[number] = told["arm"]
            score = 1.0 if told["arm"] == "candidate" else 0.0
            code, _, _ = await post(server, "/v1/mixture/feedback", {"request_id": request_id, "score": score})
            assert code == 200
        again = {number: (await ask(server, number))[2]["mixture"]["experiment"]["arm"] for number in range(24)}
        assert again == arms
        assert set(arms.values()) == {"control", "candidate"}
        found = await until(server, lambda one: sum(one["sessions"].values()) == 24)
        assert sum(found["judged"].values()) == 24
        assert found["score"]["mean"] == 1.0


async def test_a_shadow_is_asked_in_the_background_and_seen_by_nobody(tmp_path):
    async with made(tmp_path, mode="shadow", share=1) as server:
        _, _, answer = await ask(server, 1, mixture={"max_latency_ms": 60_000})
        assert answer["choices"][0]["message"]["content"] == OLD
        assert [call["name"] for call in answer["mixture"]["experts"]] == ["old"]
        assert answer["mixture"]["experiment"]["arm"] == "control"
        found = await until(server, lambda one: one["sessions"]["candidate"] == 1)
        assert found["agreement"]["mean"] == 0
        assert server.counts("new").started == 1
        assert not found["may_stop"]


async def test_streams_are_part_of_it_and_failures_count(tmp_path):
    body = {"model": "chat", "stream": True, "messages": [{"role": "user", "content": "How much is it?"}]}
    async with broken(tmp_path) as server, aiohttp.ClientSession() as session:
        for number in range(20):
            headers = {**server.headers, "x-session-id": f"s{number}"}
            async with session.post(f"{server.url}/v1/chat/completions", json=body, headers=headers) as answer:
                await answer.read()
        found = await until(server, lambda one: sum(one["sessions"].values()) == 20)
        assert found["sessions"]["candidate"] >= server.counts("new").started > 0  # its breaker opens
        assert found["failed"]["mean"] == 1.0


async def run(server, number, run_id="a"):
    """One run on a socket of its own: the message that ends it."""
    headers = {**server.headers, "x-session-id": f"s{number}"}
    async with connect(server.ws_url, additional_headers=headers) as socket, asyncio.timeout(20):
        question = [{"role": "user", "content": "How much is it?"}]
        await socket.send(json.dumps({"type": "ask", "id": run_id, "model": "chat", "messages": question}))
        while (heard := json.loads(await socket.recv()))["type"] not in ("answered", "error"):
            pass
        return heard


async def test_runs_on_a_socket_are_part_of_it_and_judged(tmp_path):
    async with made(tmp_path) as server:
        arms = {}
        for number in range(16):
            heard = await run(server, number)
            arms[number] = heard["mixture"]["experiment"]["arm"]
            assert heard["choices"][0]["text"] == (NEW if arms[number] == "candidate" else OLD)
            score = 1.0 if arms[number] == "candidate" else 0.0
            body = {"request_id": heard["request_id"], "score": score}
            assert (await post(server, "/v1/mixture/feedback", body))[0] == 200
        assert set(arms.values()) == {"control", "candidate"}
        over_http = {number: (await ask(server, number))[2]["mixture"]["experiment"]["arm"] for number in range(16)}
        assert over_http == arms
        found = await until(server, lambda one: sum(one["sessions"].values()) == 16)
        assert sum(found["judged"].values()) == 16
        assert found["score"]["mean"] == 1.0


async def test_a_run_on_a_socket_is_mirrored(tmp_path):
    async with made(tmp_path, mode="shadow", share=1) as server:
        heard = await run(server, 1)
        assert heard["choices"][0]["text"] == OLD
        assert [call["name"] for call in heard["mixture"]["experts"]] == ["old"]
        found = await until(server, lambda one: one["sessions"]["candidate"] == 1)
        assert (found["agreement"]["mean"], server.counts("new").started) == (0, 1)


async def test_runs_on_a_socket_that_fail_count(tmp_path):
    async with broken(tmp_path) as server:
        kinds = {(await run(server, number))["type"] for number in range(20)}
        assert kinds == {"answered", "error"}
        found = await until(server, lambda one: sum(one["sessions"].values()) == 20)
        assert found["failed"]["mean"] == 1.0


async def test_an_estimate_names_the_arm_that_the_request_gets(tmp_path):
    async with made(tmp_path) as server:
        chosen = set()
        for number in range(12):
            other = {"authorization": f"Bearer {OTHER_KEY}"} if number % 2 else {}
            session = {"x-session-id": f"s{number}"} if number % 3 else {}
            question = {"model": "chat", "messages": [{"role": "user", "content": f"How much is {number}?"}]}
            _, _, seen = await post(server, "/v1/mixture/estimate", question, **session, **other)
            _, _, answer = await post(server, "/v1/chat/completions", question, **session, **other)
            model = answer["mixture"]["experiment"]["model"]
            assert [call["expert"] for call in seen["calls"]] == [model]
            chosen.add(model)
        assert chosen == {"old", "new"}


async def test_without_experiments_the_list_is_empty():
    async with serving([scripted("plain", "hello")]) as server, aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/v1/mixture/experiments", headers=server.headers) as answer:
            assert await answer.json() == {"object": "list", "data": []}
        async with session.get(f"{server.url}/v1/mixture/experiments") as answer:
            assert answer.status == 401


@pytest.fixture(autouse=True)
def _seen(monkeypatch):
    monkeypatch.setattr("deployments.http.feedback.TOGETHER", 0.01)
