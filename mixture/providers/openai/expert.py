"""The expert that calls a server which speaks OpenAI's protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial

import httpx2
from aiohttp import ClientSession
from openai import AsyncOpenAI, DefaultAioHttpClient
from openai._vendor.httpx_aiohttp.transport import AiohttpTransport
from pydantic import Field

from mixture.config import ExpertConfig, Section
from mixture.providers import Context, card, checked
from mixture.providers.openai.answer import Reading, whole
from mixture.providers.openai.request import body
from mixture.types import Ability, Chunk, ExpertCard, Query
from mixture.upstream.connection import Connection, certificates
from mixture.upstream.reading import answer

ABILITIES: frozenset[Ability] = frozenset({"tools", "json", "n", "stop", "seed", "logprobs"})


COUNTING = frozenset({"vllm-server"})
"""The presets of upstreams that count as they go; others may refuse a field that they don't know."""


class Options(Section):
    """What only this provider understands."""

    preset: str = "openai"
    """The catalogue's name of the provider."""
    fields: dict[str, str | None] = Field(default_factory=dict)
    """Fields of the request that this upstream wants under another name, or (null) not at all."""
    running_usage: bool | None = None
    """Ask for the tokens so far with every chunk (`stream_options.continuous_usage_stats`), so that a call that is
    cancelled or breaks off has the upstream's own count. Left out: where the upstream is known to be vLLM."""

    @property
    def counting(self) -> bool:
        """Whether running counts are asked for."""
        return self.preset in COUNTING if self.running_usage is None else self.running_usage


class OpenAIExpert:
    """A model behind `POST {base_url}/chat/completions`."""

    def __init__(self, card: ExpertCard, config: ExpertConfig, options: Options) -> None:
        self.card = card
        self._fields = options.fields
        self._counting = options.counting
        self._connection = Connection(config, "chat/completions", partial(client, config))

    def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The model's answer: in the pieces in which it is written, or one chunk a choice when `query.stream` is off.

        Raises InvalidQuery, RateLimited, ExpertTimeout, ExpertUnavailable and, after the first chunk, StreamBroken.
        """
        asked = partial(body, query, self.card.model, self._fields, self._counting)
        return answer(self._connection, asked, whole, Reading(self._counting))

    async def close(self) -> None:
        """Close the client of this event loop."""
        await self._connection.close()


def client(config: ExpertConfig, session: ClientSession, timeout: httpx2.Timeout) -> AsyncOpenAI:
    """The official client on `session`. It never tries again by itself: that is the wrappers' affair."""
    transport = AiohttpTransport(client=session, verify=certificates())
    sdk = AsyncOpenAI(
        # An empty key makes the SDK send no Authorization header, which servers without keys expect.
        api_key=config.api_key or "",
        base_url=config.base_url,
        timeout=timeout,
        max_retries=0,
        http_client=DefaultAioHttpClient(transport=transport, timeout=timeout),
        _enforce_credentials=False,
    )
    if sdk.base_url.host != "api.openai.com":
        # The SDK reads them from the environment; they are OpenAI's, and no one else's to know.
        sdk.organization = sdk.project = None
    return sdk


def make(config: ExpertConfig, context: Context) -> OpenAIExpert:
    """An expert from a configuration that the catalogue has filled in. Raises ConfigError."""
    options = checked(config, Options)
    facts = replace(card(config, abilities=ABILITIES), provider=options.preset)
    return OpenAIExpert(facts, config, options)
