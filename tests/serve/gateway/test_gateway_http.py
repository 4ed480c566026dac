"""What a client sees below the SDKs: keys, headers, limits, bytes on the wire, pages for people."""

import asyncio
import json

import httpx2
import orjson
import pytest

from tests.serve.gateway.conftest import experts
from tests.serve.gateway.inprocess import config_of, serving

ASK = {"model": "plain", "messages": [{"role": "user", "content": "Hello"}]}
PATHS = [
    "/v1/models",
    "/v1/models/plain",
    "/v1/mixture/strategies",
    "/openapi.json",
    "/docs/swagger-ui.css",
    "/nowhere",
]


@pytest.fixture
async def http(server):
    async with httpx2.AsyncClient(base_url=server.url) as client:
        yield client


async def test_health_needs_no_key(http):
    for path in ("/health", "/livez", "/readyz"):
        answer = await http.get(path)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert (await http.head(path)).status_code == 200


@pytest.mark.parametrize("path", PATHS)
async def test_every_other_path_needs_one(http, path):
    answer = await http.get(path)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/embeddings", "/v1/mixture/estimate"])
async def test_every_post_needs_one(http, path):
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic mx-test-key"}, {"x-api-key": ""}):
        answer = await http.post(path, json=ASK, headers=headers)
        assert answer.status_code == 401
    anthropic = path == "/v1/messages"
    assert ("type" in answer.json()) == anthropic


async def test_both_ways_to_send_a_key(http, server):
    for headers in (server.headers, {"x-api-key": server.key}, {"authorization": f"bearer {server.key}"}):
        assert (await http.get("/v1/models", headers=headers)).status_code == 200


async def test_signing_in_to_the_documentation(http, server):
    page = await http.get("/docs")
    assert page.status_code == 401
    assert "mixture serve" in page.text
    assert (await http.post("/docs", data={"key": "wrong"})).status_code == 401
    for answer in (
        await http.post("/docs", data={"key": server.key}),
        await http.get("/docs", params={"key": server.key}),
    ):
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert server.key not in cookie
    assert "swagger-ui" in (await http.get("/docs")).text
    assert (await http.get("/openapi.json")).status_code == 200
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"):
        assert (await http.get(f"/docs/{name}")).status_code == 200


async def test_a_cookie_alone_asks_for_no_answers_from_another_page(http, server):
    await http.get("/docs", params={"key": server.key})
    assert (await http.post("/v1/chat/completions", json=ASK)).status_code == 401
    elsewhere = {"origin": "http://evil.example"}
    assert (await http.post("/v1/chat/completions", json=ASK, headers=elsewhere)).status_code == 401
    here = {"origin": server.url}
    assert (await http.post("/v1/chat/completions", json=ASK, headers=here)).status_code == 200


async def test_request_ids(http, server):
    answer = await http.get("/v1/models", headers={**server.headers, "x-request-id": "abc-1"})
    assert answer.headers.get_list("x-request-id") == ["abc-1"]
    answer = await http.get("/v1/models", headers={**server.headers, "x-request-id": "a b;<c>" + "x" * 500})
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"{", None),
        (b"[1]", None),
        (b"\xff\xfe", None),
        (b'{"messages":' + b"[" * 100_000, None),
        (b'{"model":"plain"}', "messages"),
        (b'{"messages":[{"role":"user","content":"a\\u0000b"}]}', "messages[0].content"),
        (b'{"messages":[{"role":"user","content":"a"}],"frobnicate":1}', "frobnicate"),
        (b'{"messages":[{"role":"user","content":"a"}],"temperature":"hot"}', "temperature"),
        (b'{"messages":[{"role":"user","content":"a"}],"mixture":{"max_cost_usd":0}}', "mixture.max_cost_usd"),
        (b'{"messages":[{"role":"user","content":"a"}],"mixture":{"base_url":"http://x"}}', "mixture.base_url"),
        (b'{"messages":[{"role":"user","content":"a"}],"audio":{}}', "audio"),
    ],
)
async def test_bad_bodies(http, server, body, param):
    answer = await http.post("/v1/chat/completions", content=body, headers=server.headers)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert len(error["message"]) < 500


async def test_large_bodies_are_refused_before_they_are_read():
    made = experts()
    config = config_of(made, server={"log": "off", "max_body_bytes": 10_000, "max_messages": 3})
    async with serving(made, config) as server, httpx2.AsyncClient(base_url=server.url, headers=server.headers) as http:
        answer = await http.post("/v1/chat/completions", content=b"x" * 10_001)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")

        async def pieces():
            for _ in range(11):
                yield b"x" * 1_000

        answer = await http.post("/v1/messages", content=pieces())
        assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")
        answer = await http.post("/v1/chat/completions", json={**ASK, "messages": ASK["messages"] * 4})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "messages")


async def test_more_requests_than_allowed_are_told_to_come_back():
    gate = asyncio.Event()
    made = experts(gate)
    config = config_of(made, server={"log": "off", "max_concurrent_requests": 1})
    async with serving(made, config) as server, httpx2.AsyncClient(base_url=server.url, headers=server.headers) as http:
        first = asyncio.create_task(http.post("/v1/chat/completions", json={**ASK, "model": "held"}))
        await server.reached("held", started=1)
        answer = await http.post("/v1/chat/completions", json=ASK)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert (await http.get("/v1/models")).status_code == 200
        gate.set()
        assert (await first).status_code == 200
        assert (await http.post("/v1/chat/completions", json=ASK)).status_code == 200


async def test_the_bytes_of_a_stream(http, server):
    body = {**ASK, "model": "words", "stream": True, "stream_options": {"include_usage": True}}
    answer = await http.post("/v1/chat/completions", json=body, headers=server.headers)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-mixture-strategy"] == "expert"
    blocks = answer.text.split("\n\n")
    assert blocks[-2:] == ["data: [DONE]", ""]
    assert all(block.startswith("data: ") for block in blocks[:-1])
    chunks = [json.loads(block[6:]) for block in blocks[:-2]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert [chunk["usage"] is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]


async def test_a_stream_that_breaks_ends_with_its_error(http, server):
    body = {**ASK, "model": "breaks", "stream": True}
    answer = await http.post("/v1/chat/completions", json=body, headers=server.headers)
    blocks = answer.text.rstrip("\n").split("\n\n")
    assert json.loads(blocks[-1][6:])["error"]["code"] == "stream_broken"
    assert "[DONE]" not in answer.text


@pytest.mark.parametrize(
    ("path", "silence"), [("/v1/chat/completions", b": keepalive\n\n"), ("/v1/messages", b"event: ping\n")]
)
async def test_silence_is_filled(path, silence):
    gate = asyncio.Event()
    made = experts(gate)
    config = config_of(made, server={"log": "off", "keepalive": 0.01})
    body = {**ASK, "model": "held", "stream": True, "max_tokens": 9}
    async with serving(made, config) as server, httpx2.AsyncClient(base_url=server.url, headers=server.headers) as http:
        async with http.stream("POST", path, json=body) as answer:
            received = b""
            async for piece in answer.aiter_bytes():
                received += piece
                if received.count(silence) >= 2:
                    gate.set()
        assert b"at " in received


async def test_unknown_paths_and_methods(http, server):
    missing = await http.get("/v1/nothing", headers=server.headers)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    wrong = await http.get("/v1/chat/completions", headers=server.headers)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["error"]["code"] == "method_not_allowed"


async def test_strategies(http, server):
    told = (await http.get("/v1/mixture/strategies", headers=server.headers)).json()
    assert told["default"] == "auto"
    assert "plain" in told["experts"]
    assert told["aliases"]["jury"]["experts"] == ["plain", "bare"]


async def test_the_document_is_complete(http, server):
    document = (await http.get("/openapi.json", headers=server.headers)).json()
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/embeddings", "/v1/models", "/health"):
        assert path in document["paths"]
    chat = document["paths"]["/v1/chat/completions"]["post"]
    assert {"400", "401", "404", "413", "429", "502", "503", "504"} <= chat["responses"].keys()
    assert document["components"]["schemas"]["ChatRequest"]["additionalProperties"] is False


async def test_the_examples_of_the_document_are_requests_that_are_answered(http, server):
    document = (await http.get("/openapi.json", headers=server.headers)).json()
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/embeddings"):
        example = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert (await http.post(path, json=example, headers=server.headers)).status_code == 200, path


async def test_the_log_has_a_line_a_request_and_no_secret(tmp_path, monkeypatch):
    path = tmp_path / "log"
    monkeypatch.setenv("MIXTURE_LOG_PATH", str(path))
    made = experts()
    config = config_of(made, server={"log": "json"})
    async with serving(made, config) as server, httpx2.AsyncClient(base_url=server.url, headers=server.headers) as http:
        secret = {"messages": [{"role": "user", "content": "a secret"}]}
        await http.post("/v1/chat/completions", json={**secret, "model": "plain"}, headers={"x-request-id": "one"})
        await http.post(
            "/v1/chat/completions", json={**secret, "model": "no\u001b[31m"}, headers={"x-request-id": "two"}
        )
        await http.post("/v1/chat/completions", json={**secret, "model": "breaks", "stream": True})
        await http.get("/health")
    text = path.read_text()
    lines = [orjson.loads(line) for line in text.splitlines()]
    assert [line["status"] for line in lines] == [200, 404, 200]
    assert (lines[0]["id"], lines[0]["experts"], lines[0]["strategy"]) == ("one", ["plain:ok"], "expert")
    assert (lines[1]["error"], "\x1b" in text) == ("model_not_found", False)
    assert lines[2]["error"] == "stream_broken"
    assert server.key not in text
    assert "secret" not in text


async def test_prompts_are_logged_when_asked(tmp_path, monkeypatch):
    path = tmp_path / "log"
    monkeypatch.setenv("MIXTURE_LOG_PATH", str(path))
    made = experts()
    config = config_of(made, server={"log": "text", "log_prompts": True})
    async with serving(made, config) as server, httpx2.AsyncClient(base_url=server.url, headers=server.headers) as http:
        await http.post("/v1/chat/completions", json=ASK)
        await http.post("/v1/chat/completions", json={**ASK, "stream": True})
    first, second = path.read_text().splitlines()
    for line in (first, second):
        assert "prompt: 'Hello' answer: 'the answer is 42'" in line
