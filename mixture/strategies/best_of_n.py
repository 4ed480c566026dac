"""The best of several proposals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mixture.aggregation.agreement import supports
from mixture.config import StrategyOptions
from mixture.dispatch.alone import alone
from mixture.dispatch.plans import lacking
from mixture.dispatch.proposals import Proposals, members, propose, spread
from mixture.dispatch.shaping import LEAST, ensemble, terms
from mixture.streams import present
from mixture.types import Completion, Emit, Panel, Query, Route, Routed, Scored, Strategy

AGREEMENT = 0.25
"""The part of a score that is agreement with the other proposals; the rest is the scorer's."""


def best_of_n(options: StrategyOptions) -> Strategy:
    """Asks for several proposals at once, scores each, and gives the one that scores best."""

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        wanted = spread(members(panel, query, options.experts), options.n)
        asked = await ensemble(wanted, query, panel, emit)
        if asked.obstacle is not None:
            return await alone(asked.names, asked.obstacle, query, panel, emit)
        experts = tuple(dict.fromkeys(asked.names))
        await emit(Routed(Route(experts, f"{len(asked.names)} proposals from {len(experts)} experts, one is chosen")))
        on = terms(asked.names, query, panel, options, votes=False)
        proposals = await propose(asked.names, query, panel, emit, terms=on)
        proposals.require(panel)
        best = await _best(query, panel, proposals, options, emit)
        return await present(lacking(best, *asked.lacking), query, emit)

    return run


async def _best(query: Query, panel: Panel, came: Proposals, options: StrategyOptions, emit: Emit) -> Completion:
    """The completion with the highest score (of equal ones the first: the cheaper one), with what is lacking."""
    completions = came.completions
    shares = supports(query, completions)
    scores = await _scored(query, panel, completions, shares, emit)
    best = max(range(len(scores)), key=scores.__getitem__)
    share = shares[best]
    agreed = 1 if share is None else 1 + round(share * (len(completions) - 1))
    degraded = "; ".join(came.degraded(options.min_successful_responses or LEAST)) or None
    return replace(completions[best], agreement=share, quorum=came.quorum(agreed), degraded=degraded)


async def _scored(
    query: Query, panel: Panel, completions: Sequence[Completion], shares: Sequence[float | None], emit: Emit
) -> list[float]:
    """A score in 0..1 for each completion, told as events."""
    scores = []
    for completion, share in zip(completions, shares, strict=True):
        own = await panel.scorer.score(query, completion)
        score = own if share is None else (1 - AGREEMENT) * own + AGREEMENT * share
        said = "nothing to compare it with" if share is None else f"agreement {share:.2f}"
        await emit(Scored(completion.expert, score, f"by itself {own:.2f}, {said}"))
        scores.append(score)
    return scores
