"""How many proposals are asked for, and in how many layers, by how busy everybody is at this moment."""

from __future__ import annotations

from collections.abc import Sequence

from mixture.config import StrategyOptions
from mixture.dispatch.order import suited
from mixture.types import Adjusted, Emit, Panel, Query
from mixture.wrappers import load

IDLE = 0.25
"""Calls at work or waiting for each place up to which everybody counts as idle."""
BUSY = 1.0
"""The same from which on they count as busy: every place is taken."""


def elastic(wanted: int, least: int | None, most: int | None, pressure: float) -> int:
    """How many instead of `wanted`: `most` when idle, `least` when busy, in a straight line between. A bound left out
    is `wanted`. `pressure` is in calls at work or waiting for each place there is.
    """
    low, high = min(wanted, least or wanted), max(wanted, most or wanted)
    share = min(1.0, max(0.0, (pressure - IDLE) / (BUSY - IDLE)))
    return round(high - share * (high - low))


def pressure(names: Sequence[str], panel: Panel) -> float:
    """How busy the experts are on average, or the gateway where that is more, in calls for each place."""
    waiting = [load(panel.experts[name]).waiting for name in dict.fromkeys(names)]
    gateway = 0.0 if panel.busy is None else panel.busy()
    return max(gateway, sum(waiting) / len(waiting) if waiting else 0.0)


async def stretched(
    wanted: Sequence[str], query: Query, panel: Panel, emit: Emit, options: StrategyOptions
) -> tuple[list[str], str]:
    """`wanted`, with fewer proposals where experts are busy (the busiest are left out) and more where they are idle, by
    `min_proposals` and `max_proposals`; and what is to be said of it in the route.
    """
    if options.min_proposals is None and options.max_proposals is None:
        return list(wanted), ""
    felt = pressure(wanted, panel)
    number = elastic(len(wanted), options.min_proposals, options.max_proposals, felt)
    if number == len(wanted):
        return list(wanted), ""
    names = _fewer(wanted, number, panel) if number < len(wanted) else _more(wanted, number, query, panel)
    kind = "busy" if number < len(wanted) else "idle"
    why = f"{number} instead of {len(wanted)} proposals: experts are {kind} ({felt:.2f} calls for each place)"
    concerned = tuple(name for name in dict.fromkeys((*wanted, *names)) if (name in wanted) != (name in names))
    await emit(Adjusted("shrunk" if kind == "busy" else "grown", why, concerned))
    return names, why


async def deepened(
    wanted: int, names: Sequence[str], panel: Panel, emit: Emit, options: StrategyOptions
) -> tuple[int, str]:
    """`wanted` layers, or fewer where `names` are busy and more where they are idle, by `min_layers` and `max_layers`;
    and what is to be said of it in the route.
    """
    if options.min_layers is None and options.max_layers is None:
        return wanted, ""
    felt = pressure(names, panel)
    number = elastic(wanted, options.min_layers, options.max_layers, felt)
    if number == wanted:
        return wanted, ""
    kind = "busy" if number < wanted else "idle"
    why = f"{number} instead of {wanted} layers: experts are {kind} ({felt:.2f} calls for each place)"
    await emit(Adjusted("shrunk" if kind == "busy" else "grown", why))
    return number, f"; {why}"


def _fewer(wanted: Sequence[str], number: int, panel: Panel) -> list[str]:
    """Those who are least busy, of equal ones the first, in the order of `wanted`."""
    waiting = [load(panel.experts[name]).waiting for name in wanted]
    kept = sorted(sorted(range(len(wanted)), key=waiting.__getitem__)[:number])
    return [wanted[index] for index in kept]


def _more(wanted: Sequence[str], number: int, query: Query, panel: Panel) -> list[str]:
    """Further experts that suit the query, and then everyone again."""
    others = [name for name in suited(panel, query) if name not in wanted]
    names = [*wanted, *others]
    return [*names, *(names[index % len(names)] for index in range(number))][:number]
