"""How large a mixture of agents can be within what it may cost: proposals, layers, and who puts them together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mixture.aggregation.judging import TOKENS
from mixture.config import AggregationName, StrategyOptions
from mixture.dispatch.casting import Casting
from mixture.dispatch.elastic import deepened
from mixture.dispatch.gathering import ahead, soft_deadline
from mixture.dispatch.shaping import LEAST, ensemble
from mixture.envelope import ROUNDING, left, usd
from mixture.estimates import bound_usage, cost_of
from mixture.types import Adjusted, Emit, Panel, Query, Usage

INSTRUCTION = 400
"""Tokens around the proposals in the prompt of whoever reads them."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Who proposes in each of `layers`, and what becomes of it; `keep` holds for each layer the US dollars that are
    left for what comes after it, `aggregators` is empty where nobody is to be asked. `lacking` says what was left out,
    and `obstacle` why there can be no mixture.
    """

    names: Sequence[str]
    layers: int
    method: AggregationName
    aggregators: Sequence[str]
    keep: Sequence[float]
    lacking: Sequence[str] = ()
    obstacle: str | None = None
    said: str = ""
    """For the route."""


async def scaled(
    cast: Casting, names: Sequence[str], query: Query, panel: Panel, emit: Emit, options: StrategyOptions
) -> Scale:
    """The mixture as it was wished for, or what of it the envelope pays for: fewer layers first, then fewer proposals,
    then a vote (a choice without a judge) in the place of whoever is dear. Calls of tools can't be written out of
    several proposals: those of one layer are put to the vote. Raises BudgetExceeded when not even one proposal can be
    asked for.
    """
    tools = "tools" in query.needs
    layers, said = (1, "") if tools else await deepened(options.layers or 1, names, panel, emit, options)
    method: AggregationName = "voting" if tools else options.aggregation_strategy or "synthesis"
    costs = _Costs(cast, names, method, query, panel)
    lacking: list[str] = []
    kept = layers
    while kept > 1 and costs.whole(kept) > left() + ROUNDING:
        kept -= 1
    if kept < layers:
        lacking.append(f"{kept} of {layers} layers: {usd(left())} USD pay for no more")
        await emit(Adjusted("shrunk", lacking[-1]))
    aggregators = cast.aggregators
    if aggregators and method != "voting" and costs.fewest() + costs.end > left() + ROUNDING:
        other: AggregationName = "selection" if method == "selection" else "voting"
        does = "nobody judges" if method == "selection" else "a vote takes the place of the writer"
        lacking.append(f"{does}: {usd(left())} USD do not pay for {aggregators[0]} too")
        await emit(Adjusted("shrunk", lacking[-1], (aggregators[0],)))
        aggregators, method, costs = (), other, _Costs(cast, names, "voting", query, panel)
    keep = [costs.after(layer, kept) for layer in range(kept)]
    until = soft_deadline(query, options.on_partial, ahead(query, kept - (method == "voting")))
    asked = await ensemble(names, query, panel, emit, keep[0], options, until)
    return Scale(
        asked.names, kept, method, aggregators, keep, [*lacking, *asked.lacking], asked.obstacle, said + asked.said
    )


class _Costs:
    """What the parts may cost, in US dollars; infinite where a price is unknown."""

    def __init__(self, cast: Casting, names: Sequence[str], method: str, query: Query, panel: Panel) -> None:
        own = bound_usage(query)
        read = Usage(own.prompt_tokens + INSTRUCTION + len(names) * own.completion_tokens, own.completion_tokens)
        cards = [panel.experts[name].card for name in names]
        self._first = [cost_of(card, own) for card in cards]
        self._later = sum(cost_of(card, read) for card in cards)
        self.end = 0.0
        if cast.aggregators and method != "voting":
            card = panel.experts[cast.aggregators[0]].card
            judged = 2 * cost_of(card, Usage(read.prompt_tokens, TOKENS))
            self.end = judged if method == "selection" else cost_of(card, read)

    def whole(self, layers: int) -> float:
        """Everything, with so many layers."""
        return sum(self._first) + self.after(0, layers)

    def fewest(self) -> float:
        """As few proposals as make a mixture."""
        return sum(sorted(self._first)[:LEAST])

    def after(self, layer: int, layers: int) -> float:
        """What comes after this layer (from 0) of so many; nothing where it can't be known."""
        rest = self._later * (layers - 1 - layer) + self.end
        return rest if math.isfinite(rest) or math.isfinite(left()) else 0.0
