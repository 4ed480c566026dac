"""Experts one after another, cheapest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mixture.config import StrategyOptions
from mixture.dispatch.alone import obstacle
from mixture.dispatch.election import elected
from mixture.dispatch.fallback import first_answer
from mixture.dispatch.gathering import soft_deadline
from mixture.dispatch.order import suited
from mixture.dispatch.proposals import Proposals, Terms, propose
from mixture.dispatch.routes import cascaded, costs
from mixture.dispatch.shaping import affordable
from mixture.dispatch.verdicts import decided
from mixture.errors import BudgetExceeded
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
        return await first_answer(names, query, panel, emit, hedge=options.hedge)

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
    first, lacking = options.n or options.lead or FIRST, [f"not reached: {_wanted(options)}"]
    for batch in [names[:first], *([name] for name in names[first:])]:
        kept, short = await affordable(batch, query, panel, emit)
        if not kept:
            lacking += short
            break
        more = await propose(kept, query, panel, emit, terms=_terms(came, query, panel, options))
        came = _together(came, more, options)
        if not came.completions:
            continue
        verdict = await decided(query, came.completions, panel, options.weights)
        if _settled(came, verdict, options):
            return _chosen(came, verdict, [])
        if more.late:
            break
    if not came.completions:
        if not came.failures:
            raise BudgetExceeded(lacking[-1], param="max_cost_usd")
        came.require(panel)
        verdict = await decided(query, came.completions, panel, options.weights)
    return _chosen(came, verdict, lacking)


def _terms(before: Proposals, query: Query, panel: Panel, options: StrategyOptions) -> Terms:
    """A batch ends as soon as its vote, with that of the batches `before`, is as wanted."""

    async def stop(came: Proposals, pending: Sequence[str]) -> str | None:
        whole = _together(before, came, options)
        verdict = await decided(query, whole.completions, panel, options.weights)
        return f"reached: {_wanted(options)}" if _settled(whole, verdict, options) else None

    early = options.early_stop is not False
    return Terms(stop=stop if early else None, until=soft_deadline(query, options.on_partial))


def _together(before: Proposals, more: Proposals, options: StrategyOptions) -> Proposals:
    """Both; of equal answers the first counts: as configured, or else that of the dearest expert."""
    if options.fallback_order:
        order = {name: place for place, name in enumerate(options.fallback_order)}
        both = (*before.completions, *more.completions)
        completions = sorted(both, key=lambda completion: order.get(completion.expert, len(order)))
    else:
        completions = [*reversed(more.completions), *before.completions]
    failures, cancelled = [*before.failures, *more.failures], [*before.cancelled, *more.cancelled]
    return Proposals(completions, failures, cancelled)


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
    chosen = elected(came, verdict)
    said = [*came.degraded(1), *lacking, *filter(None, [chosen.degraded])]
    return replace(chosen, degraded="; ".join(said) or None)
