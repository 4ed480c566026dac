"""Which of the wanted proposals are asked for, within what they may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mixture.config import StrategyOptions
from mixture.dispatch.alone import obstacle
from mixture.dispatch.gathering import Terms, soft_deadline
from mixture.dispatch.order import suited
from mixture.dispatch.shares import fitting
from mixture.dispatch.stopping import early_stop
from mixture.envelope import left, usd
from mixture.errors import BudgetExceeded
from mixture.estimates import bound_cost
from mixture.types import Adjusted, Emit, Panel, Query

LEAST = 2
"""Proposals without which there is no ensemble, when `min_successful_responses` says nothing."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Who is asked for proposals (one who stands there twice is asked twice), and what is lacking, in words. `obstacle`
    says why there is none.
    """

    names: list[str]
    lacking: list[str]
    obstacle: str | None


async def ensemble(wanted: Sequence[str], query: Query, panel: Panel, emit: Emit, keep: float = 0.0) -> Ensemble:
    """As many of the `wanted` as can be asked, where `keep` US dollars are to be left for what comes after them.

    Raises BudgetExceeded when not even one can be.
    """
    why = obstacle(query, wanted)
    if why is not None:
        return Ensemble(list(wanted), [], why)
    names, lacking = await affordable(wanted, query, panel, emit, keep)
    if not names:
        raise BudgetExceeded("; ".join(lacking), param="max_cost_usd")
    alone = "; ".join(lacking) if len(names) < LEAST else None
    return Ensemble(names, lacking, alone)


async def affordable(
    wanted: Sequence[str], query: Query, panel: Panel, emit: Emit, keep: float = 0.0
) -> tuple[list[str], list[str]]:
    """Those of `wanted` that the envelope pays for, the cheapest where not all fit, and what is lacking, in words."""
    rest = left() - keep
    costs = [bound_cost(panel.experts[name].card, query) for name in wanted]
    kept = fitting(costs, rest) or fitting(costs, left())[:1]
    if len(kept) == len(wanted):
        return list(wanted), []
    dropped = tuple(name for index, name in enumerate(wanted) if index not in kept)
    why = f"{len(kept)} of {len(wanted)} proposals are asked for: {usd(rest)} USD pay for no more"
    await emit(Adjusted("shrunk", why, dropped))
    return [wanted[index] for index in kept], [why]


def terms(
    names: Sequence[str],
    query: Query,
    panel: Panel,
    options: StrategyOptions,
    *,
    votes: bool,
    ahead: float = 0.0,
    keep: float = 0.0,
) -> Terms:
    """The terms of `options` for proposals of `names`: `votes` says that their answers are counted; `ahead` seconds and
    `keep` US dollars are left for what comes after them.
    """
    return Terms(
        least=options.min_successful_responses or LEAST,
        on_partial=options.on_partial or "accept",
        stop=early_stop(query, panel, options, votes=votes) if len(names) > LEAST else None,
        until=soft_deadline(query, options.on_partial, ahead),
        spares=tuple(name for name in suited(panel, query) if name not in names),
        keep=keep,
    )
