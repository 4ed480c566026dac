"""Strategies: who is asked, in what arrangement, and how the answers become one. One file each, and a line in
`STRATEGIES`; the first line of a factory's docstring describes the strategy to users.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mixture.config import StrategyOptions
from mixture.dispatch.bounds import bounded
from mixture.strategies.best_of_n import best_of_n
from mixture.strategies.cascade import cascade
from mixture.strategies.decomposition import decomposition
from mixture.strategies.direct import direct
from mixture.strategies.specialist import specialist
from mixture.strategies.task_based import task_based
from mixture.strategies.voting import voting
from mixture.types import Strategy

__all__ = ["STRATEGIES", "create", "direct"]

STRATEGIES: Mapping[str, Callable[[StrategyOptions], Strategy]] = {
    "task_based": task_based,
    "specialist": specialist,
    "decomposition": decomposition,
    "voting": voting,
    "cascade": cascade,
    "best_of_n": best_of_n,
}


def create(name: str, options: StrategyOptions) -> Strategy:
    """The strategy `name` with its options, within their limits. `name` is one of `STRATEGIES`: the configuration has
    checked it.
    """
    return bounded(STRATEGIES[name](options), options)
