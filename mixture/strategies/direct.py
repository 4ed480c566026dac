"""One expert, by its name."""

from __future__ import annotations

from mixture.streams import relay
from mixture.types import Completion, Emit, Panel, Query, Route, Routed, Strategy


def direct(name: str) -> Strategy:
    """Asks the expert that was asked for, and no other; its errors are passed on as they are."""
    route = Route((name,), "asked for by name")

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        await emit(Routed(route))
        return await relay(panel.experts[name], query, emit)

    return run
