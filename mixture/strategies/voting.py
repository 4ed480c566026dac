"""The answer that most experts give."""

from __future__ import annotations

from dataclasses import replace

from mixture.config import StrategyOptions
from mixture.dispatch.alone import alone, obstacle
from mixture.dispatch.proposals import Proposals, members, propose, spread
from mixture.streams import present
from mixture.types import Completion, Emit, Panel, Query, Route, Routed, Strategy, Verdict

LEAST = 2
"""Proposals without which there is no vote, when `min_successful_responses` says nothing."""


def voting(options: StrategyOptions) -> Strategy:
    """Asks several experts the same at once and gives the answer that most of them agree on."""

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        names = spread(members(panel, query, options.experts), options.n)
        why = obstacle(query, names)
        if why is not None:
            return await alone(names, why, query, panel, emit)
        asked = tuple(dict.fromkeys(names))
        await emit(Routed(Route(asked, f"{len(names)} proposals from {len(asked)} experts, put to the vote")))
        proposals = await propose(names, query, panel, emit)
        proposals.require(panel)
        verdict = await panel.aggregator.aggregate(query, proposals.completions, options.weights)
        return await present(_elected(proposals, verdict, options), query, emit)

    return run


def _elected(proposals: Proposals, verdict: Verdict, options: StrategyOptions) -> Completion:
    """The chosen completion, with how far it is agreed on and what is lacking."""
    chosen = proposals.completions[verdict.chosen or 0]
    lacking = proposals.degraded(options.min_successful_responses or LEAST)
    share = verdict.agreed / len(proposals.completions)
    if options.voting_threshold is not None and share < options.voting_threshold:
        lacking.append(f"{share:.0%} of the answers agree, {options.voting_threshold:.0%} are required")
    return replace(
        chosen,
        agreement=share if verdict.agreement is None else verdict.agreement,
        quorum=proposals.quorum(verdict.agreed),
        degraded="; ".join(lacking) or None,
        confidence=verdict.confidence,
    )
