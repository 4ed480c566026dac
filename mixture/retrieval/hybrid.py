"""The best passages of several collections. Vectors and words each name candidates; what both say of a candidate
decides where it stands, and a model that reads them may put the first ones in order again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixture.retrieval.access import Place
from mixture.retrieval.fusion import by_score
from mixture.retrieval.host import Filter
from mixture.retrieval.store import Hit, Store

DEPTH = 100
"""Candidates that each ranking names, at least."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A collection to be searched, its encoder's name, and the question's vector by that encoder."""

    place: Place
    encoder: str
    vector: Sequence[float]


@dataclass(frozen=True, slots=True)
class Found:
    """A passage with where it was found, its cosine with the question, and its score among those that were found with
    it (higher is better, no scale).
    """

    asked: Asked
    hit: Hit
    similarity: float
    score: float = 0.0


Rerank = Callable[[str, Sequence[Found]], Awaitable[Sequence[float]]]
"""New scores for what was found for a question, best first, in the same order."""


async def hybrid(
    store: Store, collections: Sequence[Asked], text: str, k: int, wanted: Filter, rerank: Rerank | None = None
) -> list[Found]:
    """The `k` best passages for `text`, best first. Raises IndexUnavailable, and what `rerank` raises."""
    depth = max(DEPTH, k)
    groups = await asyncio.gather(*(candidates(store, asked, text, depth, wanted) for asked in collections))
    best = ordered([one for group in groups for one in group])
    if rerank is not None and len(best) > 1:
        scores = await rerank(text, best)
        best = _sorted([replace(one, score=score) for one, score in zip(best, scores, strict=True)])
    return best[:k]


async def candidates(store: Store, asked: Asked, text: str, depth: int, wanted: Filter) -> list[Found]:
    """What is nearest by meaning, and what matches best by words: at most `depth` of each."""
    by_meaning, by_words = await asyncio.gather(
        store.nearest(asked.place, asked.vector, depth, wanted), store.matching(asked.place, text, depth, wanted)
    )
    hits = {hit.id: hit for hit in (*by_meaning, *by_words)}  # what words found carries BM25's score, and stays
    question = np.asarray(asked.vector, dtype=np.float32)
    return [Found(asked, hit, float(hit.vector @ question)) for hit in hits.values()]


def ordered(found: Sequence[Found]) -> list[Found]:
    """`found` by their scores, best first."""
    scores = by_score([(one.asked.encoder, one.hit.score, one.similarity) for one in found])
    return _sorted([replace(one, score=score) for one, score in zip(found, scores, strict=True)])


def _sorted(found: Sequence[Found]) -> list[Found]:
    return sorted(found, key=lambda one: -one.score)
