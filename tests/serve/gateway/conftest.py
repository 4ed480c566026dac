"""What the tests of a running server share."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from mixture.providers.scripted import scripted
from mixture.types import Price
from tests.serve.gateway.inprocess import Server, config_of, serving

CHEAP = Price(1.0, 2.0)


def experts(gate: asyncio.Event | None = None):
    """The experts of the server that these tests ask: each shows one behaviour."""
    return [
        scripted("plain", "the answer is 42", price=CHEAP),
        scripted("words", "one two three four five", rate=50, price=CHEAP),
        scripted("tooler", "", tool_calls=({"name": "weather", "arguments": '{"city":"Oslo"}'},)),
        scripted("limited", "no", failure={"error": "RateLimited", "message": "slow down", "retry_after": 7}),
        scripted("down", "no", failure={"error": "ExpertUnavailable", "message": "connection refused"}),
        scripted("breaks", "one two three four", failure={"error": "StreamBroken", "message": "cut off", "after": 2}),
        scripted("endless", "word " * 5_000, rate=20),
        scripted("held", "at last", gate=gate or asyncio.Event()),
        scripted("bare", "I can only talk", abilities=frozenset()),
    ]


@pytest.fixture
async def server() -> AsyncGenerator[Server, None]:
    """A running server over the experts above."""
    made = experts()
    fields = {
        "fallback_order": ["plain", "bare"],
        "aliases": {"jury": {"strategy": "voting", "experts": ["plain", "bare"]}},
        "strategies": {"voting": {"experts": ["plain", "words", "bare"]}},
    }
    async with serving(made, config_of(made, **fields)) as running:
        yield running


@pytest.fixture
async def openai(server: Server) -> AsyncGenerator[AsyncOpenAI, None]:
    """The official client, as anyone would make it."""
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key=server.key, max_retries=0) as client:
        yield client


@pytest.fixture
async def anthropic(server: Server) -> AsyncGenerator[AsyncAnthropic, None]:
    """The official client, as anyone would make it."""
    async with AsyncAnthropic(base_url=server.url, api_key=server.key, max_retries=0) as client:
        yield client
