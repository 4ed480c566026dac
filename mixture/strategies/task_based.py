"""The expert for the kind of task."""

from __future__ import annotations

from mixture.config import StrategyOptions
from mixture.dispatch.single import by_task
from mixture.types import Completion, Emit, Panel, Query, Strategy


def task_based(options: StrategyOptions) -> Strategy:
    """Recognises the kind of task and asks the expert for it; the others are its fallback, cheapest first."""

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        return await by_task(query, panel, emit, options)

    return run
