"""Shares of right answers: their intervals, and McNemar's test of two arms on the same items."""

from __future__ import annotations

import math

from scipy import stats

from mixture.evaluation.statistics.resampling import Interval


def wilson(right: float, total: int, level: float = 0.95) -> Interval:
    """The share `right / total` with its score interval (Wilson 1927), which stays inside 0..1. NaN without items."""
    if total <= 0:
        return Interval(math.nan, math.nan, math.nan, level)
    z = float(stats.norm.ppf((1 + level) / 2))
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), level)


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of McNemar's test (1947): of the items where just one of two arms is right, whether each is
    it equally often. 1 where there are none.
    """
    total = only_first + only_second
    return 1.0 if total == 0 else float(stats.binomtest(only_first, total, 0.5).pvalue)
