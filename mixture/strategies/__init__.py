"""Strategies: who is asked, in what arrangement, and how the answers become one. One file each, and a line in
`STRATEGIES`; the first line of a factory's docstring describes the strategy to users.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mixture.config import StrategyOptions
from mixture.dispatch.bounds import bounded
from mixture.strategies.auto import Make, choosing
from mixture.strategies.best_of_n import best_of_n
from mixture.strategies.cascade import cascade
from mixture.strategies.decomposition import decomposition
from mixture.strategies.direct import direct
from mixture.strategies.mixture_of_agents import mixture_of_agents
from mixture.strategies.specialist import specialist
from mixture.strategies.task_based import task_based
from mixture.strategies.voting import voting
from mixture.types import Strategy

__all__ = ["STRATEGIES", "create", "direct"]


def auto(options: StrategyOptions) -> Strategy:
    """Chooses the strategy as well as the expert: one for what is simple, several or a plan where that is worth it."""
    return create("auto", options)


STRATEGIES: Mapping[str, Callable[[StrategyOptions], Strategy]] = {
    "auto": auto,
    "task_based": task_based,
    "specialist": specialist,
    "decomposition": decomposition,
    "voting": voting,
    "cascade": cascade,
    "best_of_n": best_of_n,
    "mixture_of_agents": mixture_of_agents,
}


def create(name: str, options: StrategyOptions, make: Make | None = None) -> Strategy:
    """The strategy `name` with its options, within their limits. `name` is one of `STRATEGIES`: the configuration has
    checked it. `make` gives `auto` the strategies that it chooses among, with what is configured for them.
    """
    if name == "auto":
        return bounded(choosing(options, make or _within(options), STRATEGIES), options)
    return bounded(STRATEGIES[name](options), options)


def _within(options: StrategyOptions) -> Make:
    """Strategies with `options`, and over them what they are told."""

    def make(name: str, over: StrategyOptions) -> Strategy:
        return create(name, options.model_copy(update=over.model_dump(exclude_unset=True)))

    return make
