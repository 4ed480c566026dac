"""What a strategy would do with a request: whom it would ask, in which part, and what that is likely to cost. No expert
is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mixture.config import StrategyOptions
from mixture.dispatch.arranging import Arranged
from mixture.dispatch.operations import asked, routing_query
from mixture.dispatch.order import suited
from mixture.dispatch.plans import planned
from mixture.dispatch.proposals import members, spread
from mixture.dispatch.routes import cascaded, routed
from mixture.dispatch.writing import writers
from mixture.estimates import expected_cost
from mixture.types import Panel, Plan, Query, Route

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
    names = spread(members(panel, query, options.experts), options.n)
    calls = [_call(name, "proposer", query, panel) for name in names]
    if strategy not in ("voting", "best_of_n"):  # the others have an answer written out of the proposals
        calls += [_call(name, "aggregator", query, panel) for name in writers(route.experts, panel)[:1]]
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


def _listed(route: Route, names: Sequence[str]) -> Route:
    """The route over the experts that the strategy asks."""
    return replace(route, experts=tuple(names) or route.experts)
