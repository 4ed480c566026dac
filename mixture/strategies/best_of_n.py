"""The best of several proposals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mixture.aggregation.agreement import supports
from mixture.config import StrategyOptions
from mixture.dispatch.alone import alone, obstacle
from mixture.dispatch.proposals import Proposals, members, propose, spread
from mixture.streams import present
from mixture.types import Completion, Emit, Panel, Query, Route, Routed, Scored, Strategy

LEAST = 2
"""Proposals without which there is nothing to choose, when `min_successful_responses` says nothing."""
AGREEMENT = 0.25
"""The part of a score that is agreement with the other proposals; the rest is the scorer's."""


def best_of_n(options: StrategyOptions) -> Strategy:
    """Asks for several proposals at once, scores each, and gives the one that scores best."""

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        names = spread(members(panel, query, options.experts), options.n)
        why = obstacle(query, names)
        if why is not None:
            return await alone(names, why, query, panel, emit)
        asked = tuple(dict.fromkeys(names))
        await emit(Routed(Route(asked, f"{len(names)} proposals from {len(asked)} experts, the best is chosen")))
        proposals = await propose(names, query, panel, emit)
        proposals.require(panel)
        return await present(await _best(query, panel, proposals, options, emit), query, emit)

    return run


async def _best(query: Query, panel: Panel, came: Proposals, options: StrategyOptions, emit: Emit) -> Completion:
    """The completion with the highest score (of equal ones the first: the cheaper one), with what is lacking."""
    completions = came.completions
    shares = supports(query, completions)
    scores = await _scored(query, panel, completions, shares, emit)
    best = max(range(len(scores)), key=scores.__getitem__)
    share = shares[best]
    agreed = 1 if share is None else 1 + round(share * (len(completions) - 1))
    lacking = came.degraded(options.min_successful_responses or LEAST)
    degraded = "; ".join(lacking) or None
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
