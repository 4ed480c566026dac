"""One ranking out of several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

K = 60
"""The constant of Cormack, Clarke and Büttcher 2009: a high rank in one ranking does not outweigh all others."""

WORDS: Mapping[str, float] = {"minilm": 0.3, "static": 0.5}
"""What a passage's words count beside its meaning, in 0..1, by encoder. Chosen on the training claims of SciFact, in
the middle of a broad range in which nothing much changes (`python -m benchmarks.retrieval`)."""


def reciprocal_rank_fusion(rankings: Sequence[Sequence[T]], weights: Sequence[float] | None = None) -> dict[T, float]:
    """For each item the sum over `rankings` of weight / (K + its rank, from 1), the highest first; ties in the order of
    the rankings. (Cormack et al., SIGIR 2009.)
    """
    scores: defaultdict[T, float] = defaultdict(float)
    for place, ranking in enumerate(rankings):
        for rank, item in enumerate(ranking, 1):
            scores[item] += (1.0 if weights is None else weights[place]) / (K + rank)
    return dict(sorted(scores.items(), key=lambda pair: -pair[1]))


def by_score(found: Sequence[tuple[str, float, float]]) -> list[float]:
    """A score for each of `found` (the encoder's name, BM25's score or 0, the cosine): the weighted sum of its BM25
    score, as a share of the best one's, and its cosine. What words did not find gets half of the least score that they
    gave. Scores say how far ahead a passage is, which ranks don't (a convex combination: Bruch et al. 2023, arXiv
    2210.11934).
    """
    given = [words for _, words, _ in found if words]
    best, least = max(given, default=1.0), min(given, default=0.0) / 2
    weights = [WORDS.get(encoder, WORDS["minilm"]) for encoder, _, _ in found]
    return [
        w * max(words, least) / best + (1 - w) * cosine for w, (_, words, cosine) in zip(weights, found, strict=True)
    ]
