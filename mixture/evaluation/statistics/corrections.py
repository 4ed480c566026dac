"""p values of many comparisons, corrected for their number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(values: Sequence[float]) -> list[float]:
    """Adjusted so that the chance of a single false claim among all stays below the level (Holm 1979)."""
    p = np.asarray(values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))) if len(p) else p
    return _back(stepped, order)


def benjamini_hochberg(values: Sequence[float]) -> list[float]:
    """Adjusted so that the expected share of false claims among the claims stays below the level (Benjamini and
    Hochberg 1995).
    """
    p = np.asarray(values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    ranked = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _back(np.minimum.accumulate(ranked[::-1])[::-1], order)


def _back(stepped: np.ndarray, order: np.ndarray) -> list[float]:
    found = np.empty_like(stepped)
    found[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in found]
