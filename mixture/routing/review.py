"""What a calibration is worth, on requests that it never saw, and what changed since the one before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mixture.routing.calibrating import embedded
from mixture.routing.calibration import Calibration, Held
from mixture.routing.outcomes import Outcomes
from mixture.routing.promise import Promises, Rule
from mixture.types import ExpertCard

Doubles = npt.NDArray[np.float64]

RESAMPLES = 1_000
"""Bootstrap resamples behind an interval of 95%."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its interval of 95%."""

    value: float
    low: float
    high: float


def share(counts: Doubles, over: Doubles) -> Figure:
    """The sum of `counts` over the sum of `over` (a number of each for every request), requests being resampled
    (Poisson bootstrap). NaN where there is nothing to divide by.
    """
    if not over.sum():
        return Figure(np.nan, np.nan, np.nan)
    rng = np.random.default_rng(11)
    found = np.empty(RESAMPLES)
    for start in range(0, RESAMPLES, 100):
        weights = rng.poisson(1.0, (100, len(over)))
        with np.errstate(invalid="ignore"):
            found[start : start + 100] = (weights @ counts) / (weights @ over)
    low, high = np.nanquantile(found, (0.025, 0.975))
    return Figure(float(counts.sum() / over.sum()), float(low), float(high))


def mean(values: Doubles) -> Figure:
    """The mean of those of `values` that are known."""
    known = np.isfinite(values)
    return share(np.where(known, values, 0.0), known.astype(np.float64))


def error(held: Held) -> Figure:
    """The mean square of what predictions were off by (Brier's score where scores are 0 or 1): smaller is better."""
    return _per_request((held.predicted - held.scores) ** 2)


def error_change(held: Held, before: Held) -> Figure:
    """How much smaller the error has become, of the same experts on the same requests: negative is worse."""
    return _per_request((before.predicted - held.scores) ** 2 - (held.predicted - held.scores) ** 2)


def _per_request(table: npt.NDArray[np.floating]) -> Figure:
    known = np.isfinite(table)
    return share(np.where(known, table, 0.0).sum(1).astype(np.float64), known.sum(1).astype(np.float64))


def again(before: Calibration, outcomes: Outcomes, rows: Sequence[int], experts: Sequence[str]) -> Held:
    """What an earlier calibration says of the same requests, for `experts`, all of whom it knows. Raises LookupError
    when there is no encoder of the name that it was made with.
    """
    columns = [before.predictor.experts.index(name) for name in experts]
    prompts = [outcomes.prompts[row] for row in rows]
    vectors = embedded(before.encoder, prompts)
    given = [None] * len(prompts) if vectors is None else vectors
    predicted = [
        before.predictor.qualities(prompt, vector)[columns] for prompt, vector in zip(prompts, given, strict=True)
    ]
    scores = outcomes.among(list(experts)).rows(rows).scores
    return Held(np.array(predicted, dtype=np.float32).reshape(len(predicted), len(columns)), scores.astype(np.float32))


def rule(calibration: Calibration, quality: float) -> Rule | None:
    """The rule for all experts of a calibration at the costs that its log recorded; None without costs."""
    cards = [ExpertCard(name, "log") for name in calibration.predictor.experts]
    found = Promises(calibration).rule(cards, quality)
    return found if found is not None and found.floor.rows else None


def cheaper(calibration: Calibration, found: Rule) -> Figure:
    """The cost of routing by a rule, as a share of what the strong expert alone would cost, at usual costs."""
    predicted, _ = calibration.held.of(found.columns)
    picked = found.picks(predicted)
    costs = np.array([calibration.predictor.records[column].cost_usd for column in found.columns])
    return share(costs[picked], np.full(len(picked), costs[-1]))
