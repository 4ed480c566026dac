"""Vectors whose dot product says how alike two texts are: half by what an encoder makes of them, half by their letters.

The letters are hashed runs of three to five bytes, which know names and identifiers that no encoder does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

BUCKETS = 1_024
_MIX = np.uint32(0x9E3779B1)


def letters(text: str) -> Floats:
    """The runs of letters in `text` (`BUCKETS`), of length one; zeros for an empty text."""
    line = f" {' '.join(text.lower().split())} ".encode(errors="replace")
    data = np.frombuffer(line, dtype=np.uint8).astype(np.uint32) + np.uint32(1)
    rolled, parts = data, []
    for length in range(2, 6):
        rolled = rolled[:-1] * np.uint32(0x01000193) ^ data[length - 1 :]
        if length > 2:
            parts.append((rolled * _MIX) >> np.uint32(22))
        if len(rolled) < 2:
            break
    if not parts:
        return np.zeros(BUCKETS, dtype=np.float32)
    counts = np.sqrt(np.bincount(np.concatenate(parts), minlength=BUCKETS).astype(np.float32))
    return np.asarray(counts / max(float(np.sqrt(counts @ counts)), 1e-12), dtype=np.float32)


def vector_of(text: str, meaning: npt.ArrayLike) -> Floats:
    """The vector of `text`, whose encoder's vector (of length one) is `meaning`."""
    half = np.float32(np.sqrt(0.5))
    return np.concatenate([np.asarray(meaning, dtype=np.float32) * half, letters(text) * half])
