"""Vectors in memory, and the nearest to a query."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Index:
    """Unit vectors as rows of one float32 matrix; similarity is the cosine."""

    def __init__(self, vectors: Sequence[Sequence[float]]) -> None:
        self._matrix: NDArray[np.float32] = np.asarray(vectors, dtype=np.float32)

    def __len__(self) -> int:
        return len(self._matrix)

    def similarities(self, vector: Sequence[float]) -> NDArray[np.float32]:
        """The cosine of every row with the unit `vector`, shape (len(self),)."""
        if not len(self):
            return np.zeros(0, dtype=np.float32)
        return self._matrix @ np.asarray(vector, dtype=np.float32)


def best(scores: NDArray[np.float32], k: int) -> list[int]:
    """The positions of the `k` highest scores, highest first; the earlier one first where they are equal."""
    return [int(i) for i in np.argsort(-scores, kind="stable")[: max(k, 0)]]
