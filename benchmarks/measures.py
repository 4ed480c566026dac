"""How routes are judged: RouteLLM's curve for two experts, cost against accuracy for any number; intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

RESAMPLES = 400
"""Bootstrap resamples behind an interval."""
QUICK_RESAMPLES = 100
"""The same with `--quick`."""


class Curve:
    """Accuracy against the share of requests that go to the strong expert, in the order of `scores`.

    `rows` are the places of the requests in the whole set, by which a bootstrap weighs them.
    """

    def __init__(
        self, scores: npt.ArrayLike, weak: Doubles, strong: Doubles, rows: npt.NDArray[np.int64] | None = None
    ) -> None:
        values = np.asarray(scores, dtype=np.float64)
        ties = np.random.default_rng(0).random(len(values))
        order = np.lexsort((ties, -values))
        self._rows = np.arange(len(values))[order] if rows is None else rows[order]
        self._weak, self._gain = weak[order], (strong - weak)[order]

    def points(self, weights: Doubles | None = None) -> tuple[Doubles, Doubles]:
        """Shares (0, 0.1, ... 1) and the accuracy at each."""
        weight = np.ones(len(self._rows)) if weights is None else weights[self._rows]
        shares = np.linspace(0, 1, 11)
        seen = np.concatenate([[0.0], np.cumsum(weight)])
        gained = np.concatenate([[0.0], np.cumsum(weight * self._gain)])
        reached = np.interp(shares * seen[-1], seen, gained)
        return shares, (float(weight @ self._weak) + reached) / seen[-1]

    def apgr(self, weights: Doubles | None = None) -> float:
        """The share of the gap between the two experts that is recovered, averaged over all strong shares."""
        shares, accuracy = self.points(weights)
        return float((np.trapezoid(accuracy, shares) - accuracy[0]) / (accuracy[-1] - accuracy[0]))

    def cpt(self, part: float) -> float:
        """The strong share, in percent, at which `part` of the gap is recovered."""
        shares, accuracy = self.points()
        goal = accuracy[0] + part * (accuracy[-1] - accuracy[0])
        place = int(np.argmax(accuracy >= goal))
        if place == 0:
            return 0.0
        low, high = accuracy[place - 1], accuracy[place]
        return float(100 * (shares[place - 1] + (goal - low) / (high - low) * (shares[place] - shares[place - 1])))


def mean_apgr(curves: Sequence[Curve]) -> Callable[[Doubles | None], float]:
    """The average over seeds, as a function of the weights of requests."""
    return lambda weights: float(np.mean([curve.apgr(weights) for curve in curves]))


def interval(
    measure: Callable[[Doubles], float],
    size: int,
    beside: Callable[[Doubles], float] | None = None,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """The 95% bootstrap interval of `measure` over resampled requests, or of its paired difference to `beside`."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(resamples):
        weights = np.bincount(rng.integers(0, size, size), minlength=size).astype(np.float64)
        found.append(measure(weights) - (beside(weights) if beside else 0.0))
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


class Frontier:
    """Accuracy against mean cost when each request goes to the expert of the most quality less `rate` times cost."""

    def __init__(self, quality: Doubles, expected_cost: Doubles, scores: Doubles, costs: Doubles) -> None:
        spread = max(float(np.ptp(expected_cost)), 1e-12)
        picks = [
            np.argmax(quality - rate * expected_cost, axis=1) for rate in [0.0, *(np.geomspace(1e-4, 10, 120) / spread)]
        ]
        rows = np.arange(len(scores))
        self._right = np.array([scores[rows, pick] for pick in picks])
        self._spent = np.array([costs[rows, pick] for pick in picks])

    def points(self, weights: Doubles | None = None) -> tuple[Doubles, Doubles]:
        """Mean cost and accuracy at each rate, from money no object to the cheapest."""
        weight = np.ones(self._right.shape[1]) if weights is None else weights
        total = weight.sum()
        return self._spent @ weight / total, self._right @ weight / total

    def accuracy_at(self, cost: float, weights: Doubles | None = None) -> float:
        """The accuracy of the dearest setting that costs no more than `cost`; of the cheapest where none does."""
        spent, right = self.points(weights)
        inside = np.flatnonzero(spent <= cost)
        return float(right[inside[np.argmax(spent[inside])]] if len(inside) else right[np.argmin(spent)])

    def cost_at(self, accuracy: float, weights: Doubles | None = None) -> float:
        """The least cost at which `accuracy` is reached; infinite where it never is."""
        spent, right = self.points(weights)
        return float(min(spent[right >= accuracy], default=np.inf))
