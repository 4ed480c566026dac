"""The strategy chosen for each request."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from mixture.config import StrategyOptions
from mixture.dispatch.arranging import Arranged, arranged
from mixture.dispatch.asking import quiet
from mixture.dispatch.routes import routed
from mixture.dispatch.single import along
from mixture.types import Chosen, Completion, Emit, Event, Panel, Planned, Query, Routed, Strategy

Make = Callable[[str, StrategyOptions], Strategy]
"""A strategy by its name, with options over those that are configured for it."""


def choosing(options: StrategyOptions, make: Make, offered: Collection[str]) -> Strategy:
    """Decides between one expert, an ensemble and a plan, and runs what it chose: `make` gives the strategies,
    `offered` names them. One expert is asked along the route that was found while deciding.
    """

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        silent, _ = quiet(panel)
        found = await arranged(query, silent, options, offered)
        if silent.router is not panel.router and found.strategy == "task_based" and not found.decided:
            # An expert that routes is asked only where its choice is what counts.
            route = await routed(query, panel, options.specialist_map, options.fallback_order)
            found = replace(found, route=route)
        await emit(Chosen(found.strategy, found.why))
        if found.plan is not None and found.strategy == "task_based":
            await emit(Planned(found.plan))
        told = _Explained(emit, found)
        if found.strategy == "task_based":
            return await along(found.route, query, panel, told, options)
        return await make(found.strategy, StrategyOptions(**found.options))(query, panel, told)

    return run


class _Explained:
    """An `Emit` that says in the request's own route, which comes first, why its strategy was chosen."""

    __slots__ = ("_emit", "_found", "_said")

    def __init__(self, emit: Emit, found: Arranged) -> None:
        self._emit = emit
        self._found = found
        self._said = False

    async def __call__(self, event: Event) -> None:
        if isinstance(event, Routed) and event.subtask is None and not self._said:
            self._said = True
            found, route = self._found, event.route
            signals = {**found.route.signals, **route.signals, **found.signals}
            event = Routed(replace(route, why=f"auto: {found.why}; {route.why}", signals=signals))
        await self._emit(event)
