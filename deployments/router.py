"""The router in a process of its own: the deployment `router`."""

from __future__ import annotations

from collections.abc import Sequence

from mixture.routing.keyword import KeywordRouter
from mixture.types import ExpertCard, Query, Route


class HostedRouter:
    """Hosts the core's router; a small decision crosses the boundary, never tokens."""

    def __init__(self) -> None:
        self._router = KeywordRouter()

    async def route(self, query: Query, cards: Sequence[ExpertCard]) -> Route:
        """See `mixture.types.Router`."""
        return await self._router.route(query, cards)
