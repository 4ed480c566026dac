"""Proposals of several experts, in layers, put together by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mixture.config import StrategyOptions
from mixture.dispatch.alone import alone, obstacle
from mixture.dispatch.casting import Casting, casting
from mixture.dispatch.composition import composed
from mixture.dispatch.election import elected
from mixture.dispatch.layers import Layered, layered
from mixture.dispatch.outcomes import reason
from mixture.dispatch.plans import lacking
from mixture.dispatch.proposals import spread
from mixture.dispatch.selection import selected
from mixture.dispatch.verdicts import decided
from mixture.streams import present
from mixture.types import Aggregation, Completion, Emit, Panel, Query, Route, Routed, Strategy

LEAST = 2
"""Proposals without which there is nothing to put together, when `min_successful_responses` says nothing."""


def mixture_of_agents(options: StrategyOptions) -> Strategy:
    """Has several experts propose answers, in layers where wanted, and one expert write the answer out of them."""

    async def run(query: Query, panel: Panel, emit: Emit) -> Completion:
        cast = await casting(query, panel, options)
        names = spread(cast.proposers, len(cast.proposers) * (options.num_proposals_per_model or 1))
        why = obstacle(query, names)
        if why is not None:
            return lacking(await alone(names, why, query, panel, emit), *cast.lacking)
        return await _Run(query, panel, emit, options, cast).answer(names)

    return run


@dataclass(frozen=True, slots=True)
class _Run:
    """One request while it is answered."""

    query: Query
    panel: Panel
    emit: Emit
    options: StrategyOptions
    cast: Casting

    @property
    def method(self) -> str:
        """Calls of tools can't be written out of several proposals: they are voted on."""
        return "voting" if "tools" in self.query.needs else self.options.aggregation_strategy or "synthesis"

    @property
    def layers(self) -> int:
        return 1 if "tools" in self.query.needs else self.options.layers or 1

    async def answer(self, names: Sequence[str]) -> Completion:
        """The answer out of proposals by `names`."""
        options, least = self.options, self.options.min_successful_responses or LEAST
        await self.emit(Routed(self._route(names)))
        ways = bool(options.use_specialized_prompts)
        came = await layered(names, self.layers, least, self.query, self.panel, self.emit, ways=ways)
        if not came.proposals.completions:
            made = await self._others(names, came)
        elif len(came.proposals.completions) < least:
            made = await self._best(came, "one proposal is the answer")
        else:
            made = await self._made(came)
        how = made.aggregation and replace(made.aggregation, layers=came.layers)
        return replace(lacking(made, *self.cast.lacking, *came.lacking), aggregation=how)

    def _route(self, names: Sequence[str]) -> Route:
        asked, layers = tuple(dict.fromkeys(names)), self.layers
        rounds = f"{layers} layers of " if layers > 1 else ""
        by = f" by {self.cast.aggregators[0]}" if self.cast.aggregators and self.method != "voting" else ""
        return Route(asked, f"{rounds}{len(names)} proposals from {len(asked)} experts, {self.method}{by}")

    async def _made(self, came: Layered) -> Completion:
        """The answer out of enough proposals, sent."""
        if self.method == "voting":
            return await present(await self._elected(came), self.query, self.emit)
        if self.method == "selection":
            return await self._chosen(came, self.cast.aggregators)
        return await self._written(came)

    async def _written(self, came: Layered) -> Completion:
        proposals, writers = came.proposals, self.cast.aggregators
        method: Literal["synthesis", "fusion"] = "fusion" if self.method == "fusion" else "synthesis"
        written, failures = await composed(writers, proposals.completions, method, self.query, self.panel, self.emit)
        failed = [f"{name} did not write ({reason(error)})" for name, error in failures]
        if written is None:
            why = "; ".join(failed) or "there is no expert that can write"
            return await self._best(came, f"{why}, so one proposal is the answer")
        failed += [f"{written.expert} wrote instead"] if failures else []
        return lacking(replace(written, quorum=proposals.quorum(proposals.answered)), "; ".join(failed))

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

    async def _others(self, names: Sequence[str], came: Layered) -> Completion:
        """When no proposal counts: the answer of an expert that was not asked, else the least bad of what came. Raises
        NoAnswer without either.
        """
        others = [name for name in self.cast.aggregators if name not in names]
        if others:
            return await alone(others, "no proposal counts", self.query, self.panel, self.emit)
        came.proposals.require(self.panel)
        return await self._best(came, "the least bad proposal is the answer")
