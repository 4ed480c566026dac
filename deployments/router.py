"""The router in a process of its own: the deployment `router`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from ray import serve

from deployments.remote import RemoteFeedback
from mixture.config import RouterConfig
from mixture.errors import MixtureError
from mixture.feedback.following import heed
from mixture.logs import write_log
from mixture.routing import make_router
from mixture.routing.reloading import follow
from mixture.types import ExpertCard, Loads, Message, Query, Route, Router

Asked = tuple[Query, Sequence[ExpertCard], Loads | None]
MOST = 32
"""Requests of a batch."""


class HostedRouter:
    """Hosts the core's router; a small decision crosses the boundary, never tokens.

    Requests that are there together are decided together, so that a router that waits for something (an encoder, an
    expert) waits once. Nobody waits for a batch to fill.
    """

    def __init__(self, config: RouterConfig, desk: Any = None, refresh: float = 1.0) -> None:
        """`desk` is a handle to the feedback desk, where there is one, asked every `refresh` seconds for what it has
        learned.
        """
        write_log("router", os.environ)
        self._router = make_router(config)
        self._file = config.file
        self._desk, self._refresh = desk, refresh
        self._following: Sequence[asyncio.Task[None]] = ()
        self._cold = config.encoder is not None

    async def check_health(self) -> None:
        """Serve looks before the first request: an encoder that takes seconds to load is there by then."""
        if self._cold:
            self._cold = False
            await _one(self._router, Query((Message("user", "Hello"),)), [ExpertCard("any", "any")], None)

    async def route(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None = None) -> Route:
        """See `mixture.types.Router`."""
        if self._file is not None and not self._following:  # only now is there an event loop to follow in
            self._following = [asyncio.create_task(one) for one in self._followed(self._file)]
        decided: Route | MixtureError = await self._decide((query, cards, loads))
        if isinstance(decided, MixtureError):
            raise decided
        return decided

    def _followed(self, file: str) -> Iterator[Coroutine[Any, Any, None]]:
        yield follow(self._router, file)
        if self._desk is not None:
            yield heed(RemoteFeedback(self._desk), self._router, self._refresh)

    @serve.batch(max_batch_size=MOST, batch_wait_timeout_s=0.0)
    async def _decide(self, asked: list[Asked]) -> list[Route | MixtureError]:
        return await decided(self._router, asked)


async def decided(router: Router, asked: Sequence[Asked]) -> list[Route | MixtureError]:
    """A route for each of `asked`, or the error that this request alone has met."""
    return list(await asyncio.gather(*(_one(router, *one) for one in asked)))


async def _one(router: Router, query: Query, cards: Sequence[ExpertCard], loads: Loads | None) -> Route | MixtureError:
    try:
        return await router.route(query, cards, loads)
    except MixtureError as error:
        return error
