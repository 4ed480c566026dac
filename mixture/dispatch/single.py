"""A request that stays whole: the expert for it, and the others behind it."""

from __future__ import annotations

from mixture.config import StrategyOptions
from mixture.dispatch.enhancement import enhanced
from mixture.dispatch.fallback import first_answer
from mixture.dispatch.routes import routed
from mixture.types import Completion, Emit, Panel, Query, Route, Routed


async def by_task(query: Query, panel: Panel, emit: Emit, options: StrategyOptions) -> Completion:
    """The answer of the expert for the kind of task, live; of the next one when it can't. Raises as `first_answer`."""
    route = await routed(query, panel, options.specialist_map, options.fallback_order)
    return await along(route, query, panel, emit, options)


async def along(route: Route, query: Query, panel: Panel, emit: Emit, options: StrategyOptions) -> Completion:
    """The answer of the first of the route's experts that gives one, live; with `enhance` in two passes."""
    await emit(Routed(route))
    if options.enhance:
        return await enhanced(route.experts, query, panel, emit)
    return await first_answer(route.experts, query, panel, emit, hedge=options.hedge)
