"""From encoded texts to feature vectors: what is learned about the features themselves, from prompts alone.

A vector has a sparse part (hashed words and characters, each weighted by inverse document frequency and brought to
length one) and a dense part: the standardised shape, and random Fourier features of it, which let a linear model bend
(Rahimi and Recht 2007). A heavier encoder's embedding may be added to the dense part: standardised, and bent in the
same way (see `bending`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mixture.routing.bending import Signs, bent, drawn, fits, waves
from mixture.routing.encoder import BUCKETS, Encoding
from mixture.routing.shape import BENT_SIZE, LENGTH, SHAPE_SIZE

Floats = npt.NDArray[np.float32]

FREQUENCIES = 192
"""Random frequencies of the shape's bend: twice as many features."""
HALF = 0.5**0.5
"""The length of each of the two sparse blocks, words and characters: together they have length one."""
CLIP = 4.0
"""Standard deviations beyond which a shape counts as no stranger."""
FLOOR = 0.25
"""The least spread of a shape's number when strangeness is measured: what never varied may not vary much."""
STORED = ("rarity", "mean", "spread", "frequencies", "limits", "embedding_mean", "embedding_spread")
"""The fields that are stored as they are."""
ORDINARY = 0.995
"""A request is strange when its shape, or its share of unknown buckets, lies beyond this quantile of the log's own; and
its embedding does, where it has one: a heavier encoder knows words that the log does not have."""
TOLERATED = 2.0, 0.2, 2.0
"""The least limits: a log of prompts that are all alike would else call every other prompt strange."""


@dataclass(frozen=True, slots=True)
class Scales:
    """What each dense part of a vector weighs beside its words and characters, which weigh one: squared lengths."""

    line: float = 0.0
    bend: float = 0.6
    embedding: float = 0.5


@dataclass(frozen=True, slots=True)
class Vector:
    """One request: positions and values in the sparse part, and the dense part."""

    positions: npt.NDArray[np.int64]
    values: Floats
    dense: Floats
    strange: bool = False


@dataclass(frozen=True, slots=True)
class Features:
    """The map from encodings to vectors. `position` leads from a bucket to its place in the sparse part or to -1;
    `limits` are those of shape, unknown buckets and embedding beyond which a request is unlike every prompt of the log.
    Those of the embedding are empty without a heavier encoder.
    """

    position: npt.NDArray[np.int32]
    rarity: Floats
    mean: Floats
    spread: Floats
    frequencies: Floats
    limits: Floats
    scales: Scales
    embedding_mean: Floats
    embedding_spread: Floats
    embedding_signs: Signs

    @classmethod
    def fit(
        cls,
        encodings: Sequence[Encoding],
        scales: Scales | None = None,
        least: int = 2,
        embeddings: Floats | None = None,
    ) -> Features:
        """Learn which buckets occur in at least `least` prompts, how rare they are, and how shapes, and `embeddings`
        where there are any (prompts x size), vary.
        """
        scales = scales or Scales()
        counts = np.zeros(2 * BUCKETS, dtype=np.int64)
        for encoding in encodings:
            counts[encoding.words] += 1
            counts[encoding.chars.astype(np.int64) + BUCKETS] += 1
        kept = np.flatnonzero(counts >= min(least, len(encodings)))
        position = np.full(2 * BUCKETS, -1, dtype=np.int32)
        position[kept] = np.arange(len(kept), dtype=np.int32)
        rarity = np.log((1 + len(encodings)) / (1 + counts[kept])) + 1
        shapes = np.array([encoding.shape for encoding in encodings], dtype=np.float64)
        spread = shapes.std(0)
        active = max(1, int((spread[:BENT_SIZE] > 1e-6).sum()))
        normal = np.random.Generator(np.random.PCG64(7)).standard_normal((BENT_SIZE, FREQUENCIES))
        fitted = cls(
            position=position,
            rarity=rarity.astype(np.float32),
            mean=shapes.mean(0).astype(np.float32),
            spread=np.where(spread > 1e-6, spread, np.inf).astype(np.float32),
            frequencies=(normal * np.sqrt(2 / active)).astype(np.float32),
            limits=np.full(3, np.inf, dtype=np.float32),
            scales=scales,
            **_varied(np.empty((1, 0), dtype=np.float32) if embeddings is None else embeddings),
        )
        by_others = np.where(counts > least, position, -1)[BUCKETS:]
        given = [None] * len(encodings) if embeddings is None else embeddings
        pairs = zip(encodings, given, strict=True)
        found = np.array([fitted._strangeness(one.shape, by_others.take(one.chars), vector) for one, vector in pairs])
        return replace(fitted, limits=np.maximum(np.quantile(found, ORDINARY, axis=0), TOLERATED).astype(np.float32))

    def _strangeness(
        self, shape: Floats, places: npt.NDArray[np.int32], embedding: Floats | None
    ) -> tuple[float, float, float]:
        """How far `shape` lies from the log's (mean square, in spreads), the share of buckets without one of `places`,
        and how far the embedding lies from the log's, 0 where there is none.
        """
        far = 0.0 if embedding is None else float((self._standardised(embedding) ** 2).mean())
        return self._away(shape), _unknown(places), far

    def _away(self, shape: Floats) -> float:
        spread = np.where(np.isfinite(self.spread), np.maximum(self.spread, FLOOR), FLOOR)
        away = (shape - self.mean) / spread
        return float(away @ away) / SHAPE_SIZE

    @property
    def sparse_size(self) -> int:
        """The length of the sparse part."""
        return len(self.rarity)

    def vector(self, encoding: Encoding, embedding: Floats | None = None) -> Vector:
        """One request's vector."""
        places = self.position[BUCKETS:].take(encoding.chars)
        words = self._block(self.position.take(encoding.words), encoding.word_counts)
        chars = self._block(places, encoding.char_counts)
        return Vector(
            np.concatenate([words[0], chars[0]]),
            np.concatenate([words[1], chars[1]]),
            self.dense(encoding.shape, embedding),
            self._strange(encoding.shape, places, embedding),
        )

    def _strange(self, shape: Floats, places: npt.NDArray[np.int32], embedding: Floats | None) -> bool:
        away, unknown, far = self._strangeness(shape, places, embedding)
        limits = self.limits.tolist()
        return (away > limits[0] or unknown > limits[1]) and (embedding is None or far > limits[2])

    def length(self, encoding: Encoding) -> float:
        """How long the question is: the logarithm of its words, in spreads from the log's mean."""
        away = (encoding.shape[LENGTH] - self.mean[LENGTH]) / self.spread[LENGTH]
        return float(min(CLIP, max(-CLIP, away)))

    def matrix(self, vectors: Sequence[Vector]) -> tuple[sparse.csr_matrix, Floats]:
        """Vectors stacked: the sparse parts as a sparse matrix, the dense parts as an array."""
        lengths = np.cumsum([0, *(len(vector.positions) for vector in vectors)])
        values = np.concatenate([vector.values for vector in vectors])
        positions = np.concatenate([vector.positions for vector in vectors])
        shape = (len(vectors), self.sparse_size)
        return sparse.csr_matrix((values, positions, lengths), shape=shape), np.array([v.dense for v in vectors])

    def _block(self, places: npt.NDArray[np.int32], counts: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
        known = places >= 0
        rows = places[known].astype(np.int64)
        values = (1 + np.log(counts[known])) * self.rarity.take(rows)
        length = float(np.sqrt(values @ values))
        return rows, values * np.float32(HALF / length if length else 0.0)

    def dense(self, shape: Floats, embedding: Floats | None) -> Floats:
        """The dense part for one shape, or for many at once (rows x `SHAPE_SIZE`)."""
        line = np.minimum(np.maximum((shape - self.mean) / self.spread, -CLIP), CLIP)
        angles = line[..., :BENT_SIZE] @ self.frequencies
        parts = [line * (self.scales.line / SHAPE_SIZE) ** 0.5, waves(angles, self.scales.bend)]
        if embedding is not None:
            parts.append(bent(self._standardised(embedding), self.embedding_signs, self.scales.embedding))
        return np.concatenate(parts, axis=-1).astype(np.float32, copy=False)

    def _standardised(self, embedding: Floats) -> Floats:
        if embedding.shape[-1] != len(self.embedding_mean):
            raise ValueError("the predictor was fitted with another encoder: pass the embedding that belongs to it")
        away = (embedding - self.embedding_mean) / self.embedding_spread
        return np.asarray(np.minimum(np.maximum(away, -CLIP), CLIP))

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """What has to be stored to have these features again."""
        buckets = np.flatnonzero(self.position >= 0).astype(np.int32)
        kept = {name: getattr(self, name) for name in STORED}
        return {"buckets": buckets, "embedding_signs": self.embedding_signs, **kept}

    @classmethod
    def restore(cls, arrays: Mapping[str, npt.NDArray[np.generic]], scales: Scales) -> Features:
        """The features that `arrays` describe. Raises ValueError when they don't belong together."""
        buckets = arrays["buckets"].astype(np.int64)
        kept = {name: arrays[name].astype(np.float32) for name in STORED}
        size = len(kept["embedding_mean"])
        sizes = (len(buckets), SHAPE_SIZE, SHAPE_SIZE, (BENT_SIZE, FREQUENCIES), 3, size, size)
        shapes = tuple(kept[name].shape for name in STORED)
        if shapes != tuple(np.broadcast_shapes(size) for size in sizes) or not fits(arrays["embedding_signs"], size):
            raise ValueError("the stored features have other sizes than this version's")
        if len(buckets) and not (buckets.min() >= 0 and buckets.max() < 2 * BUCKETS):
            raise ValueError("the stored features name buckets that don't exist")
        position = np.full(2 * BUCKETS, -1, dtype=np.int32)
        position[buckets] = np.arange(len(buckets), dtype=np.int32)
        signs = arrays["embedding_signs"].astype(np.int8)
        return cls(position=position, scales=scales, embedding_signs=signs, **kept)


def _unknown(places: npt.NDArray[np.int32]) -> float:
    """The share of buckets that have no place."""
    return np.count_nonzero(places < 0) / len(places) if len(places) else 1.0


def _varied(embeddings: Floats) -> dict[str, npt.NDArray[Any]]:
    """What is learned about `embeddings` (prompts x size): the mean and the spread of each number, and the signs that
    bend them. A number that never varied counts for nothing.
    """
    spread = embeddings.std(0, dtype=np.float64)
    return {
        "embedding_mean": embeddings.mean(0, dtype=np.float64).astype(np.float32),
        "embedding_spread": np.where(spread > 1e-6, spread, np.inf).astype(np.float32),
        "embedding_signs": drawn(embeddings.shape[1]),
    }
