"""Which of the wanted proposals are asked for, within what they may cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mixture.config import StrategyOptions
from mixture.dispatch.alone import obstacle
from mixture.dispatch.elastic import stretched
from mixture.dispatch.gathering import Terms, soft_deadline
from mixture.dispatch.order import suited
from mixture.dispatch.shares import fitting
from mixture.dispatch.stopping import early_stop
from mixture.envelope import left, usd
from mixture.errors import BudgetExceeded
from mixture.estimates import bound_cost
from mixture.types import Adjusted, Emit, Expert, Panel, Query, Route
from mixture.wrappers import load

LEAST = 2
"""Proposals without which there is no ensemble, when `min_successful_responses` says nothing."""


ANSWERS = 5
"""Answers without which nothing is known of how long an expert takes."""
NO_OPTIONS = StrategyOptions()


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Who is asked for proposals (one who stands there twice is asked twice), and what is lacking, in words. `obstacle`
    says why there is none, `said` is for the route.
    """

    names: list[str]
    lacking: list[str]
    obstacle: str | None
    said: str = ""

    def route(self, what: str) -> Route:
        """The experts that are asked, and in words that `what` is done with their proposals."""
        experts = tuple(dict.fromkeys(self.names))
        return Route(experts, f"{len(self.names)} proposals from {len(experts)} experts, {what}{self.said}")


async def ensemble(
    wanted: Sequence[str],
    query: Query,
    panel: Panel,
    emit: Emit,
    keep: float = 0.0,
    options: StrategyOptions = NO_OPTIONS,
    until: float | None = None,
) -> Ensemble:
    """As many of the `wanted` as can be asked: fewer or more by how busy everybody is, within the bounds of `options`;
    those who are likely to be done at `until` (seconds since the epoch); and so that `keep` US dollars are left for
    what comes after them.

    Raises BudgetExceeded when not even one can be.
    """
    why = obstacle(query, wanted)
    if why is not None:
        return Ensemble(list(wanted), [], why)
    stretch, elastic = await stretched(wanted, query, panel, emit, options)
    quick, slow = await timely(stretch, panel, emit, until)
    names, dear = await affordable(quick, query, panel, emit, keep)
    if not names:
        raise BudgetExceeded("; ".join(dear), param="max_cost_usd")
    alone = "; ".join([*filter(None, [elastic]), *slow, *dear]) if len(names) < LEAST else None
    return Ensemble(names, [*slow, *dear], alone, f" ({elastic})" if elastic else "")


async def timely(wanted: Sequence[str], panel: Panel, emit: Emit, until: float | None) -> tuple[list[str], list[str]]:
    """Those of `wanted` whose answers have lately taken no longer than there is time (all, when nobody's have), and
    what is lacking, in words.
    """
    if until is None:
        return list(wanted), []
    seconds = until - time.time()
    usual = {name: _usual(panel.experts[name]) for name in dict.fromkeys(wanted)}
    slow = [name for name, latency in usual.items() if latency is not None and latency > seconds]
    if not slow or len(slow) == len(usual):
        return list(wanted), []
    why = f"{', '.join(slow)} not asked: slower lately than the {seconds * 1e3:.0f} ms that there are"
    await emit(Adjusted("shrunk", why, tuple(slow)))
    return [name for name in wanted if name not in slow], [why]


def _usual(expert: Expert) -> float | None:
    """Seconds that its latest answers took on average; None while there are too few."""
    seen = load(expert)
    return None if seen.latency_ms is None or seen.answers < ANSWERS else seen.latency_ms / 1e3


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
