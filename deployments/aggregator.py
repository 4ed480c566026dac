"""The aggregator in a process of its own: the deployment `aggregator`."""

from __future__ import annotations

import os
from collections.abc import Sequence

from deployments.documents import Handle, RemoteEmbedder
from mixture.aggregation import make_aggregator
from mixture.config import AggregatorConfig
from mixture.logs import write_log
from mixture.types import Completion, Query, Verdict, Weights, Writer


class HostedAggregator:
    """Hosts the core's aggregator; the proposals cross the boundary once they are whole."""

    def __init__(self, retrieval: Handle, config: AggregatorConfig) -> None:
        write_log("aggregator", os.environ)
        self._aggregator = make_aggregator(RemoteEmbedder(retrieval), config)

    async def aggregate(
        self,
        query: Query,
        proposals: Sequence[Completion],
        weights: Weights = None,
        writer: Writer | None = None,
        *,
        pending: Sequence[str] = (),
    ) -> Verdict:
        """See `mixture.types.Aggregator`."""
        return await self._aggregator.aggregate(query, proposals, weights, writer, pending=pending)

    async def supports(self, query: Query, proposals: Sequence[Completion]) -> Sequence[float | None]:
        """See `mixture.types.Aggregator`."""
        return await self._aggregator.supports(query, proposals)
