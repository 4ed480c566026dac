"""The answer that most experts give."""

from __future__ import annotations

from mixture.config import StrategyOptions
from mixture.dispatch.alone import alone
from mixture.dispatch.election import elected
from mixture.dispatch.gathering import soft_deadline
from mixture.dispatch.plans import lacking
from mixture.dispatch.proposals import Proposals, members, propose, spread
from mixture.dispatch.shaping import LEAST, ensemble, terms
from mixture.dispatch.verdicts import decided
from mixture.streams import present
from mixture.types import Completion, Emit, Panel, Query, Routed, Strategy, Verdict


def voting(options: StrategyOptions) -> Strategy:
    """Asks several experts the same at once and gives the answer that most of them agree on."""

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        wanted = spread(members(panel, query, options.experts), options.n)
        until = soft_deadline(query, options.on_partial)
        asked = await ensemble(wanted, query, panel, emit, options=options, until=until)
        if asked.obstacle is not None:
            return await alone(asked.names, asked.obstacle, query, panel, emit)
        await emit(Routed(asked.route("put to the vote")))
        on = terms(asked.names, query, panel, options, votes=True)
        proposals = await propose(asked.names, query, panel, emit, terms=on)
        proposals.require(panel)
        verdict = await decided(query, proposals.completions, panel, options.weights)
        return await present(lacking(_elected(proposals, verdict, options), *asked.lacking), query, emit)

    return run


def _elected(proposals: Proposals, verdict: Verdict, options: StrategyOptions) -> Completion:
    """The chosen completion, with how far it is agreed on and what is lacking."""
    chosen = elected(proposals, verdict)
    missing = proposals.degraded(options.min_successful_responses or LEAST)
    share = verdict.agreed / len(proposals.completions)
    if options.voting_threshold is None:
        if verdict.agreed < 2 <= len(proposals.completions) and not verdict.fields:
            missing.append(f"no two of the {len(proposals.completions)} answers agree")
    elif share < options.voting_threshold:
        missing.append(f"{share:.0%} of the answers agree, {options.voting_threshold:.0%} are required")
    return lacking(chosen, *missing)
