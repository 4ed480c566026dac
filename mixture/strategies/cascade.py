"""Experts one after another, cheapest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mixture.config import StrategyOptions
from mixture.dispatch.alone import obstacle
from mixture.dispatch.fallback import first_answer
from mixture.dispatch.order import suited
from mixture.dispatch.proposals import Proposals, propose
from mixture.dispatch.routes import cascaded, costs
from mixture.streams import present
from mixture.types import Completion, Emit, Panel, Query, Route, Routed, Strategy, Verdict

FIRST = 2
"""Experts that are asked at once when agreement decides: fewer can't agree."""


def cascade(options: StrategyOptions) -> Strategy:
    """Tries experts in order, cheapest first unless `fallback_order` says otherwise, until one answers.

    Where `confidence` or `lead` is set, until they agree enough: see `_agreed`.
    """
    wanted = _wanted(options)

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        names = cascaded(suited(panel, query), query, panel, options.fallback_order)
        several = wanted is not None and obstacle(query, names) is None
        why = "in the configured order" if options.fallback_order else "cheapest first"
        why += f", until {wanted}" if several else ""
        await emit(Routed(Route(tuple(names), why, {"expected_cost_usd": costs(names, query, panel)})))
        if several:
            return await present(await _agreed(names, query, panel, emit, options), query, emit)
        return await first_answer(names, query, panel, emit)

    return run


def _wanted(options: StrategyOptions) -> str | None:
    """What ends the cascade, in words; None: the first answer does."""
    wanted = []
    if options.confidence is not None:
        wanted.append(f"an answer is right with {options.confidence:.0%}")
    if options.lead is not None:
        wanted.append(f"an answer is {options.lead} votes ahead")
    return " and ".join(wanted) or None


async def _agreed(names: Sequence[str], query: Query, panel: Panel, emit: Emit, options: StrategyOptions) -> Completion:
    """The answer that the experts asked so far agree on, once they do; of all of them, when they never do.

    Asking until one answer is ahead by a fixed number of votes is Wald's sequential test (1945) for voters alike.
    """
    came, verdict = Proposals(), Verdict()
    first = options.n or options.lead or FIRST
    for batch in [names[:first], *([name] for name in names[first:])]:
        more = await propose(batch, query, panel, emit)
        came.failures += more.failures
        # Of equal answers the first counts: as configured, or else that of the dearest expert.
        if options.fallback_order:
            came.completions = [*came.completions, *more.completions]
        else:
            came.completions = [*reversed(more.completions), *came.completions]
        if not came.completions:
            continue
        verdict = await panel.aggregator.aggregate(query, came.completions, options.weights)
        if _settled(came, verdict, options):
            return _chosen(came, verdict, [])
    if not came.completions:
        came.require(panel)
        verdict = await panel.aggregator.aggregate(query, came.completions, options.weights)
    return _chosen(came, verdict, [f"not reached: {_wanted(options)}"])


def _settled(came: Proposals, verdict: Verdict, options: StrategyOptions) -> bool:
    """Whether the vote is decided. One answer agrees with itself: that says nothing unless something was learned."""
    if options.lead is not None and verdict.lead < options.lead:
        return False
    if options.confidence is None:
        return True
    if verdict.confidence is None and len(came.completions) < FIRST:
        return False
    sure = verdict.agreement if verdict.confidence is None else verdict.confidence
    return sure is not None and sure >= options.confidence


def _chosen(came: Proposals, verdict: Verdict, lacking: Sequence[str]) -> Completion:
    return replace(
        came.completions[verdict.chosen or 0],
        agreement=verdict.agreement,
        quorum=came.quorum(verdict.agreed),
        degraded="; ".join([*came.degraded(1), *lacking]) or None,
        confidence=verdict.confidence,
    )
