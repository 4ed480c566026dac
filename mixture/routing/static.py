"""A static encoder: a text's vector is the mean of its tokens' vectors. A few dozen microseconds, and numpy alone.

The token vectors were distilled from MiniLM by `mixture.routing.distil` and come with the package (`static.npz`;
`static.md` has source and licence). Static embeddings from a sentence encoder: model2vec (Minish 2024); a mean that is
a good sentence vector: Arora et al. 2017 (SIF).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mixture.errors import InvalidQuery
from mixture.routing.wordpiece import WordPiece

Floats = npt.NDArray[np.float32]

PACKAGED = Path(__file__).with_name("static.npz")
FORMAT = 1
FIRST_TOKENS, LAST_TOKENS = 384, 128
"""Tokens that are read of a long text, from its beginning and from its end."""
LEVELS = 7
"""Four bits hold the whole numbers from -7 to 7."""


class StaticEncoderError(InvalidQuery):
    """A file of token vectors can't be read; `message` says why."""


@dataclass(frozen=True, slots=True)
class StaticEncoder:
    """Token vectors: `levels` has whole numbers from -7 to 7 (tokens x dimensions), `scales` what each token's numbers
    are multiplied by, `spread` what each dimension's are.
    """

    tokenize: WordPiece
    levels: npt.NDArray[np.int8]
    scales: Floats
    spread: Floats

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        return len(self.spread)

    def encode(self, text: str) -> Floats:
        """The vector of `text`, of length one; zeros for a text without known tokens."""
        tokens = self.tokenize(text)
        if len(tokens) > FIRST_TOKENS + LAST_TOKENS:
            tokens = tokens[:FIRST_TOKENS] + tokens[-LAST_TOKENS:]
        if not tokens:
            return np.zeros(self.dimensions, dtype=np.float32)
        rows = np.array(tokens, dtype=np.intp)
        summed = self.scales.take(rows) @ self.levels.take(rows, axis=0).astype(np.float32)
        vector = summed * self.spread
        return np.asarray(vector / max(float(np.sqrt(vector @ vector)), 1e-12), dtype=np.float32)

    def encode_all(self, texts: Sequence[str]) -> Floats:
        """The vectors of `texts` (texts x dimensions)."""
        return np.array([self.encode(text) for text in texts], dtype=np.float32).reshape(len(texts), self.dimensions)


def unpack(packed: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
    """The numbers from -7 to 7 in `packed`, the lower half of a byte first."""
    halves = np.empty((*packed.shape[:-1], 2 * packed.shape[-1]), dtype=np.int8)
    halves[..., 0::2] = packed & 15
    halves[..., 1::2] = packed >> 4
    return halves - np.int8(LEVELS + 1)


def pack(vectors: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.uint8], Floats, Floats]:
    """`vectors` (an even number of columns) as two numbers a byte, with `scales` and `spread` of a `StaticEncoder`."""
    spread = np.maximum(vectors.std(0), 1e-9)
    even = vectors / spread
    # A token's largest numbers are cut, so that its others are told apart.
    widest = np.minimum(np.abs(even).max(1), 2.5 * np.sqrt((even**2).mean(1)))
    scales = np.maximum(widest, 1e-9) / LEVELS
    levels = np.clip(np.rint(even / scales[:, None]), -LEVELS, LEVELS).astype(np.int64) + LEVELS + 1
    packed = (levels[:, 0::2] | levels[:, 1::2] << 4).astype(np.uint8)
    return packed, scales.astype(np.float32), spread.astype(np.float32)


def save(path: Path, vocabulary: Sequence[str], vectors: npt.NDArray[np.floating], about: dict[str, str]) -> None:
    """Write token vectors (tokens x dimensions) and where they come from."""
    packed, scales, spread = pack(vectors)
    header = json.dumps({"format": FORMAT, **about}).encode()
    arrays: dict[str, Any] = {"packed": packed, "scales": scales.astype(np.float16), "spread": spread}
    for name, data in {"header": header, "vocabulary": "\n".join(vocabulary).encode()}.items():
        arrays[name] = np.frombuffer(data, np.uint8)
    np.savez_compressed(path, **arrays)


def load(path: Path = PACKAGED) -> StaticEncoder:
    """The encoder in `path`. Raises StaticEncoderError when it can't be read."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            header = json.loads(stored["header"].tobytes())
            vocabulary = stored["vocabulary"].tobytes().decode().split("\n")
            packed, scales, spread = stored["packed"], stored["scales"], stored["spread"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StaticEncoderError(f"{path}: no token vectors: {error}") from None
    if header.get("format") != FORMAT or packed.shape != (len(vocabulary), len(spread) // 2):
        raise StaticEncoderError(f"{path}: token vectors of another format: distil them again")
    return StaticEncoder(WordPiece(vocabulary), unpack(packed), scales.astype(np.float32), spread.astype(np.float32))


@cache
def packaged() -> StaticEncoder:
    """The encoder that comes with the package."""
    return load()
