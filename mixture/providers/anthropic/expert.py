"""The expert that calls Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from typing import Annotated

import httpx2
from aiohttp import ClientSession
from anthropic import AsyncAnthropic, DefaultAioHttpClient
from anthropic._vendor.httpx_aiohttp.transport import AiohttpTransport
from pydantic import Field

from mixture.config import ExpertConfig, Section
from mixture.providers import Context, card, checked
from mixture.providers.anthropic.answer import Reading, whole
from mixture.providers.anthropic.request import body
from mixture.types import Ability, Chunk, ExpertCard, Query
from mixture.upstream.connection import Connection, certificates
from mixture.upstream.reading import answer

ABILITIES: frozenset[Ability] = frozenset({"tools", "vision", "stop", "json"})


class Options(Section):
    """What only this provider understands."""

    preset: str = "anthropic"
    """The catalogue's name of the provider."""
    max_tokens: Annotated[int, Field(gt=0)] = 4096
    """The length allowed to an answer when the request does not say; the API must have one."""


class AnthropicExpert:
    """A model behind `POST {base_url}/v1/messages`."""

    def __init__(self, card: ExpertCard, config: ExpertConfig, options: Options) -> None:
        self.card = card
        self._max_tokens = options.max_tokens
        self._connection = Connection(config, "v1/messages", partial(client, config))

    def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The model's answer: in the pieces in which it is written, or as one chunk when `query.stream` is off.

        Raises InvalidQuery, RateLimited, ExpertTimeout, Declined, ExpertUnavailable and, after the first chunk,
        StreamBroken.
        """
        made = partial(body, query, self.card.model, self._max_tokens)
        return answer(self._connection, made, whole, Reading())

    async def close(self) -> None:
        """Close the client of this event loop."""
        await self._connection.close()


def client(config: ExpertConfig, session: ClientSession, timeout: httpx2.Timeout) -> AsyncAnthropic:
    """The official client on `session`. It never tries again by itself: that is the wrappers' affair."""
    transport = AiohttpTransport(client=session, verify=certificates())
    return AsyncAnthropic(
        # Never None: the SDK would look for keys of its own in the environment and the user's files.
        api_key=config.api_key or "",
        base_url=config.base_url,
        timeout=timeout,
        max_retries=0,
        http_client=DefaultAioHttpClient(transport=transport, timeout=timeout),
    )


def make(config: ExpertConfig, context: Context) -> AnthropicExpert:
    """An expert from a configuration that the catalogue has filled in. Raises ConfigError."""
    options = checked(config, Options)
    facts = replace(card(config, abilities=ABILITIES), provider=options.preset)
    return AnthropicExpert(facts, config, options)
