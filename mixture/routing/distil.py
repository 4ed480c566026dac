"""Distil the token vectors of `mixture.routing.static` from MiniLM: `python -m mixture.routing.distil DIR`.

DIR holds WordNet 3.0's files `data.noun`, `data.verb`, `data.adj` and `data.adv` (Debian's package `wordnet-base` puts
them into /usr/share/wordnet). Two steps:

1. Each token of MiniLM's vocabulary passes the model alone; the rarer it is, the more it counts (model2vec: Zipf).
2. The vectors are moved so that the mean over a text's tokens comes near what MiniLM says of the whole text, for
   WordNet's definitions and examples: ridge regression towards step 1, by conjugate gradients.

Takes some 15 minutes on one core.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mixture import embedding
from mixture.routing.static import PACKAGED, save
from mixture.routing.wordpiece import WordPiece

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

DIMENSIONS = 192
TEXTS = 64_000
"""Definitions that are learned from, drawn at random."""
RARITY = 1e-5
"""Smooth inverse frequency: a token of probability p counts RARITY / (RARITY + p)."""
PENALTY = 40.0
"""Average texts of a token after which they count as much as its own vector."""
STEPS = 60
COMMON = 1_000
"""The rank that single characters are given, which the vocabulary lists first whatever their frequency."""

_MARKER = re.compile(r"\(\w+\)$")
_ABOUT = {
    "model": "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0)",
    "texts": "WordNet 3.0 (Princeton University, WordNet licence)",
}


def definitions(folder: Path) -> list[str]:
    """WordNet's synonyms with their definition and examples, a text each."""
    texts = []
    for kind in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{kind}").read_text(encoding="utf-8").splitlines():
            if line.startswith("  "):  # the licence
                continue
            entry, _, gloss = line.partition(" | ")
            fields = entry.split()
            words = [_MARKER.sub("", fields[4 + 2 * number]) for number in range(int(fields[3], 16))]
            texts.append(f"{', '.join(words).replace('_', ' ')}: {gloss.strip()}")
    return texts


def kept(vocabulary: Sequence[str]) -> npt.NDArray[np.int64]:
    """Places of the pieces that are worth their room: no marks of the model's own, no letters it hardly learned."""
    wanted = [
        place
        for place, piece in enumerate(vocabulary)
        if not (len(piece) > 1 and piece.startswith("[")) and all(_european(character) for character in piece)
    ]
    return np.array(wanted, dtype=np.int64)


def _european(character: str) -> bool:
    return ord(character) < 0x400 or not character.isalpha()


def alone(model: Any, places: npt.NDArray[np.int64]) -> Floats:
    """The model's vectors (tokens x its dimensions) for texts of one token each."""
    import torch

    tokenizer, transformer = model.tokenizer, model[0].auto_model.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(places), 512):
            inner = torch.from_numpy(places[start : start + 512])
            edges = [torch.full_like(inner, mark) for mark in (tokenizer.cls_token_id, tokenizer.sep_token_id)]
            tokens = torch.stack([edges[0], inner, edges[1]], 1)
            hidden = transformer(input_ids=tokens, attention_mask=torch.ones_like(tokens)).last_hidden_state
            found.append(hidden.mean(1).numpy())
    return np.concatenate(found).astype(np.float32)


def weighted(vectors: Floats, places: npt.NDArray[np.int64], first_word: int) -> Doubles:
    """Centred token vectors, frequent ones made short. From `first_word` on, the vocabulary is sorted by it."""
    ranks = places - first_word + 1
    chances = 1 / np.where(ranks < 1, COMMON, ranks)
    rarity = RARITY / (RARITY + chances / chances.sum())
    return np.asarray((vectors - vectors.mean(0)) * rarity[:, None], dtype=np.float64)


def fitted(start: Doubles, counts: sparse.csr_matrix, targets: Doubles) -> Doubles:
    """Token vectors near `start` whose means over texts (`counts`: texts x tokens, rows that add up to one) come near
    `targets` (texts x dimensions).
    """
    scale = float((counts @ start * targets).sum() / ((counts @ start) ** 2).sum())
    vectors = start * scale
    frequency = np.asarray(counts.multiply(counts).sum(0)).ravel()
    penalty = PENALTY * float(frequency.sum()) / float(counts.nnz)
    residual = counts.T @ (targets - counts @ vectors)
    direction, size = residual.copy(), (residual**2).sum(0)
    for _ in range(STEPS):
        image = counts.T @ (counts @ direction) + penalty * direction
        step = size / np.maximum((direction * image).sum(0), 1e-30)
        vectors = vectors + step * direction
        residual = residual - step * image
        before, size = size, (residual**2).sum(0)
        direction = residual + size / np.maximum(before, 1e-30) * direction
    return vectors


def shares(tokenize: WordPiece, texts: Sequence[str], size: int) -> sparse.csr_matrix:
    """How large a part of each text each token is (texts x tokens)."""
    rows = [tokenize(text) for text in texts]
    ends = np.cumsum([0, *map(len, rows)])
    values = np.concatenate([np.full(len(row), 1 / len(row)) for row in rows if row])
    columns = np.array([place for row in rows for place in row], dtype=np.int64)
    return sparse.csr_matrix((values, columns, ends), shape=(len(rows), size))


def main(arguments: Sequence[str] | None = None) -> None:
    """Distil and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wordnet", type=Path, help="the folder with WordNet's data files")
    parser.add_argument("--out", type=Path, default=PACKAGED, help="where to write; the packaged file when left out")
    chosen = parser.parse_args(arguments)
    texts = definitions(chosen.wordnet)
    texts = [texts[place] for place in np.random.default_rng(0).permutation(len(texts))[:TEXTS]]
    model = embedding.model()
    vocabulary = sorted(model.tokenizer.get_vocab(), key=model.tokenizer.get_vocab().__getitem__)
    places = kept(vocabulary)
    pieces = [vocabulary[place] for place in places]
    start = weighted(alone(model, places), places, vocabulary.index("the"))
    targets = embedding.encode(texts).astype(np.float64)
    save(chosen.out, pieces, distilled(pieces, start, texts, targets), _ABOUT)


def distilled(pieces: Sequence[str], start: Doubles, texts: Sequence[str], targets: Doubles) -> Doubles:
    """Token vectors (pieces x `DIMENSIONS`) from those of the single tokens and those of whole texts."""
    centred = targets - targets.mean(0)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :DIMENSIONS]
    counts = shares(WordPiece(pieces), texts, len(pieces))
    return fitted(start @ axes, counts, centred @ axes)


if __name__ == "__main__":
    main()
