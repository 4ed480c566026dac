"""Calls go through the proxy that the environment sets, except to hosts that it leaves out."""

from __future__ import annotations

import asyncio

import pytest

from mixture.config import ExpertConfig
from mixture.errors import ExpertUnavailable
from mixture.providers import Context, create
from mixture.simulation import StandIn
from mixture.streams import complete
from mixture.types import Message, Query

QUERY = Query((Message("user", "hi"),))


@pytest.fixture
async def proxy(monkeypatch):
    """A proxy that refuses, and the first lines of the requests that came to it."""
    seen: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield seen
    server.close()


async def asked(base_url: str) -> str:
    expert = create(ExpertConfig(name="e", provider="openai", base_url=base_url, api_key="k"), Context())
    try:
        return (await complete(expert, QUERY)).text
    finally:
        await expert.close()


async def test_goes_through_the_proxy(proxy):
    with pytest.raises(ExpertUnavailable):
        await asked("http://model.example/v1")
    assert proxy[0].startswith(b"POST http://model.example/v1/chat/completions ")


async def test_goes_around_the_proxy_where_it_should(proxy):
    with StandIn(text="direct") as upstream:
        assert await asked(upstream.base_url) == "direct"
    assert proxy == []
