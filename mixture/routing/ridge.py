"""Ridge regression of many targets on mixed sparse and dense features, and its leave-one-out errors in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

Doubles = npt.NDArray[np.float64]

PENALTIES: tuple[float, ...] = (1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0, 200.0)
"""Noise over signal, tried from the most trusting to the most cautious."""
DIRECT = 3_000
"""Rows up to which a system is solved directly."""
ROUNDS, STEPS = 8, 200
"""How often, and with how many steps at most, conjugate gradients are begun."""
SINGLE = 1e-3
"""The part of a residual that single precision is tried down to, at most."""


@dataclass(frozen=True, slots=True)
class Design:
    """Rows of features: a sparse block and a dense one; `products` of the sparse rows with each other, once known."""

    sparse: sparse.csr_matrix
    dense: npt.NDArray[np.float32]
    products: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.dense)

    def rows(self, index: npt.NDArray[np.int64]) -> Design:
        """The rows at `index`."""
        products = None if self.products is None else self.products[np.ix_(index, index)]
        return Design(self.sparse[index], self.dense[index], products)

    def multiplied(self) -> Design:
        """The same with its products, which every Gram matrix of its rows needs and which take the longest."""
        if self.products is not None:
            return self
        return Design(self.sparse, self.dense, (self.sparse @ self.sparse.T).toarray())

    def times(self, weights: Weights) -> Doubles:
        """The rows times `weights`."""
        return np.asarray(self.sparse @ weights.sparse + self.dense @ weights.dense, dtype=np.float64)

    def transposed(self, rows: Doubles) -> Weights:
        """The transposed features times `rows`."""
        return Weights(np.asarray(self.sparse.T @ rows), self.dense.T @ rows)

    def image(self, rows: Doubles, single: bool = False) -> Doubles:
        """The Gram matrix times `rows`. In double precision a copy of the whole dense block is made for it, `single`
        spares that.
        """
        if not single:
            return self.times(self.transposed(rows))
        dense = self.dense @ (self.dense.T @ rows.astype(np.float32))
        return np.asarray(self.sparse @ (self.sparse.T @ rows) + dense, dtype=np.float64)

    def gram(self) -> Doubles:
        """The products of each row with each other row."""
        products = (self.sparse @ self.sparse.T).toarray() if self.products is None else self.products
        return np.asarray(products + self.dense @ self.dense.T, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Weights:
    """What each feature is worth for each target."""

    sparse: npt.NDArray[np.floating[Any]]
    dense: npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Tuning:
    """The penalty that leaves the least error, that error (mean square), and the left-out predictions it gives."""

    penalty: float
    error: float
    left_out: Doubles


class Spectrum:
    """The decomposition of a Gram matrix: every penalty's leave-one-out predictions for the price of one."""

    def __init__(self, gram: Doubles) -> None:
        values, self._vectors = np.linalg.eigh(gram)
        self._values = np.maximum(values, 0)
        self._squares = self._vectors**2

    def left_out(self, targets: Doubles, penalty: float) -> Doubles:
        """Predictions of `targets` (rows x targets), each made without its own row; the mean is not penalised."""
        inverse = 1 / (self._values + penalty)
        duals = self._vectors @ (inverse[:, None] * (self._vectors.T @ (targets - targets.mean(0))))
        return np.asarray(targets - duals / (self._squares @ inverse)[:, None])

    def tune(self, targets: Doubles, penalties: Sequence[float] = PENALTIES) -> Tuning:
        """Choose one penalty for all `targets` by their leave-one-out errors."""
        tried = []
        for penalty in penalties:
            left_out = self.left_out(targets, penalty)
            tried.append(Tuning(penalty, float(((targets - left_out) ** 2).mean()), left_out))
        return min(tried, key=lambda tuning: tuning.error)


def solve(design: Design, targets: Doubles, penalty: float, tolerance: float = 1e-3) -> Weights:
    """Weights of a ridge regression of centred `targets`: exact up to `DIRECT` rows, beyond them by conjugate gradients
    down to `tolerance`, the residual's length beside the largest target's.
    """
    if len(design) <= DIRECT:
        system = design.gram()
        system[np.diag_indices_from(system)] += penalty
        return design.transposed(np.asarray(np.linalg.solve(system, targets), dtype=np.float64))
    return design.transposed(_refined(design, targets, penalty, tolerance))


def _refined(design: Design, targets: Doubles, penalty: float, tolerance: float) -> Doubles:
    """The solution of (gram + penalty) x = targets: what single precision leaves undone is done in further rounds, in
    double precision from the round on after one that hardly helped.
    """
    goal = tolerance * _longest(targets)
    solution, left, single = np.zeros_like(targets), targets, True
    for _ in range(ROUNDS):
        more = _conjugate(design, left, penalty, max(0.8 * goal, SINGLE * _longest(left)), single)
        after = left - design.image(more) - penalty * more
        single = single and 2 * _longest(after) < _longest(left)
        if _longest(after) < _longest(left):
            solution, left = solution + more, after
        if _longest(left) <= goal:
            break
    return solution


def _longest(columns: Doubles) -> float:
    return float(np.sqrt((columns**2).sum(0).max()))


def _conjugate(design: Design, targets: Doubles, penalty: float, goal: float, single: bool) -> Doubles:
    """The same without ever forming the Gram matrix, and by its own account with a residual no longer than `goal`."""
    solution = np.zeros_like(targets)
    residual = targets.copy()
    direction = residual.copy()
    size = (residual**2).sum(0)
    for _ in range(STEPS):
        if size.max() <= goal**2:
            break
        image = design.image(direction, single) + penalty * direction
        step = size / np.maximum((direction * image).sum(0), 1e-12)
        solution += step * direction
        residual -= step * image
        before, size = size, (residual**2).sum(0)
        direction = residual + (size / np.maximum(before, 1e-12)) * direction
    return solution
