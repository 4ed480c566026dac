"""What a strategy may cost and how long it may take: the stricter of what the request and the configuration say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace

from mixture.config import StrategyOptions
from mixture.envelope import usd, within
from mixture.errors import BudgetExceeded, DeadlineExceeded, MixtureError
from mixture.estimates import bound_cost
from mixture.metering import attach
from mixture.types import Completion, Emit, Expert, Panel, Query, Strategy

CLOCKS = 0.01
"""Seconds by which the clock of timers and that of deadlines may differ."""


def bounded(strategy: Strategy, options: StrategyOptions) -> Strategy:
    """`strategy` within its envelope: raises BudgetExceeded or DeadlineExceeded where nothing can be had within it."""

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        query = aiming(narrowed(query, options.max_cost_usd, options.max_latency_ms), options.quality)
        with within(query.limits.max_cost_usd) as envelope:
            attach(envelope)
            return await _in_time(strategy, query, panel, emit)

    return run


def narrowed(query: Query, max_cost_usd: float | None, max_latency_ms: float | None) -> Query:
    """`query` with these limits, or with its own where they are stricter. None means: no limit."""
    if max_cost_usd is None and max_latency_ms is None:
        return query
    own = query.limits
    until = None if max_latency_ms is None else time.time() + max_latency_ms / 1e3
    cost, deadline = _least(own.max_cost_usd, max_cost_usd), _least(own.deadline, until)
    return replace(query, limits=replace(own, max_cost_usd=cost, deadline=deadline))


def aiming(query: Query, quality: float | None) -> Query:
    """`query` with this share of the best expert's quality to be kept, where it has none of its own."""
    if quality is None or query.limits.quality is not None:
        return query
    return replace(query, limits=replace(query.limits, quality=quality))


def payable(query: Query, experts: Iterable[Expert]) -> None:
    """Raises BudgetExceeded when not even the cheapest of `experts` can be asked within the query's limit."""
    most = query.limits.max_cost_usd
    if most is None:
        return
    costs = {expert.card.name: bound_cost(expert.card, query) for expert in experts}
    if not costs or min(costs.values()) <= most:
        return
    name, cost = min(costs.items(), key=lambda item: item[1])
    if cost == float("inf"):
        why = "no expert that may be asked has a known price, and an unknown one can't be held to a budget"
    else:
        why = f"asking the cheapest expert ({name}) may cost {usd(cost)} USD, {usd(most)} USD are allowed"
    raise BudgetExceeded(f"{why}; allow more (max_cost_usd) or ask for fewer tokens (max_tokens)", param="max_cost_usd")


async def _in_time(strategy: Strategy, query: Query, panel: Panel, emit: Emit) -> Completion:
    end = query.limits.deadline
    if end is None:
        return await strategy(query, panel, emit)
    try:
        async with asyncio.timeout(end - time.time()):
            return await strategy(query, panel, emit)
    except (TimeoutError, MixtureError) as error:
        # At the deadline an expert's own time is over as well, and either may be noticed first.
        if isinstance(error, MixtureError) and time.time() < end - CLOCKS:
            raise
        raise DeadlineExceeded("the time allowed for this request (max_latency_ms) is over") from None


def _least(*limits: float | None) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)
