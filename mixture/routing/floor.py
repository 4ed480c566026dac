"""The quality floor: "at least 95% of the strong expert's quality, at the least cost", as a promise with a bound.

A rule that routes more and more requests to cheaper experts is tested on a calibration log, from the safest setting on;
the last setting is taken whose loss is certified before the first that is not (fixed-sequence testing: Angelopoulos et
al. 2021, Learn then Test, arXiv 2110.01052). Conformal risk control (arXiv 2208.02814) would hold the loss on average
over calibration logs only; here it holds for at least 1 - delta of them. The certificate is a betting test
(Waudby-Smith and Ramdas 2020, arXiv 2010.09686), valid at any sample size. A promise for the next requests themselves
has to allow for their own chance too: there log and next requests together are taken as one population in random order,
of which the log is what was drawn so far without replacement (the same authors, arXiv 2006.04347).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

STEPS = 100
"""Settings that are tried, from nothing routed to everything."""


@dataclass(frozen=True, slots=True)
class Floor:
    """A calibrated rule: a request may go to a cheaper expert when the gain of the best over it is predicted below
    `threshold` (-inf: never). `share` is the part of the calibration log that does, `rows` the log's size.
    """

    quality: float
    threshold: float
    share: float
    rows: int


def calibrate(
    gains: npt.ArrayLike,
    cheap: npt.ArrayLike,
    strong: npt.ArrayLike,
    quality: float = 0.95,
    delta: float = 0.05,
    horizon: int | None = None,
) -> Floor:
    """The threshold under which requests may go to the cheap choice, so that quality stays at least `quality` times the
    strong expert's, with probability at least 1 - `delta` over calibration logs.

    `gains` are predicted (never by a predictor that has seen these rows), `cheap` and `strong` the scores (0..1) that
    the two choices reached. With `horizon` the promise covers the average over the next so many requests themselves,
    whose own chance is then allowed for, instead of the long run. Raises ValueError for a quality outside 0..1.
    """
    if not 0 <= quality <= 1:
        raise ValueError("quality must lie between 0 and 1")
    predicted, low, high = (np.asarray(values, dtype=np.float64) for values in (gains, cheap, strong))
    order = np.random.default_rng(0).permutation(len(predicted))
    predicted, low, high = predicted[order], low[order], high[order]
    best = Floor(quality, -math.inf, 0.0, len(predicted))
    for threshold in np.unique(np.quantile(predicted, np.arange(1, STEPS + 1) / STEPS)) if len(predicted) else ():
        below = predicted <= threshold
        if not _certified(np.where(below, low, high) - quality * high, quality, delta, horizon):
            break
        best = Floor(quality, float(threshold), float(below.mean()), len(predicted))
    return best


def _certified(margins: Doubles, quality: float, delta: float, horizon: int | None) -> bool:
    """Whether the mean of `margins`, which lie between -`quality` and 1, is certainly not negative."""
    return exceeds((margins + quality) / (1 + quality), quality / (1 + quality), delta, horizon)


def exceeds(values: Doubles, least: float, delta: float, horizon: int | None = None) -> bool:
    """Whether `values` (in 0..1) show, with an error of at most `delta`, that a mean exceeds `least`: the mean of the
    distribution that they come from or, with `horizon`, of the next so many values themselves.

    A gambler who bets on each value in turn that it lies above what it is on average, with stakes set by the values
    before it, grows rich by 1 / `delta` with probability at most `delta`. If all that is to come were `least` on
    average, what a value is on average, given those before it, would follow from what is left of the whole sum.
    """
    size = len(values)
    if not size or not 0 < least < 1:
        return size > 0 and least <= 0
    steps = np.arange(1, size + 1)
    sums = np.cumsum(values)
    means = (0.5 + sums) / (steps + 1)
    spreads = (0.25 + np.cumsum((values - means) ** 2)) / (steps + 1)
    before = np.concatenate([[0.25], spreads[:-1]])
    expected, weights, most = np.full(size, least), np.ones(size), 0.75 / least
    if horizon is not None:
        left = size + horizon - steps + 1
        expected = (sums[-1] - sums + values + horizon * least) / left
        weights, most = horizon / left, 0.75
    stakes = np.minimum(weights * np.sqrt(2 * math.log(1 / delta) / (before * float(weights @ weights))), most)
    return bool(np.cumsum(np.log1p(stakes * (values - expected))).max() > math.log(1 / delta))


def routed(gains: Sequence[float] | Doubles, floor: Floor) -> npt.NDArray[np.bool_]:
    """Which requests the floor lets go to the cheap choice."""
    return np.asarray(gains, dtype=np.float64) <= floor.threshold


MARGINS = np.arange(-0.25, 0.755, 0.01)
"""The margins that are tried for a ladder, in this order whatever the log holds: the test's error needs a sequence that
was fixed before."""


def ladder(
    predicted: npt.ArrayLike,
    scores: npt.ArrayLike,
    quality: float = 0.95,
    delta: float = 0.05,
    horizon: int | None = None,
) -> Floor:
    """The floor for any number of experts (columns, cheapest first, the strong one last): a request goes to the first
    whose predicted quality lies at most `threshold` below the strong one's, to the strong one where there is none. For
    two experts it is the rule of `calibrate`.

    The promise and its proof are those of `calibrate`: one sequence of rules, from the safest on. Raises ValueError.
    """
    if not 0 <= quality <= 1:
        raise ValueError("quality must lie between 0 and 1")
    guessed, reached = (np.asarray(values, dtype=np.float64) for values in (predicted, scores))
    order = np.random.default_rng(0).permutation(len(reached))
    guessed, reached = guessed[order], reached[order]
    best = Floor(quality, -math.inf, 0.0, len(reached))
    strong = reached[:, -1]
    for margin in MARGINS if len(reached) and reached.shape[1] > 1 else ():
        picked = climbed(guessed, float(margin))
        chosen = reached[np.arange(len(reached)), picked]
        if not _certified(chosen - quality * strong, quality, delta, horizon):
            break
        best = Floor(quality, float(margin), float((picked < reached.shape[1] - 1).mean()), len(reached))
    return best


def climbed(predicted: npt.NDArray[np.floating[Any]], margin: float) -> npt.NDArray[np.int64]:
    """The place of the expert that each request (row) goes to under `margin`; see `ladder`."""
    enough = predicted >= predicted[:, -1:] - margin
    enough[:, -1] = True
    return np.asarray(np.argmax(enough, axis=1))
