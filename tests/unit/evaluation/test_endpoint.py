"""Evaluating over HTTP: one of our servers, another one, one that goes away, one that refuses."""

import asyncio

import pytest
from aiohttp import web

from mixture.errors import InvalidQuery
from mixture.evaluation.arms import Arm, Contest, arms_of
from mixture.evaluation.endpoint import EndpointAnswerer
from mixture.simulation import StandIn
from mixture.types import Message

ASKED = (Message("user", "three?"),)


class Server:
    """Answers as it is told; `statuses` are those of the next answers."""

    def __init__(self, models=None, report=None):
        self.models, self.report, self.statuses, self.bodies = models, report, [], []

    async def listed(self, request):
        if self.models is None:
            return web.json_response({"error": {"message": "bad key"}}, status=401)
        return web.json_response({"object": "list", "data": self.models})

    async def chat(self, request):
        self.bodies.append(await request.json())
        status = self.statuses.pop(0) if self.statuses else 200
        if status != 200:
            return web.json_response({"error": {"message": "not now", "type": "x"}}, status=status)
        message = {"role": "assistant", "content": "3"}
        extra = {"mixture": self.report} if self.report else {}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
        body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": usage}
        return web.json_response(body | extra)

    async def __aenter__(self):
        app = web.Application()
        app.add_routes([web.get("/v1/models", self.listed), web.post("/v1/chat/completions", self.chat)])
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *error):
        await self.runner.cleanup()


CALL = {"name": "a", "role": "answer", "outcome": "ok", "cost_usd": 0.5, "latency_ms": 1.0}
REPORT = {
    "strategy_executed": "voting",
    "experts": [CALL, {**CALL, "name": "b"}],
    "route": {"experts": ["a", "b"], "why": "math"},
    "agreement": 1.0,
    "cost_usd": 1.0,
    "cost_complete": True,
    "aggregation": {"method": "voting", "by": None},
    "proposals": [
        {"expert": "a", "outcome": "ok", "error": None, "text": "3"},
        {"expert": "b", "outcome": "error", "error": "x"},
    ],
}


async def test_a_server_of_ours_says_what_it_did():
    async with Server([{"id": "voting", "object": "model", "kind": "strategy"}], REPORT) as server:
        answerer = EndpointAnswerer(server.url + "/v1/", "key")
        await answerer.check(arms_of(["mixture/voting"]))
        found = await answerer.ask(ASKED, "voting")
        await answerer.close()
    assert server.bodies[0]["mixture"] == {"expose_proposals": True}
    assert (found.text, found.strategy, found.cost_usd, found.alone, found.by) == ("3", "voting", 1.0, None, None)
    assert (found.asked, found.route, found.why) == (("a", "b"), ("a", "b"), "math")
    assert [(one.expert, one.response, one.error) for one in found.proposals] == [("a", "3", None), ("b", None, "x")]


async def test_another_server_is_asked_for_nothing_of_ours():
    async with Server([{"id": "m", "object": "model"}]) as server:
        answerer = EndpointAnswerer(server.url, "")
        await answerer.check(arms_of(["m"]))
        found = await answerer.ask(ASKED, "m")
        await answerer.close()
    assert "mixture" not in server.bodies[0]
    assert (found.text, found.alone, found.cost_usd, found.prompt_tokens) == ("3", "m", None, 5)


async def test_what_is_wrong_is_said_before_anything_is_asked():
    async with Server() as server:
        with pytest.raises(InvalidQuery, match="refuses the key"):
            await EndpointAnswerer(server.url, "wrong").check(arms_of(["m"]))
    async with Server([{"id": "m", "object": "model"}]) as server:
        with pytest.raises(InvalidQuery, match="has no model 'n'; it has m"):
            await EndpointAnswerer(server.url, "k").check(arms_of(["n"]))
        with pytest.raises(InvalidQuery, match="leave FILE out"):
            await EndpointAnswerer(server.url, "k").check([Arm("a", "m", "f.yaml")])
    with pytest.raises(InvalidQuery, match="does not answer"):
        await EndpointAnswerer("http://127.0.0.1:9", "k").check(arms_of(["m"]))


@pytest.mark.parametrize(("status", "passing"), [(503, True), (429, True), (400, False), (402, False), (422, False)])
async def test_errors_that_pass_and_errors_that_stay(status, passing):
    async with Server([]) as server:
        server.statuses = [status]
        answerer = EndpointAnswerer(server.url, "k")
        found = await answerer.ask(ASKED, "m")
        await answerer.close()
    assert (found.error, found.passing) == (f"{status}: not now", passing)


async def test_an_endpoint_that_goes_away_is_waited_for(bench, terms, monkeypatch):
    monkeypatch.setattr("mixture.evaluation.patience.FIRST_PAUSE", 0.02)
    with StandIn(text="3", models=("m",)) as upstream:
        answerer = EndpointAnswerer(upstream.base_url, "k")
    bench.rows = [{"question": f"number {number}?", "answer": "3"} for number in range(40)]

    async def back():
        while not bench.runner.tally.waiting:  # noqa: ASYNC110  a plain count, which nobody announces
            await asyncio.sleep(0.01)
        return StandIn(text="3", models=("m",), port=upstream.port).start()

    returning = asyncio.create_task(back())
    arms = Contest.alike(arms_of(["m"]), answerer)
    tally = await bench.run("m", contest=arms, terms=terms(patience=60))
    (await returning).stop()
    assert (tally.asked, tally.arms["m"].failed, tally.arms["m"].right) == (40, 0, 40.0)
    assert tally.outages >= 4
