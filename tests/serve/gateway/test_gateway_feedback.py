"""Feedback over HTTP: from an answer's id to the log and to the router."""

import asyncio
import json
from types import SimpleNamespace

import aiohttp
import pytest

from deployments.router import HostedRouter, decided
from mixture.feedback import Desk
from mixture.providers.scripted import scripted
from mixture.routing.calibration import Calibration, nothing_held
from mixture.routing.fitting import fit
from mixture.routing.outcomes import make
from mixture.routing.storage import save
from mixture.types import ExpertCard, Message, Query
from tests.serve.gateway.inprocess import OTHER_KEY, Server, app_of, config_of, listening, serving

EXPERTS = ("cheap", "dear")
ASK = {"model": "task_based", "messages": [{"role": "user", "content": "Prove that the sum of nine numbers is odd"}]}


def calibrated(folder):
    """A calibration in `folder`: its file."""
    prompts = [f"Prove that the sum of {number} numbers is odd" for number in range(60)]
    scores = [[0.0, 1.0] if number % 10 else [1.0, 1.0] for number in range(60)]
    predictor = fit(make(prompts, EXPERTS, scores, (0.001, 0.002)))
    save(Calibration(predictor, nothing_held(predictor), "fit-1"), folder / "router.npz")
    return str(folder / "router.npz")


class Unbatched(HostedRouter):
    """The hosted router without Ray, which gathers its batches."""

    async def _decide(self, asked):
        return (await decided(self._router, [asked]))[0]


class HandleTo:
    """A handle that calls `hosted` as Ray's would."""

    def __init__(self, hosted):
        self._hosted = hosted

    def __getattr__(self, name):
        return SimpleNamespace(remote=getattr(self._hosted, name))


@pytest.fixture
async def server(tmp_path):
    experts = [scripted(name, f"from {name}") for name in EXPERTS]
    config = config_of(
        experts,
        router={"file": calibrated(tmp_path)},
        feedback={"folder": str(tmp_path / "feedback"), "per_hour": 100_000, "refresh": 0.05},
    )
    async with serving(experts, config) as running:
        yield running


async def post(server, path, body, key=None, **headers):
    headers = {"authorization": f"Bearer {key or server.key}", **headers}
    url = server.url + path
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
        return answer.status, answer.headers.get("x-request-id"), await answer.json()


async def give(server, body, key=None):
    status, _, answer = await post(server, "/v1/mixture/feedback", body, key)
    return status, answer


async def test_an_answer_is_judged(server, tmp_path):
    _, request_id, answer = await post(server, "/v1/chat/completions", ASK)
    (call,) = answer["mixture"]["experts"]
    status, receipt = await give(server, {"request_id": request_id, "thumbs": "down"})
    assert (status, receipt["object"], receipt["expert"], receipt["score"]) == (
        200,
        "mixture.feedback",
        call["name"],
        0,
    )
    assert receipt["version"] == "fit-1"
    (line,) = (tmp_path / "feedback" / "outcomes.jsonl").read_text().splitlines()
    assert "numbers is odd" not in line
    assert json.loads(line)["strategy"] == "task_based"


async def test_streams_and_messages_are_judged_too(server):
    url, headers = f"{server.url}/v1/chat/completions", {**server.headers, "x-request-id": "mine"}
    body = {**ASK, "stream": True}
    async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as answer:
        await answer.read()
    assert (await give(server, {"request_id": "mine", "score": 0.7}))[0] == 200
    body = {**ASK, "max_tokens": 10}
    _, request_id, _ = await post(server, "/v1/messages", body)
    assert (await give(server, {"request_id": request_id, "correction": "it is even"}))[1]["score"] == 0


async def test_another_key_s_request_is_unknown(server):
    _, request_id, _ = await post(server, "/v1/chat/completions", ASK)
    status, answer = await give(server, {"request_id": request_id, "thumbs": "up"}, OTHER_KEY)
    assert (status, answer["error"]["code"], answer["error"]["param"]) == (404, "request_not_found", "request_id")
    assert (await give(server, {"request_id": request_id, "thumbs": "up"}))[0] == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"request_id": "x"}, "score"),
        ({"request_id": "x", "thumbs": "up", "score": 1}, "thumbs"),
        ({"request_id": "x", "score": 1.5}, "score"),
        ({"request_id": "x", "thumbs": "sideways"}, "thumbs"),
        ({"thumbs": "up"}, "request_id"),
        ({"request_id": "x", "thumbs": "up", "prompt": "y"}, "prompt"),
    ],
)
async def test_what_is_wrong_is_named(server, body, param):
    status, answer = await give(server, body)
    assert (status, answer["error"]["param"]) == (400, param)


async def test_the_router_follows_what_is_learned(server):
    _, _, before = await post(server, "/v1/mixture/estimate", ASK)
    quality = {one["expert"]: one["quality"] for one in before["candidates"]}
    ask = {**ASK, "model": "cheap"}
    for number in range(160):
        name = f"learn-{number}"
        await post(server, "/v1/chat/completions", ask, **{"x-request-id": name})
        await give(server, {"request_id": name, "thumbs": "up"})
    async with asyncio.timeout(20):
        while True:
            _, _, after = await post(server, "/v1/mixture/estimate", ASK)
            if after["signals"]["calibration"] != "fit-1":
                break
            await asyncio.sleep(0.02)
    found = {one["expert"]: one["quality"] for one in after["candidates"]}
    assert found["cheap"] > quality["cheap"] + 0.02
    assert after["signals"]["calibration"].startswith("fit-1+")
    async with asyncio.timeout(20):
        told, first, last = await told_between(server)
        while first != last:  # learning goes on meanwhile: another calibration came just then
            told, first, last = await told_between(server)
    assert told["routing"] == first
    assert told["learning"]["outcomes"] > 80


async def test_what_is_said_to_one_gateway_is_learned_by_all(tmp_path):
    """Two gateways and a hosted router around one desk: notes go to another gateway than the one that answered."""
    file = calibrated(tmp_path)
    experts = [scripted(name, f"from {name}") for name in EXPERTS]
    feedback = {"folder": str(tmp_path / "feedback"), "per_hour": 100_000, "refresh": 0.05}
    config = config_of(experts, router={"file": file}, feedback=feedback)
    desk = Desk(config.feedback, config.router, seed=0)  # enough of the hundred notes are held out to weigh the rest
    hosted = Unbatched(config.router, HandleTo(desk), 0.05)
    query = Query((Message("user", ASK["messages"][0]["content"]),))
    async with listening(app_of(experts, config, desk)) as one, listening(app_of(experts, config, desk)) as other:
        gateways = Server(one), Server(other)
        for number in range(100):
            name = f"learn-{number}"
            body = {**ASK, "model": "cheap"}
            await post(gateways[number % 2], "/v1/chat/completions", body, **{"x-request-id": name})
        for number in reversed(range(100)):  # the last answer is told to the desk while the note about it waits there
            note = {"request_id": f"learn-{number}", "thumbs": "up"}
            status, receipt = await give(gateways[1 - number % 2], note)
            assert (status, receipt["expert"]) == (200, "cheap")
        async with asyncio.timeout(20):
            versions = {"fit-1"}
            while versions != {(await desk.facts())["routing"]} or "fit-1" in versions:
                versions = await routed_by(gateways, hosted, query)
    for following in hosted._following:
        following.cancel()


async def routed_by(gateways, hosted, query):
    """The versions that decide, here and there."""
    estimates = [await post(gateway, "/v1/mixture/estimate", ASK) for gateway in gateways]
    route = await hosted.route(query, [ExpertCard(name, "scripted") for name in EXPERTS])
    return {route.signals["calibration"], *(answer["signals"]["calibration"] for _, _, answer in estimates)}


async def told_between(server):
    """What the server says of its feedback, and the calibration that routed before and after that."""
    _, _, before = await post(server, "/v1/mixture/estimate", ASK)
    url = f"{server.url}/v1/mixture/strategies"
    async with aiohttp.ClientSession() as session, session.get(url, headers=server.headers) as answer:
        told = (await answer.json())["feedback"]
    _, _, after = await post(server, "/v1/mixture/estimate", ASK)
    return told, before["signals"]["calibration"], after["signals"]["calibration"]


async def test_where_it_is_switched_off_it_says_so():
    experts = [scripted("plain", "hello")]
    async with serving(experts) as server:
        status, answer = await give(server, {"request_id": "x", "thumbs": "up"})
        assert (status, answer["error"]["code"]) == (400, "unsupported_parameter")
        assert "feedback.folder" in answer["error"]["message"]
