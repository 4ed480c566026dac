"""What a strategy would do with a request: whom it would ask, in which part, and what that is likely to cost. No expert
is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mixture.config import StrategyOptions
from mixture.dispatch.arranging import Arranged
from mixture.dispatch.casting import casting, impartial
from mixture.dispatch.operations import asked, routing_query
from mixture.dispatch.order import suited
from mixture.dispatch.plans import planned
from mixture.dispatch.proposals import members, spread
from mixture.dispatch.routes import cascaded, routed
from mixture.dispatch.scale import INSTRUCTION
from mixture.dispatch.writing import writers
from mixture.estimates import cost_of, expected_cost, expected_usage
from mixture.types import Panel, Plan, Query, Route

ORDERS = (0, 1)
"""A judge sees proposals in two orders."""
FIRST = 2
"""Experts that a cascade by agreement asks at once when nothing is said."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A call that is to be expected. `cost_usd` is infinite where the price is unknown; `certain` is false for calls
    that are made only where those before them differ.
    """

    expert: str
    role: str
    cost_usd: float
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Forecast:
    """The calls in the order in which they would be made, the route of the whole request, its plan, and the route of
    each subtask by its id.
    """

    calls: tuple[Foreseen, ...]
    route: Route
    plan: Plan | None = None
    routes: Mapping[str, Route] = field(default_factory=dict)


async def forecast(
    strategy: str, query: Query, panel: Panel, options: StrategyOptions, found: Arranged | None = None
) -> Forecast:
    """What `strategy` would do; `found` is what `auto` decided before. Raises NoAnswer when there is no expert."""
    route = found.route if found else await routed(query, panel, options.specialist_map, options.fallback_order)
    if strategy in ("decomposition", "specialist"):
        return await _apart(strategy, query, panel, options, route)
    if strategy == "cascade":
        names = cascaded(suited(panel, query), query, panel, options.fallback_order)
        several = options.lead is not None or options.confidence is not None
        first = (options.n or options.lead or FIRST) if several else 1
        asked_later = names[first:] if several else []
        calls = [_call(name, "proposer" if several else "answer", query, panel) for name in names[:first]]
        calls += [replace(_call(name, "proposer", query, panel), certain=False) for name in asked_later]
        return Forecast(tuple(calls), _listed(route, names))
    if strategy in ("task_based", "expert"):
        return Forecast((_call(route.experts[0], "answer", query, panel),), route)
    if strategy == "mixture_of_agents":
        return await _mixture(query, panel, options, route)
    names = spread(members(panel, query, options.experts), options.n)
    calls = [_call(name, "proposer", query, panel) for name in names]
    if strategy == "best_of_n" and options.judge in panel.experts:
        calls += [_reading(options.judge or "", "judge", len(names), query, panel) for _ in ORDERS]
    return Forecast(tuple(calls), _listed(route, list(dict.fromkeys(names))))


async def _mixture(query: Query, panel: Panel, options: StrategyOptions, route: Route) -> Forecast:
    """The layers of proposals, each of which reads the one before, and whoever puts the last one together."""
    cast = await casting(query, panel, options)
    names = spread(cast.proposers, options.n or len(cast.proposers) * (options.num_proposals_per_model or 1))
    calls = [_call(name, "proposer", query, panel) for name in names]
    tools = "tools" in query.needs
    for _ in range(1, 1 if tools else options.layers or 1):
        calls += [_reading(name, "proposer", len(names), query, panel) for name in names]
    method = "voting" if tools else options.aggregation_strategy or "synthesis"
    if method == "selection":
        judges = impartial(cast.aggregators, names, panel)[:1]
        calls += [_reading(name, "judge", len(names), query, panel) for name in judges for _ in ORDERS]
    elif method != "voting":
        calls += [_reading(name, "writer", len(names), query, panel) for name in cast.aggregators[:1]]
    return Forecast(tuple(calls), _listed(route, list(dict.fromkeys(names))))


async def _apart(strategy: str, query: Query, panel: Panel, options: StrategyOptions, whole: Route) -> Forecast:
    plan = await planned(query, panel, options)
    if len(plan.subtasks) < 2:
        return Forecast((_call(whole.experts[0], "answer", query, panel),), whole)
    found = await asyncio.gather(
        *(
            routed(routing_query(query, subtask), panel, options.specialist_map, options.fallback_order)
            for subtask in plan.subtasks
        )
    )
    routes = {subtask.id: route for subtask, route in zip(plan.subtasks, found, strict=True)}
    parts = len(plan.subtasks)
    calls = [
        _call(routes[subtask.id].experts[0], f"subtask {subtask.id}", asked(query, subtask, parts, ()), panel)
        for subtask in plan.subtasks
        if subtask.id != plan.final
    ]
    if strategy == "decomposition":
        last = whole if plan.final is None else routes[plan.final]
        calls += [_call(name, "aggregator", query, panel) for name in writers(last.experts, panel)[:1]]
    return Forecast(tuple(calls), whole, plan, routes)


def _call(name: str, role: str, query: Query, panel: Panel) -> Foreseen:
    return Foreseen(name, role, expected_cost(panel.experts[name].card, query))


def _reading(name: str, role: str, proposals: int, query: Query, panel: Panel) -> Foreseen:
    """A call whose prompt holds so many proposals."""
    own = expected_usage(query)
    prompt = own.prompt_tokens + INSTRUCTION + proposals * own.completion_tokens
    return Foreseen(name, role, cost_of(panel.experts[name].card, replace(own, prompt_tokens=prompt)))


def _listed(route: Route, names: Sequence[str]) -> Route:
    """The route over the experts that the strategy asks."""
    return replace(route, experts=tuple(names) or route.experts)
