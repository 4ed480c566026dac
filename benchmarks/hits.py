"""Hits of the semantic cache over all thresholds: GPTCache's pairs, inserted and looked up in the cache's own index."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from mixture.caching.meaning.english import in_english
from mixture.caching.meaning.index import Index, Question
from mixture.caching.meaning.signature import signature_of
from mixture.caching.meaning.vectors import vector_of
from mixture.caching.store import Slot
from mixture.embedding import encode
from mixture.routing.static import packaged

SETTING = b"one"


@dataclass(frozen=True, slots=True)
class Hits:
    """Of each look-up the best score, whether that row is the right one, and whether its text is the right one's."""

    scores: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]
    same: npt.NDArray[np.bool_]

    def at_most(self, wrong: int) -> tuple[int, int, int]:
        """Right hits, wrong ones, and wrong ones on the very text, at the lowest threshold with so many wrong ones."""
        order = np.argsort(-self.scores, kind="stable")
        missed = np.cumsum(~self.right[order])
        taken = order[: int(np.searchsorted(missed, wrong, side="right"))]
        return self._counts(taken)

    def above(self, threshold: float) -> tuple[int, int, int]:
        """The same at a threshold."""
        return self._counts(np.flatnonzero(self.scores >= threshold))

    def _counts(self, taken: npt.NDArray[np.intp]) -> tuple[int, int, int]:
        right = int(self.right[taken].sum())
        return right, len(taken) - right, int((self.same & ~self.right)[taken].sum())


def measured(folder: Path, encoder: str) -> Hits:
    """Every `similar` looked up among all `origin`."""
    rows = pq.read_table(folder / "gptcache_mock.parquet").to_pylist()
    origins, asked = [row["origin"] for row in rows], [row["similar"] for row in rows]
    kept, looked = _questions(origins, encoder), _questions(asked, encoder)
    index = Index()
    for number, question in enumerate(kept):
        if not in_english(origins[number]):
            continue
        index.add(SETTING, question, Slot("all", number.to_bytes(4, "big"), b"", 0.0, 0), lambda slot, size: True)
    found = [index.find(SETTING, question) for question in looked]
    scores = np.array([score for score, _ in filter(None, found)])
    scores[[not in_english(text) for text in asked]] = -1.0  # the cache compares no such question
    places = np.array([int.from_bytes(slot.key, "big") for _, slot in filter(None, found)])
    right = places == np.arange(len(rows))
    same = np.array([origins[place] == origins[row] for row, place in enumerate(places)])
    return Hits(scores, right, same)


def _questions(texts: list[str], encoder: str) -> list[Question]:
    meanings = encode(texts) if encoder == "minilm" else packaged().encode_all(texts)
    return [
        Question(vector_of(text, meaning), signature_of(text)) for text, meaning in zip(texts, meanings, strict=True)
    ]
