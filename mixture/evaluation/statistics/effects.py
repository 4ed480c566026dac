"""How large a difference is, whatever the number of items."""

from __future__ import annotations

import math

import numpy as np

from mixture.evaluation.statistics.resampling import Doubles


def cohen_d(first: Doubles, second: Doubles) -> float:
    """The difference of two means in standard deviations, pooled over both (Cohen 1988). 0 where both are constant and
    equal; infinite where they are constant and not equal.
    """
    if len(first) < 2 or len(second) < 2:
        return math.nan
    spread = math.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    return _over(float(first.mean() - second.mean()), spread)


def cohen_d_paired(differences: Doubles) -> float:
    """The mean of paired differences in their own standard deviations (Cohen's d_z)."""
    if len(differences) < 2:
        return math.nan
    return _over(float(differences.mean()), float(differences.std(ddof=1)))


def _over(difference: float, spread: float) -> float:
    if spread < 1e-12:
        return 0.0 if abs(difference) < 1e-12 else math.copysign(math.inf, difference)
    return difference / spread


def cohen_h(first: float, second: float) -> float:
    """The difference of two shares as that of their arcsines (Cohen 1988): 0.2 is small, 0.5 middling, 0.8 large."""
    return float(2 * np.arcsin(np.sqrt(first)) - 2 * np.arcsin(np.sqrt(second)))


def named(size: float) -> str:
    """Cohen's words for a size, d or h."""
    amount = abs(size)
    bounds = ((0.2, "negligible"), (0.5, "small"), (0.8, "middling"))
    return next((name for bound, name in bounds if amount < bound), "large")
