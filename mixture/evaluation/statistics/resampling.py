"""The paired bootstrap and the paired permutation test, exact in what they draw however many items there are.

The differences of graded answers take few values (-1, 0, 1 where answers are right or wrong). Drawing items with
replacement is then drawing how often each value comes, which takes no longer for a million items than for a thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

RESAMPLES = 10_000
FEW = 64
"""Different values up to which it is counted how often each one comes."""
AT_ONCE = 4_000_000
"""Draws that are held in memory."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its confidence interval."""

    value: float
    low: float
    high: float
    level: float = 0.95

    @property
    def holds_zero(self) -> bool:
        """Whether zero is inside, so that not even the sign is certain."""
        return not self.low > 0 and not self.high < 0


def bootstrap(
    values: Doubles,
    *,
    strata: npt.NDArray[np.intp] | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The mean of `values` (one an item: for a paired comparison the differences) with its percentile bootstrap
    interval (Efron 1979). With `strata` (a number from 0 for each item) items are drawn within their stratum. NaN
    without values.
    """
    if not len(values):
        return Interval(np.nan, np.nan, np.nan, level)
    rng = np.random.default_rng(seed)
    groups = [values] if strata is None else [values[strata == number] for number in np.unique(strata)]
    sums = sum(resampled_sums(group, resamples, rng) for group in groups)
    low, high = np.quantile(np.asarray(sums) / len(values), ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(values.mean()), float(low), float(high), level)


def resampled_sums(values: Doubles, resamples: int, rng: np.random.Generator) -> Doubles:
    """The sums of so many samples of `values`, each as large as it and drawn with replacement."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= FEW:
        drawn = rng.multinomial(len(values), counts / len(values), resamples)
        return np.asarray(drawn @ distinct, dtype=np.float64)
    sums = np.empty(resamples)
    step = max(1, AT_ONCE // len(values))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        sums[start : start + size] = values[rng.integers(0, len(values), (size, len(values)))].sum(axis=1)
    return sums


def bootstrap_ratio(
    over: Doubles, under: Doubles, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """The sum of `over` divided by the sum of `under` (both one an item, paired), with its bootstrap interval."""
    if not len(over) or not under.sum():
        return Interval(np.nan, np.nan, np.nan, level)
    rng = np.random.default_rng(seed)
    found = np.empty(resamples)
    step = max(1, AT_ONCE // len(over))
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        drawn = rng.integers(0, len(over), (size, len(over)))
        with np.errstate(divide="ignore", invalid="ignore"):
            found[start : start + size] = over[drawn].sum(axis=1) / under[drawn].sum(axis=1)
    low, high = np.nanquantile(found, ((1 - level) / 2, (1 + level) / 2))
    return Interval(float(over.sum() / under.sum()), float(low), float(high), level)


def permutation(differences: Doubles, *, resamples: int = RESAMPLES, seed: int = 0) -> float:
    """The two-sided p of a paired permutation test: how often the mean is as far from zero as it is when each
    difference may as well have the other sign. Exact for up to 2^14 ways of signs, else by so many draws, with one
    added to both counts so that it is never zero (Phipson and Smyth 2010). 1 without differences.
    """
    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    if not len(sizes):
        return 1.0
    seen = abs(float(differences.sum())) * (1 - 1e-12)
    if counts.sum() <= 14:
        return _exactly(np.repeat(sizes, counts), seen)
    rng = np.random.default_rng(seed)
    sums = np.zeros(resamples)
    for size, count in zip(sizes, counts, strict=True):
        sums += size * (2.0 * rng.binomial(count, 0.5, resamples) - count)
    return float((1 + (np.abs(sums) >= seen).sum()) / (1 + resamples))


def _exactly(sizes: Doubles, seen: float) -> float:
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * len(sizes))).reshape(len(sizes), -1)
    return float((np.abs(sizes @ signs) >= seen).mean())


def strata_of(names: Sequence[str]) -> npt.NDArray[np.intp]:
    """The strata as numbers from 0, for `bootstrap`."""
    return np.unique(np.asarray(names, dtype=object).astype(str), return_inverse=True)[1]
