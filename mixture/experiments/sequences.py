"""Intervals that hold at every moment at once: one may look after each request and stop when one likes.

An ordinary 95% interval is right in 95% of the cases at one moment that was fixed before; whoever looks again and again
and stops at the first one without zero is wrong far more often. A confidence sequence covers the true mean at all times
together with the stated probability.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mixture.config.experiment import ExperimentConfig

LARGEST_BET = 0.5
TIGHTEST = 1_000
"""Observations at which the asymptotic sequence is made tightest."""
ENOUGH = 100
"""Observations from which on the asymptotic sequence is given: before, a normal limit says little."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean, and where the true one lies at all times with the stated probability. `n` observations went into it."""

    mean: float
    low: float
    high: float
    n: int

    def scaled(self, width: float, shift: float) -> Interval:
        """Of `width * x + shift`, for a positive `width`."""
        return Interval(width * self.mean + shift, width * self.low + shift, width * self.high + shift, self.n)


def bounded(values: Sequence[float], alpha: float, low: float = 0.0, high: float = 1.0) -> Interval:
    """Of values in `low`..`high` with a common mean, whatever their distribution. The whole range when there is none.

    The predictable plug-in empirical Bernstein sequence of Waudby-Smith and Ramdas, "Estimating means of bounded random
    variables by betting" (Journal of the Royal Statistical Society B, 2024), theorem 2, with its running intersection.
    """
    width = high - low
    if not values:
        return Interval(math.nan, low, high, 0)
    x = np.clip((np.asarray(values, dtype=float) - low) / width, 0.0, 1.0)
    lows, highs = _bernstein(x, alpha)
    return Interval(float(x.mean()), float(lows[-1]), float(highs[-1]), len(x)).scaled(width, low)


def _bernstein(x: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """The sequence at each time, for values in 0..1."""
    t = np.arange(1, len(x) + 1)
    means = (0.5 + np.cumsum(x)) / (t + 1)
    variances = (0.25 + np.cumsum((x - means) ** 2)) / (t + 1)
    before_mean, before_variance = np.r_[0.5, means[:-1]], np.r_[0.25, variances[:-1]]
    bets = np.minimum(np.sqrt(2 * math.log(2 / alpha) / (before_variance * t * np.log1p(t))), LARGEST_BET)
    total = np.cumsum(bets)
    centre = np.cumsum(bets * x) / total
    spread = (x - before_mean) ** 2 * (-np.log1p(-bets) - bets)
    margin = (math.log(2 / alpha) + np.cumsum(spread)) / total
    return np.maximum.accumulate(np.maximum(centre - margin, 0)), np.minimum.accumulate(np.minimum(centre + margin, 1))


def asymptotic(values: Sequence[float], alpha: float) -> Interval | None:
    """Of values without bounds, such as costs and latencies; None for fewer than `ENOUGH`. It holds in the limit, by
    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
    sequences" (2021, arXiv 2103.06476), theorem 2.2.
    """
    n = len(values)
    if n < ENOUGH:
        return None
    x = np.asarray(values, dtype=float)
    squared = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / TIGHTEST
    grown = n * squared + 1
    margin = float(x.std()) * math.sqrt(2 * grown / (n * n * squared) * math.log(math.sqrt(grown) / alpha))
    return Interval(float(x.mean()), float(x.mean()) - margin, float(x.mean()) + margin, n)


def differences(observed: Sequence[tuple[bool, float]], config: ExperimentConfig) -> list[float]:
    """Candidate less control, from observations in their order (whether it is the candidate's, and its value): each of
    the rarer way together with the mean of as many of the other as come to it by the configured share. What is left at
    the end waits for the next.
    """
    share = config.share
    each, other = (1, max(1, round((1 - share) / share))) if share <= 0.5 else (max(1, round(share / (1 - share))), 1)
    waiting: dict[bool, list[float]] = {True: [], False: []}
    found = []
    for candidate, value in observed:
        waiting[candidate].append(value)
        if len(waiting[True]) >= each and len(waiting[False]) >= other:
            found.append(math.fsum(waiting[True][:each]) / each - math.fsum(waiting[False][:other]) / other)
            del waiting[True][:each], waiting[False][:other]
    return found
