"""Whether what arms say of their own certainty is true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixture.evaluation.results import Results
from mixture.evaluation.statistics.proportions import wilson
from mixture.evaluation.statistics.resampling import Doubles, Interval

BINS = 10
FEWEST = 50
"""Items below which nothing is drawn."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about one certainty: its mean, how many they are, and the share that is right."""

    said: float
    items: int
    right: Interval


@dataclass(frozen=True, slots=True)
class Calibration:
    """`signal` is `confidence` or, where an arm gives none, `agreement`; `error` the expected calibration error: the
    mean distance of what is said from what is right, weighted by items (Naeini et al. 2015).
    """

    signal: str
    items: int
    error: float
    bins: tuple[Bin, ...]


def calibration(results: Results, arm: str) -> Calibration | None:
    """The calibration of an arm; None where it says nothing of its certainty, or of too few items."""
    column = results.column(arm)
    for signal in ("confidence", "agreement"):
        said, scores = results.figures[signal][:, column], results.scores[:, column]
        known = np.isfinite(said) & np.isfinite(scores)
        if known.sum() >= FEWEST and np.ptp(said[known]) > 0:
            bins = _bins(said[known], scores[known])
            total = int(known.sum())
            error = sum(one.items * abs(one.said - one.right.value) for one in bins) / total
            return Calibration(signal, total, float(error), bins)
    return None


def _bins(said: Doubles, scores: Doubles) -> tuple[Bin, ...]:
    """Bins of equal width; those without an answer are left out."""
    place = np.minimum((said * BINS).astype(int), BINS - 1)
    found = []
    for number in range(BINS):
        inside = place == number
        if inside.any():
            count = int(inside.sum())
            found.append(Bin(float(said[inside].mean()), count, wilson(float(scores[inside].sum()), count)))
    return tuple(found)
