"""`/v1/mixture/estimate` over HTTP: what would be done, with keys and errors as everywhere, and nobody asked."""

import aiohttp
import pytest

from tests.serve.gateway.inprocess import Server

QUESTION = {"model": "jury", "messages": [{"role": "user", "content": "How many legs do 3 spiders have?"}]}


async def post(server: Server, path: str, body: object, key: str | None = None):
    headers = {"authorization": f"Bearer {server.key if key is None else key}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.url + path, json=body, headers=headers) as answer,
    ):
        return answer.status, await answer.json()


@pytest.mark.parametrize("path", ["/v1/mixture/estimate", "/v1/mixture/explain"])
async def test_an_estimate(server, path):
    status, found = await post(server, path, QUESTION)
    assert (status, found["object"], found["strategy"]) == (200, "mixture.estimate", "voting")
    assert [call["expert"] for call in found["calls"]] == ["plain", "bare"]
    assert {one["expert"] for one in found["candidates"]} == {"plain", "bare"}
    assert found["cost_complete"] is False
    assert all(not expert.queries for expert in server.experts.values())


async def test_it_takes_what_a_chat_takes(server):
    wishes = {"strategy": "cascade", "max_cost_usd": 0.5, "experts": ["plain", "words"]}
    status, found = await post(server, "/v1/mixture/estimate", {**QUESTION, "model": "auto", "mixture": wishes})
    assert (status, found["strategy"], found["strategy_requested"]) == (200, "cascade", "auto")


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({**QUESTION, "model": "nobody"}, 404, "model"),
        ({"model": "auto"}, 400, "messages"),
        ({**QUESTION, "mixture": {"nonsense": 1}}, 400, "mixture.nonsense"),
    ],
)
async def test_what_is_wrong_is_told_as_elsewhere(server, body, status, param):
    found, answer = await post(server, "/v1/mixture/estimate", body)
    assert (found, answer["error"]["param"]) == (status, param)


async def test_it_wants_a_key(server):
    status, answer = await post(server, "/v1/mixture/estimate", QUESTION, key="wrong")
    assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
