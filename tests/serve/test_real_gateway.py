"""What only shows with HAProxy and Ray between the client and the gateway."""

import asyncio
import json
import os
import signal
from pathlib import Path

import httpx2
import openai
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from commands.processes import descendants

ASK = [{"role": "user", "content": "say hello"}]
BODY = {"model": "plain", "messages": ASK}


async def until(condition):
    """Wait for what happens in the stand-in's thread."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("model", ["plain-slow", "hosted-slow"])
async def test_a_client_that_leaves_before_the_answer_stops_the_upstream(real_server, upstreams, model):
    stats = upstreams.slow.stats
    cancelled, active = stats.cancelled, stats.active
    async with openai.AsyncOpenAI(base_url=real_server.url + "/v1", api_key=real_server.key) as client:
        asking = asyncio.create_task(client.chat.completions.create(model=model, messages=ASK))
        await until(lambda: stats.active > active)
        asking.cancel()
        await until(lambda: stats.cancelled > cancelled)


async def test_a_socket(real_server, upstreams):
    url = real_server.url.replace("http", "ws", 1) + "/ws/chat"
    with pytest.raises(InvalidStatus) as refused:
        await connect(url)
    assert refused.value.response.status_code == 401
    stats = upstreams.slow.stats
    cancelled, active = stats.cancelled, stats.active
    async with connect(f"{url}?key={real_server.key}") as socket:
        await socket.send(json.dumps({"type": "ask", "id": "a", **BODY}))
        kinds = []
        while "answered" not in kinds:
            kinds.append(json.loads(await socket.recv())["type"])
        assert "delta" in kinds
        await socket.send(json.dumps({"type": "ask", "id": "b", "model": "plain-slow", "messages": ASK}))
        await until(lambda: stats.active > active)
    await until(lambda: stats.cancelled > cancelled)


async def test_headers_and_limits(real_server):
    async with httpx2.AsyncClient(base_url=real_server.url, headers=real_server.headers) as http:
        answer = await http.post("/v1/chat/completions", json=BODY, headers={"x-request-id": "abc"})
        assert answer.headers.get_list("x-request-id") == ["abc"]
        assert answer.headers["x-mixture-experts"] == "plain"
        answer = await http.post("/v1/chat/completions", content=b"x" * 16_000_001)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")
        answer = await http.get("/v1/models", headers={"authorization": "Bearer wrong"})
        assert answer.status_code == 401


async def routes(real_server, count):
    """The routes of so many requests at once, all of which are answered."""
    body = {"model": "task_based", "messages": ASK, "mixture": {"experts": ["plain", "hosted"]}}
    async with httpx2.AsyncClient(base_url=real_server.url, headers=real_server.headers, timeout=30) as http:
        answers = await asyncio.gather(*(http.post("/v1/chat/completions", json=body) for _ in range(count)))
    assert {answer.status_code for answer in answers} == {200}
    return [answer.json()["mixture"]["route"] for answer in answers]


async def test_the_hosted_router_decides_and_when_it_hangs_keywords_do_until_another_is_there(real_server):
    for route in await routes(real_server, 20):
        assert "fallback" not in route["signals"]
        assert [one["expert"] for one in route["signals"]["candidates"]] == ["plain", "hosted"]
    [router] = [pid for pid in descendants(real_server.process.pid) if b"mixture:router" in cmdline(pid)]
    os.kill(router, signal.SIGSTOP)
    found = await routes(real_server, 20)
    assert all("by keywords (it did not decide within 5000 ms)" in route["why"] for route in found)
    os.kill(router, signal.SIGKILL)
    async with asyncio.timeout(60):
        while any("fallback" in route["signals"] for route in await routes(real_server, 2)):  # noqa: ASYNC110
            await asyncio.sleep(0.5)


def cmdline(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


async def test_gateways_share_their_answers(real_server, upstreams):
    body = {"model": "plain", "temperature": 0, "messages": [{"role": "user", "content": "say hello, both of you"}]}
    asked = upstreams.quick.stats.requests
    seen = []
    async with asyncio.timeout(60):
        while "shared" not in seen:
            async with httpx2.AsyncClient(base_url=real_server.url, headers=real_server.headers) as http:
                answer = await http.post("/v1/chat/completions", json=body)
            assert answer.json()["choices"][0]["message"]["content"] == "hello there from upstream"
            seen.append(answer.headers["x-mixture-cache"])
    assert seen[0] == "miss"
    assert set(seen[1:]) <= {"miss", "hit", "shared"}
    assert upstreams.quick.stats.requests - asked == seen.count("miss") <= 2
