"""Random Fourier features of an embedding: a linear model over them bends as one with a Gaussian kernel does.

Their frequencies are structured (SORF; Yu et al. 2016, arXiv 1610.09072): an embedding, filled up with zeros to a power
of two, is three times given random signs and turned by a Hadamard matrix. That is orthogonal, needs no matrix of its
own, and comes nearer to the kernel than independent frequencies do.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.linalg import hadamard

Floats = npt.NDArray[np.float32]
Signs = npt.NDArray[np.int8]

FREQUENCIES = 2_048
"""Twice as many features."""
GAMMA = 0.25
"""The kernel that they stand for is exp(-GAMMA d^2), d^2 being the mean square of the differences in spreads."""
TURNS = 3
"""How often signs and Hadamard matrix are applied."""
LEAST = 64
"""Numbers that an embedding is filled up to: the products of fewer are not near enough to normal ones."""


def drawn(size: int) -> Signs:
    """Random signs for embeddings of `size`: blocks x `TURNS` x the power of two that `size` is filled up to, as many
    blocks as `FREQUENCIES` need. Always the same ones; none where there is no embedding.
    """
    found = np.random.Generator(np.random.PCG64(11)).integers(0, 2, _form(size), dtype=np.int8)
    return np.asarray(2 * found - 1, dtype=np.int8)


def fits(signs: npt.NDArray[np.generic], size: int) -> bool:
    """Whether `signs` are some for embeddings of `size`."""
    return signs.shape == _form(size) and bool((np.abs(signs.astype(np.float32)) == 1).all())


def bent(embeddings: Floats, signs: Signs, weight: float) -> Floats:
    """The features (... x 2 `FREQUENCIES`), of squared length `weight`, of standardised `embeddings` (... x size)."""
    return waves(_angles(embeddings, signs), weight)


def waves(angles: Floats, weight: float) -> Floats:
    """Both waves of each of `angles`, of squared length `weight` together."""
    found = np.concatenate([np.cos(angles), np.sin(angles)], axis=-1)
    return np.asarray(found * np.float32((weight / angles.shape[-1]) ** 0.5))


def _angles(embeddings: Floats, signs: Signs) -> Floats:
    size, filled = embeddings.shape[-1], signs.shape[-1]
    padded = np.zeros((*embeddings.shape[:-1], filled), dtype=np.float32)
    padded[..., :size] = embeddings
    parts = []
    for block in signs.astype(np.float32):
        turned = padded
        for row in block:
            turned = _turned(turned * row)
        parts.append(turned)
    # A row of the Hadamard matrix has the length of `filled` ones; as much of a normal one falls on `size` numbers.
    scale = np.float32((2 * GAMMA * filled / size) ** 0.5)
    return np.asarray(np.concatenate(parts, axis=-1)[..., :FREQUENCIES] * scale)


def _turned(rows: Floats) -> Floats:
    """`rows` times the orthogonal Hadamard matrix of their length, which is the Kronecker product of two small ones."""
    left, right = _halves(rows.shape[-1])
    folded = rows.reshape(*rows.shape[:-1], len(left), len(right))
    return np.asarray(left @ folded @ right, dtype=np.float32).reshape(rows.shape)


@cache
def _halves(size: int) -> tuple[Floats, Floats]:
    low = 1 << ((size.bit_length() - 1) // 2)
    return _orthogonal(low), _orthogonal(size // low)


def _orthogonal(size: int) -> Floats:
    return np.asarray(hadamard(size) / size**0.5, dtype=np.float32)


def _form(size: int) -> tuple[int, int, int]:
    filled = max(LEAST, 1 << max(0, size - 1).bit_length())
    return -(-FREQUENCIES // filled) if size else 0, TURNS, filled
