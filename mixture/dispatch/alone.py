"""What becomes of an ensemble that can't be had: one expert answers, and the result says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mixture.dispatch.fallback import first_answer
from mixture.dispatch.outcomes import no_answer
from mixture.dispatch.routes import cascaded
from mixture.types import Completion, Emit, Panel, Query, Route, Routed


def obstacle(query: Query, names: Sequence[str]) -> str | None:
    """Why there can be no ensemble of `names` for `query`; None when there can."""
    if len(names) < 2:
        return "there is only one expert to ask" if len(set(names)) == 1 else "there is no expert to ask"
    if query.sampling.n > 1:
        return "several choices (n) were asked for, which can't be compared with each other"
    return None


async def alone(names: Sequence[str], why: str, query: Query, panel: Panel, emit: Emit) -> Completion:
    """The answer of one of `names`, live, marked as degraded because of `why`."""
    order = cascaded(list(dict.fromkeys(names)), query, panel, None)
    if not order:
        raise no_answer((), panel)
    await emit(Routed(Route(tuple(order), f"one expert instead of several: {why}")))
    completion = await first_answer(order, query, panel, emit)
    return replace(completion, degraded=f"one expert answered instead of several: {why}")
