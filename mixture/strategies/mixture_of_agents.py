"""Proposals of several experts, in layers, put together by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mixture.config import StrategyOptions
from mixture.dispatch.alone import alone, obstacle
from mixture.dispatch.casting import Casting, casting
from mixture.dispatch.composition import composed
from mixture.dispatch.election import elected
from mixture.dispatch.gathering import Terms, ahead
from mixture.dispatch.layers import Layered, layered
from mixture.dispatch.outcomes import reason
from mixture.dispatch.plans import lacking
from mixture.dispatch.proposals import spread
from mixture.dispatch.scale import Scale, scaled
from mixture.dispatch.selection import selected
from mixture.dispatch.shaping import LEAST, terms
from mixture.dispatch.verdicts import decided
from mixture.errors import BudgetExceeded, NoAnswer
from mixture.streams import present
from mixture.types import Aggregation, Completion, Emit, Panel, Query, Route, Routed, Strategy


def mixture_of_agents(options: StrategyOptions) -> Strategy:
    """Has several experts propose answers, in layers where wanted, and one expert write the answer out of them."""

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        cast = await casting(query, panel, options)
        names = spread(cast.proposers, options.n or len(cast.proposers) * (options.num_proposals_per_model or 1))
        why = obstacle(query, names)
        if why is not None:
            return lacking(await alone(names, why, query, panel, emit), *cast.lacking)
        scale = await scaled(cast, names, query, panel, emit, options)
        if scale.obstacle is not None:
            return lacking(await alone(scale.names, scale.obstacle, query, panel, emit), *cast.lacking)
        return await _Run(query, panel, emit, options, cast, scale).answer()

    return run


@dataclass(frozen=True, slots=True)
class _Run:
    """One request while it is answered."""

    query: Query
    panel: Panel
    emit: Emit
    options: StrategyOptions
    cast: Casting
    scale: Scale

    async def answer(self) -> Completion:
        """The answer out of the proposals."""
        await self.emit(Routed(self._route()))
        ways = bool(self.options.use_specialized_prompts)
        came = await layered(self.scale.names, self._terms(), self.query, self.panel, self.emit, ways=ways)
        count, least = len(came.proposals.completions), self.options.min_successful_responses or LEAST
        if not count:
            made = await self._others(came)
        elif count < least:
            made = await self._best(came, "one proposal is the answer")
        else:
            made = await self._made(came)
        how = made.aggregation and replace(made.aggregation, layers=came.layers)
        return replace(lacking(made, *self.cast.lacking, *self.scale.lacking, *came.lacking), aggregation=how)

    def _route(self) -> Route:
        scale, asked = self.scale, tuple(dict.fromkeys(self.scale.names))
        rounds = f"{scale.layers} layers of " if scale.layers > 1 else ""
        by = f" by {scale.aggregators[0]}" if scale.aggregators and scale.method != "voting" else ""
        what = f"{len(scale.names)} proposals from {len(asked)} experts, {scale.method}{by}{scale.said}"
        return Route(asked, f"{rounds}{what}")

    def _terms(self) -> list[Terms]:
        """On which terms each layer proposes. That too few come is an error, or retried, in the first one only."""
        scale, made = self.scale, []
        for layer in range(scale.layers):
            after = scale.layers - 1 - layer + (scale.method != "voting")
            votes = scale.method == "voting" and not after
            own = self.options if not layer else self.options.model_copy(update={"on_partial": None})
            keep, wait = scale.keep[layer], ahead(self.query, after)
            made.append(terms(scale.names, self.query, self.panel, own, votes=votes, ahead=wait, keep=keep))
        return made

    async def _made(self, came: Layered) -> Completion:
        """The answer out of enough proposals, sent."""
        method = self.scale.method
        if method == "voting":
            return await present(await self._elected(came), self.query, self.emit)
        if method == "selection":
            return await self._chosen(came, self.scale.aggregators)
        if not self.scale.aggregators:
            return await self._best(came, "there is no expert that can write, so one proposal is the answer")
        try:
            played = await composed(
                self.scale.aggregators, came.proposals.completions, method, self.query, self.panel, self.emit
            )
        except (NoAnswer, BudgetExceeded) as error:
            return await self._best(came, f"nobody wrote ({reason(error)}), so one proposal is the answer")
        quorum = came.proposals.quorum(came.proposals.answered)
        return lacking(replace(played.result, quorum=quorum), played.lacking)

    async def _elected(self, came: Layered) -> Completion:
        proposals = came.proposals
        verdict = await decided(self.query, proposals.completions, self.panel, self.options.weights)
        return replace(elected(proposals, verdict), aggregation=Aggregation("voting"))

    async def _chosen(self, came: Layered, judges: Sequence[str]) -> Completion:
        quality, wanted = self.cast.quality, self.options.aggregator_model
        best = await selected(came.proposals, judges, self.query, self.panel, self.emit, quality, wanted)
        return await present(best, self.query, self.emit)

    async def _best(self, came: Layered, why: str) -> Completion:
        """The best proposal, chosen without any call, because of `why`."""
        return lacking(await self._chosen(came, ()), why)

    async def _others(self, came: Layered) -> Completion:
        """When no proposal counts: the answer of an expert that was not asked, else the least bad of what came. Raises
        NoAnswer without either.
        """
        others = [name for name in self.cast.aggregators if name not in self.scale.names]
        if others:
            return await alone(others, "no proposal counts", self.query, self.panel, self.emit)
        came.proposals.require(self.panel)
        return await self._best(came, "the least bad proposal is the answer")
