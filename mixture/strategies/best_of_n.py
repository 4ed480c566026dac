"""The best of several proposals."""

from __future__ import annotations

from mixture.config import StrategyOptions
from mixture.dispatch.alone import alone
from mixture.dispatch.gathering import soft_deadline
from mixture.dispatch.plans import lacking
from mixture.dispatch.proposals import Proposals, members, propose, spread
from mixture.dispatch.selection import judges_of, selected
from mixture.dispatch.shaping import LEAST, ensemble, terms
from mixture.streams import present
from mixture.types import Completion, Emit, Panel, Query, Routed, Strategy


def best_of_n(options: StrategyOptions) -> Strategy:
    """Asks for several proposals at once, scores each, and gives the one that scores best."""

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        wanted = spread(members(panel, query, options.experts), options.n)
        until = soft_deadline(query, options.on_partial)
        asked = await ensemble(wanted, query, panel, emit, options=options, until=until)
        if asked.obstacle is not None:
            return await alone(asked.names, asked.obstacle, query, panel, emit)
        await emit(Routed(asked.route("one is chosen")))
        on = terms(asked.names, query, panel, options, votes=False)
        proposals = await propose(asked.names, query, panel, emit, terms=on)
        proposals.require(panel)
        best = await _best(query, panel, proposals, options, emit)
        return await present(lacking(best, *asked.lacking), query, emit)

    return run


async def _best(query: Query, panel: Panel, came: Proposals, options: StrategyOptions, emit: Emit) -> Completion:
    """The completion that the judge chose, or that scores highest (of equal ones the first: the cheaper one), with what
    is lacking.
    """
    judges = judges_of(options.judge, query, panel)
    best = await selected(came, judges, query, panel, emit, wanted=options.judge)
    return lacking(best, *came.degraded(options.min_successful_responses or LEAST))
