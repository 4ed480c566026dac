"""How well each expert would answer a request: learned from an outcome log, for any number of experts.

Each expert's quality is the quality of a reference expert (the cheapest, or the weakest where costs are unknown) plus
its gain over it. The gain is what decides a route and is small against the noise of single outcomes, so it is learned
as such, with a penalty of its own, and its losses count half: where a weaker expert beats a stronger one, chance has
the larger part. Both are ridge regressions, so that a decision is one product of a vector and a matrix.

A request unlike every prompt of the log gets no more than what carries over from one domain to another: that longer
requests are harder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mixture.routing.encoder import Encoding, encode
from mixture.routing.features import Features, Vector
from mixture.types import ExpertCard

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

LEAST, MOST = 0.01, 0.99
"""No prediction is more certain than this."""
TRUST = 50.0
"""Outcomes after which an expert's own record weighs as much as its card's prior."""
TYPICAL_TOKENS = (500, 400)
"""Prompt and completion tokens that a price is compared by."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Linear scores of the domains that the log names; their probabilities are further features of a request."""

    names: tuple[str, ...]
    sparse: Floats
    dense: Floats
    base: Floats
    sharpness: float
    scale: float

    def features(self, vector: Vector) -> Floats:
        """The scaled probabilities of the domains."""
        scores = self.base + vector.values @ self.sparse.take(vector.positions, axis=0) + vector.dense @ self.dense
        return soften(scores, self.sharpness) * np.float32(self.scale)


def soften(scores: Floats, sharpness: float) -> Floats:
    """Probabilities from scores, along the last axis."""
    raised = np.exp((scores - scores.max(-1, keepdims=True)) * sharpness)
    return np.asarray(raised / raised.sum(-1, keepdims=True), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Record:
    """What a log says of an expert as a whole. Unknown figures are NaN."""

    rows: int
    quality: float
    cost_usd: float = math.nan
    latency_s: float = math.nan
    completion_tokens: float = math.nan


@dataclass(frozen=True, slots=True)
class Predictor:
    """A fitted predictor: frozen, so that a new one replaces it whole. `sparse` and `dense` have a column an expert;
    `effort` says how much each expert's quality changes with a spread more of length.
    """

    features: Features
    experts: tuple[str, ...]
    records: tuple[Record, ...]
    sparse: Floats
    dense: Floats
    base: Floats
    effort: Floats
    topics: Topics | None = None

    def qualities(self, text: str, embedding: Floats | None = None) -> Doubles:
        """Each known expert's probability of answering `text` well, in the order of `experts`."""
        return self.of(encode(text), embedding)

    def of(self, encoding: Encoding, embedding: Floats | None = None) -> Doubles:
        """The same for a text already encoded. Raises ValueError without the embedding that it was fitted with."""
        return np.asarray(np.clip(self.base + self.moves(encoding, embedding), LEAST, MOST))

    def predict(self, text: str, cards: Sequence[ExpertCard], embedding: Floats | None = None) -> dict[str, float]:
        """The probability for each of `cards`: learned where the log knows the expert, from its card where not, and
        in between while its record is short.
        """
        return self.blended(self.qualities(text, embedding), cards, [self.prior(card) for card in cards])

    def blended(self, qualities: Doubles, cards: Sequence[ExpertCard], priors: Sequence[float]) -> dict[str, float]:
        """What `qualities` (of the known experts) and `priors` (of `cards`) say together of each of `cards`."""
        ease = float(np.mean(qualities - self.base))
        places = {name: place for place, name in enumerate(self.experts)}
        found = {}
        for card, prior in zip(cards, priors, strict=True):
            guess = prior + ease
            place = places.get(card.name)
            if place is not None:
                share = self.records[place].rows / (self.records[place].rows + TRUST)
                guess = share * float(qualities[place]) + (1 - share) * guess
            found[card.name] = min(MOST, max(LEAST, guess))
        return found

    def prior(self, card: ExpertCard) -> float:
        """What to expect of an expert with no record: what the experts of the log reach at its price."""
        means = np.array([record.quality for record in self.records])
        costs = np.array([record.cost_usd for record in self.records])
        known = np.isfinite(means) & (costs > 0)
        average = float(np.nanmean(means)) if np.isfinite(means).any() else 0.5
        if card.price is None or known.sum() < 3 or np.ptp(np.log(costs[known])) < 0.1:
            return average
        price = (card.price.input * TYPICAL_TOKENS[0] + card.price.output * TYPICAL_TOKENS[1]) / 1e6
        low, high = float(costs[known].min()), float(costs[known].max())
        slope, start = np.polyfit(np.log(costs[known]), means[known], 1)
        return float(start + max(0.0, slope) * math.log(min(high, max(low, price)))) if slope > 0 else average

    def moves(self, encoding: Encoding, embedding: Floats | None = None) -> Floats:
        """How far each expert's quality on this request lies from its average, before any bound."""
        vector = self.features.vector(encoding, embedding)
        topics = 0 if self.topics is None else len(self.topics.names)
        if len(vector.dense) + topics != len(self.dense):
            raise ValueError("the predictor was fitted with another encoder: pass the embedding that belongs to it")
        if vector.strange:
            return self.effort * np.float32(self.features.length(encoding))
        dense = vector.dense if self.topics is None else np.append(vector.dense, self.topics.features(vector))
        rows = self.sparse.take(vector.positions, axis=0)
        return np.asarray(vector.values @ rows + dense @ self.dense, dtype=np.float32)


def gains(predicted: Mapping[str, float], weak: str, strong: str) -> float:
    """How much better `strong` is expected to answer than `weak`: what RouteLLM's threshold is compared with."""
    return predicted[strong] - predicted[weak]
