"""A log for the routing benchmarks: its prompts encoded once, and how it is divided."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from mixture.routing.encoder import Encoding, encode
from mixture.routing.fitting import TUNED_ROWS, fit_encoded
from mixture.routing.outcomes import Outcomes
from mixture.routing.predictor import Predictor

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

LABELS = 1_500
QUICK_TUNED = 700
"""Rows that the router's own choices are made on with `--quick`."""


class Prompts:
    """A log with its prompts encoded once, by a heavier encoder too where `embeddings` (prompts x size) are given."""

    def __init__(
        self,
        log: Outcomes,
        tuned: int = TUNED_ROWS,
        encodings: Sequence[Encoding] | None = None,
        embeddings: Floats | None = None,
    ) -> None:
        self.log = log
        self.tuned = tuned
        self.encodings = list(encodings) if encodings else [encode(prompt) for prompt in log.prompts]
        self.embeddings = embeddings

    def beside(self, embeddings: Floats) -> Prompts:
        """The same with a heavier encoder beside the built-in one."""
        return Prompts(self.log, self.tuned, self.encodings, embeddings)

    def fit(self, rows: Places) -> Predictor:
        """A predictor from `rows` alone."""
        given = None if self.embeddings is None else self.embeddings[rows]
        return fit_encoded([self.encodings[row] for row in rows], self.log.rows(rows), given, tuned=self.tuned)

    def qualities(self, predictor: Predictor, rows: Places) -> Doubles:
        """Predicted qualities (rows x experts), without the bounds at 0 and 1."""
        given = [None] * len(self.encodings) if self.embeddings is None else self.embeddings
        moves = [predictor.moves(self.encodings[row], given[row]) for row in rows]
        return np.array([predictor.base + move for move in moves], dtype=np.float64)


def sample(log: Outcomes, size: int) -> Outcomes:
    """At most `size` rows of a log, the same ones each time."""
    return log.rows(np.sort(np.random.default_rng(3).permutation(len(log))[:size]))


def folds(size: int, count: int, seed: int = 0) -> Iterator[tuple[Places, Places]]:
    """Random training and test rows, every row being tested once."""
    order = np.random.default_rng(seed).permutation(size)
    for number in range(count):
        test = np.sort(order[number::count])
        yield np.setdiff1d(np.arange(size), test), test
