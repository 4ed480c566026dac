"""How the load on a cluster tells outcomes apart: against a server that answers in each way."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import aiohttp
import pytest

from benchmarks.load import Load

TEXT = b'data: {"choices": [{"delta": {"content": "one"}}]}\n\n'
REPLACED = {"choices": [{"delta": {}}], "mixture": {"adjustments": [{"kind": "replaced"}]}}
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
ERROR = b'data: {"error": {"message": "it broke", "type": "upstream_error", "code": "stream_broken"}}\n\n'
REFUSED = json.dumps({"error": {"message": "no", "type": "upstream_error", "code": "no_answer"}}).encode()
WHOLE = json.dumps({"choices": [{"message": {"content": "one"}}]}).encode()


def plain(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


async def outcome(*answers: bytes) -> str:
    """What becomes of one request when each connection is answered with the next of `answers`."""
    waiting = list(answers)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(waiting.pop(0))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        load = Load([f"http://127.0.0.1:{port}"], "key", ["words"])
        async with aiohttp.ClientSession() as session:
            return await load.ask(session, {"model": "words"})


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([STREAM + TEXT + b"data: [DONE]\n\n"], "answered"),
        ([plain(b"200 OK", WHOLE)], "answered"),
        ([b"", STREAM + TEXT + b"data: [DONE]\n\n"], "elsewhere"),
        ([plain(b"503 Service Unavailable", b""), plain(b"200 OK", WHOLE)], "elsewhere"),
        ([STREAM + TEXT + b"data: " + json.dumps(REPLACED).encode() + b"\n\ndata: [DONE]\n\n"], "elsewhere"),
        ([STREAM + TEXT + ERROR], "broken"),
        ([STREAM + ERROR], "refused"),
        ([plain(b"502 Bad Gateway", REFUSED)], "refused"),
        ([STREAM + TEXT], "cut"),
        ([plain(b"500 Internal Server Error", b"gone"), plain(b"200 OK", WHOLE)], "elsewhere"),
        ([plain(b"404 Not Found", b"no such path")], "malformed"),
    ],
)
async def test_what_became_of_a_request(answers, expected):
    assert await outcome(*answers) == expected


async def test_comments_in_a_stream_are_silence(monkeypatch):
    monkeypatch.setattr("benchmarks.load.PATIENCE", 0.1)

    async def comment(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM)
        with suppress(ConnectionError):
            while True:
                writer.write(b": still here\n\n")
                await writer.drain()
                await asyncio.sleep(0.01)

    async with await asyncio.start_server(comment, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        load = Load([f"http://127.0.0.1:{port}"], "key", ["words"])
        async with aiohttp.ClientSession() as session:
            assert await load.ask(session, {"model": "words"}) == "hung"


async def test_a_crowd_comes_beside_the_clients():
    asked = asyncio.Event()

    async def answer(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        writer.write(plain(b"200 OK", WHOLE))
        await writer.drain()
        writer.close()
        asked.set()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        load = Load([f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"], "key", ["words"])
        running = asyncio.create_task(load.run(1))
        await asked.wait()
        await asyncio.wrap_future(load.crowd(20))
        load.ended = True
        await running
    assert load.counts.total() > 20
    assert set(load.counts) == {"answered"}
