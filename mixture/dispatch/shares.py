"""What each of several calls may cost of what is left for all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mixture.envelope import ROUNDING


def shares(costs: Sequence[float], rest: float) -> list[float | None]:
    """For each call its expected cost (in US dollars) and an equal part of what is left over of `rest`; None for all
    when `rest` has no limit. The sum is at most `rest` when the expected costs fit.
    """
    if math.isinf(rest):
        return [None] * len(costs)
    over = max(0.0, rest - sum(costs)) / max(1, len(costs))
    return [cost + over for cost in costs]


def fitting(costs: Sequence[float], rest: float) -> list[int]:
    """The indices, in their order, of those calls that fit into `rest` together: as many as can be, the cheapest."""
    chosen: list[int] = []
    total = 0.0
    for index in sorted(range(len(costs)), key=costs.__getitem__):
        if math.isinf(costs[index]) and not math.isinf(rest):
            continue
        if total + costs[index] > rest + ROUNDING:
            continue
        total += costs[index]
        chosen.append(index)
    return sorted(chosen)
