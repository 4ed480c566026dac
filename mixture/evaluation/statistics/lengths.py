"""Win rates when length counts nothing: judges prefer what is long."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from mixture.evaluation.statistics.resampling import Doubles


def length_controlled(wins: Doubles, lengths: Doubles, reference_lengths: Doubles) -> float:
    """The win rate (0..1, a tie half) that a judge would give if both answers were equally long: a logistic regression
    on the difference of lengths, read where that is zero (after Dubois et al. 2024, arXiv 2404.04475, without its terms
    for single items). NaN without comparisons.
    """
    if not len(wins):
        return float("nan")
    difference = lengths - reference_lengths
    spread = float(difference.std())
    if spread < 1e-12:
        return float(wins.mean())
    tilt = np.tanh(difference / spread)

    def loss(weights: Doubles) -> float:
        logits = weights[0] + weights[1] * tilt
        return float(np.mean(np.logaddexp(0, logits) - wins * logits) + 1e-4 * weights[1] ** 2 + 1e-6 * weights[0] ** 2)

    found = optimize.minimize(loss, np.zeros(2), method="BFGS").x
    return float(1 / (1 + np.exp(-found[0])))
