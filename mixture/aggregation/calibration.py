"""Whether probabilities mean what they say, and how they are made to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

BINS = 10
"""Bins of equal width by which the calibration error is measured."""
ROUNDS = 50
RIDGE = 1.0
"""What keeps the slope near 1 and the offset near 0 while there are few rows."""


def platt(odds: Doubles, right: Doubles) -> tuple[float, float]:
    """The slope and offset under which log-odds fit what came true (0 or 1) best: logistic regression (Platt 1999) by
    Newton's method, with a weak ridge towards leaving the odds as they are.
    """
    found, start = np.array([1.0, 0.0]), np.array([1.0, 0.0])
    design = np.column_stack([np.clip(odds, -50, 50), np.ones(len(odds))])
    for _ in range(ROUNDS):
        shares = 1 / (1 + np.exp(-np.clip(design @ found, -50, 50)))
        gradient = design.T @ (right - shares) - RIDGE * (found - start)
        curvature = (design * (shares * (1 - shares))[:, None]).T @ design + RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        found = found + step
        if float(np.abs(step).max()) < 1e-8:
            break
    return float(found[0]), float(found[1])


def calibration_error(probabilities: npt.ArrayLike, right: npt.ArrayLike, bins: int = BINS) -> float:
    """The expected calibration error (Naeini et al. 2015): the mean distance, over bins of the probabilities (0..1), of
    their mean from the share that came true; 0 without rows.
    """
    said, true = np.asarray(probabilities, dtype=np.float64), np.asarray(right, dtype=np.float64)
    places = np.minimum((said * bins).astype(int), bins - 1)
    distances = [abs(float((said - true)[places == place].sum())) for place in range(bins)]
    return sum(distances) / max(1, len(said))
