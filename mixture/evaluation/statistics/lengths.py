"""Win rates when length counts nothing: judges prefer what is long."""

from __future__ import annotations

import numpy as np
from scipy import optimize, stats

from mixture.evaluation.statistics.resampling import Doubles, Interval, bootstrap

RIDGE = np.array([1e-3, 1e-2])
"""Penalties on the intercept and on what length is worth, so that there is an optimum where all pairs were won."""


def length_controlled(wins: Doubles, lengths: Doubles, reference_lengths: Doubles, level: float = 0.95) -> Interval:
    """The win rate (0..1, a tie half) that a judge would give if both answers were equally long, with its interval.

    AlpacaEval 2's length-controlled win rate (Dubois et al. 2024, arXiv 2404.04475): a logistic regression of the wins
    on an intercept and on tanh of the difference of lengths, measured in its standard deviations, read where that is
    zero. Its term for how difficult an instruction is is left out: it is known of AlpacaEval's own 805 only. The
    interval is that of the intercept with robust (HC0) errors, which hold for halves too (Papke and Wooldridge 1996).
    Where all lengths differ by the same it is the plain win rate; NaN without comparisons.
    """
    spread = float((lengths - reference_lengths).std()) if len(wins) else 0.0
    if spread < 1e-12 or len(np.unique(wins)) == 1:
        return bootstrap(wins, level=level)
    design = np.column_stack([np.ones(len(wins)), np.tanh((lengths - reference_lengths) / spread)])

    def loss(weights: Doubles) -> float:
        logits = design @ weights
        return float(np.mean(np.logaddexp(0, logits) - wins * logits) + RIDGE @ weights**2 / len(wins))

    found = optimize.minimize(loss, np.zeros(2), method="BFGS").x
    wide = float(stats.norm.ppf((1 + level) / 2)) * _error(design, wins, found)
    rate, low, high = (float(1 / (1 + np.exp(-found[0] - move))) for move in (0.0, -wide, wide))
    return Interval(rate, low, high, level)


def _error(design: Doubles, wins: Doubles, weights: Doubles) -> float:
    """The robust standard error of the intercept."""
    fitted = 1 / (1 + np.exp(-design @ weights))
    bread = np.linalg.inv((design * (fitted * (1 - fitted))[:, None]).T @ design + 2 * np.diag(RIDGE))
    scores = design * (wins - fitted)[:, None]
    return float(np.sqrt((bread @ (scores.T @ scores) @ bread)[0, 0]))
