"""A real WebSocket client against a running server."""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

ASK = {"type": "ask", "messages": [{"role": "user", "content": "Hello"}]}


async def say(socket, **fields):
    await socket.send(json.dumps(fields))


async def hear(socket):
    async with asyncio.timeout(20):
        return json.loads(await socket.recv())


async def hear_until(socket, kind):
    heard = []
    while not heard or heard[-1]["type"] != kind:
        heard.append(await hear(socket))
    return heard


@pytest.fixture
async def socket(server):
    # Without a bound on what may lie unread, leaving need not wait for a test that does not read everything.
    async with connect(server.ws_url, additional_headers=server.headers, max_queue=None) as socket:
        yield socket


async def test_ask(socket):
    await say(socket, **ASK, id="a", model="words")
    heard = await hear_until(socket, "answered")
    assert {m["id"] for m in heard} == {"a"}
    assert "".join(m["text"] for m in heard if m["type"] == "delta") == "one two three four five"
    assert heard[-1]["choices"][0]["text"] == "one two three four five"
    assert heard[-1]["mixture"]["experts"][0]["name"] == "words"


async def test_events_of_an_ensemble_as_they_happen(socket):
    await say(socket, **ASK, id="a", model="jury", mixture={"expose_proposals": True})
    heard = await hear_until(socket, "answered")
    assert {m["text"] for m in heard if m["type"] == "proposed"} == {"the answer is 42", "I can only talk"}


async def test_several_runs_on_one_socket(socket, server):
    await say(socket, **ASK, id="slow", model="held")
    await server.reached("held", started=1)
    for number in range(3):
        await say(socket, **ASK, id=f"run{number}", model="plain")
    heard = []
    while sum(m["type"] == "answered" for m in heard) < 3:
        heard.append(await hear(socket))
    assert {m["id"] for m in heard if m["type"] == "answered"} == {"run0", "run1", "run2"}
    await say(socket, type="cancel", id="slow")
    assert (await hear_until(socket, "cancelled"))[-1] == {"id": "slow", "type": "cancelled"}
    await server.reached("held", cancelled=1)


async def test_leaving_cancels_every_run(server):
    async with connect(server.ws_url, additional_headers=server.headers) as socket:
        await say(socket, **ASK, id="a", model="held")
        await say(socket, **ASK, id="b", model="endless")
        await server.reached("held", started=1)
        await server.reached("endless", tokens=1)
    await server.reached("held", cancelled=1)
    await server.reached("endless", cancelled=1)


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("{", None),
        ("[]", None),
        ("{}", "id"),
        ('{"id":"a"}', "type"),
        ('{"id":"a","type":"dance"}', "type"),
        ('{"id":"a\\u0007","type":"ask"}', "id"),
        ('{"id":"a","type":"ask"}', "messages"),
        ('{"id":"a","type":"ask","messages":[{"role":"user","content":"\\u0000"}]}', "messages[0].content"),
        ('{"id":"a","type":"ask","messages":[{"role":"user","content":"x"}],"model":"nobody"}', "model"),
        ('{"id":"a","type":"cancel"}', "id"),
        (b"\xff\xfe", None),
        ("[" * 100_000, None),
    ],
)
async def test_what_cannot_be_understood_leaves_the_socket_open(socket, message, param):
    await socket.send(message)
    told = await hear(socket)
    assert (told["type"], told["error"]["param"]) == ("error", param)
    await say(socket, **ASK, id="a", model="plain")
    await hear_until(socket, "answered")


async def test_an_id_is_used_once_at_a_time(socket, server):
    await say(socket, **ASK, id="a", model="held")
    await server.reached("held", started=1)
    await say(socket, **ASK, id="a", model="plain")
    told = (await hear_until(socket, "error"))[-1]
    assert (told["id"], told["error"]["code"]) == ("a", "duplicate_id")


async def test_runs_are_bounded(socket):
    for number in range(33):
        await say(socket, **ASK, id=str(number), model="held")
    told = (await hear_until(socket, "error"))[-1]
    assert (told["id"], told["error"]["code"]) == ("32", "overloaded")


async def test_a_failure_is_told_with_the_run(socket):
    await say(socket, **ASK, id="a", model="limited")
    told = (await hear_until(socket, "error"))[-1]
    assert (told["id"], told["error"]["code"]) == ("a", "rate_limit_exceeded")


async def test_keys(server):
    for options in ({}, {"additional_headers": {"authorization": "Bearer wrong"}}, {"subprotocols": ["mixture"]}):
        with pytest.raises(InvalidStatus) as refused:
            await connect(server.ws_url, **options)
        assert refused.value.response.status_code == 401
        assert b"invalid_api_key" in refused.value.response.body
    async with connect(f"{server.ws_url}?key={server.key}"):
        pass
    async with connect(server.ws_url, subprotocols=["mixture", f"mixture-key.{server.key}"]) as socket:
        assert socket.subprotocol == "mixture"
