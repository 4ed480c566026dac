"""The router in a process of its own: the deployment `router`."""

from __future__ import annotations

from collections.abc import Sequence

from mixture.config import RouterConfig
from mixture.routing import make_router
from mixture.types import ExpertCard, Loads, Query, Route


class HostedRouter:
    """Hosts the core's router; a small decision crosses the boundary, never tokens."""

    def __init__(self, config: RouterConfig) -> None:
        self._router = make_router(config)

    async def route(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None = None) -> Route:
        """See `mixture.types.Router`."""
        return await self._router.route(query, cards, loads)
