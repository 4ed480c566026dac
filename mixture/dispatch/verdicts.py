"""The aggregator's verdict. It may run in another process: when that is gone, it is decided here, and said so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from mixture.aggregation.agreement import supports
from mixture.aggregation.composing import Composing
from mixture.aggregation.majority import Majority
from mixture.dispatch.outcomes import reason
from mixture.errors import MixtureError
from mixture.types import Completion, Panel, Query, Verdict, Weights, Writer


async def decided(
    query: Query,
    proposals: Sequence[Completion],
    panel: Panel,
    weights: Weights = None,
    writer: Writer | None = None,
    *,
    pending: Sequence[str] = (),
) -> Verdict:
    """The verdict over `proposals` (never empty); `degraded` says when the aggregator itself did not give it."""
    try:
        if writer is not None:
            return await panel.aggregator.aggregate(query, proposals, weights, writer)
        return await panel.aggregator.aggregate(query, proposals, weights, pending=pending)
    except MixtureError as error:
        verdict = await Composing(Majority()).aggregate(query, proposals, None, writer, pending=pending)
        lacking = f"the aggregator did not answer ({reason(error)}), plain votes took its place"
        said = [lacking] if writer is None else []
        return replace(verdict, degraded="; ".join([*said, *filter(None, [verdict.degraded])]) or None)


async def support(
    query: Query, proposals: Sequence[Completion], panel: Panel
) -> tuple[Sequence[float | None], str | None]:
    """For each of `proposals` how far the others agree with it, and what lacks when the aggregator itself did not say
    so. Of a single one there is nothing to ask.
    """
    if len(proposals) < 2:
        return supports(query, proposals), None
    try:
        return await panel.aggregator.supports(query, proposals), None
    except MixtureError as error:
        lacking = f"the aggregator did not answer ({reason(error)}), agreement was counted without it"
        return supports(query, proposals), lacking


async def written_by(
    name: str,
    query: Query,
    proposals: Sequence[Completion],
    panel: Panel,
    method: Literal["synthesis", "fusion"] = "synthesis",
    purpose: str = "writer",
) -> Verdict:
    """The verdict that `name` is to write one text out of `proposals`, with the query for it."""
    return await decided(query, proposals, panel, None, Writer(panel.experts[name].card, method, purpose))
