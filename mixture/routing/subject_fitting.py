"""Fitting a domain classifier; `python -m mixture.routing.subject_fitting` makes the packaged one again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mixture.routing.encoder import Buckets, word_buckets
from mixture.routing.ridge import Design, Spectrum, solve
from mixture.routing.static import StaticEncoder, packaged
from mixture.routing.subjects import PACKAGED, DomainClassifier, known, save, subjects

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

SHARPNESS: tuple[float, ...] = (3.0, 5.0, 8.0, 12.0, 18.0, 26.0, 36.0)
PENALTIES: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0)
TUNED = 2_000
"""Texts that penalty and sharpness are chosen on."""


def fit(texts: Sequence[str], domains: Sequence[str], encoder: StaticEncoder | None = None) -> DomainClassifier:
    """A classifier of `domains` (one a text) from examples. Raises ValueError without two domains."""
    encoder = encoder or packaged()
    names = tuple(sorted(set(domains)))
    if len(names) < 2:
        raise ValueError("a classifier needs texts of at least two domains")
    buckets = [word_buckets(text) for text in texts]
    vocabulary, rarity = _vocabulary(buckets)
    design = Design(_matrix(buckets, vocabulary, rarity), encoder.encode_all(texts))
    truth = np.array([[name == domain for name in names] for domain in domains], dtype=np.float64)
    sample = np.sort(np.random.default_rng(0).permutation(len(texts))[:TUNED])
    penalty, sharpness = _chosen(design.rows(sample), truth[sample])
    base = truth.mean(0)
    weights = solve(design, truth - base, penalty)
    words, meaning = weights.sparse.astype(np.float32), weights.dense.astype(np.float32)
    return DomainClassifier(encoder, names, vocabulary, rarity, words, meaning, base.astype(np.float32), sharpness)


def _chosen(design: Design, truth: Doubles) -> tuple[float, float]:
    """The penalty of the least left-out error, and the sharpness that makes left-out probabilities the most likely."""
    tuning = Spectrum(design.gram()).tune(truth, PENALTIES)
    own = truth.argmax(1)
    likely = []
    for sharpness in SHARPNESS:
        raised = tuning.left_out * sharpness
        raised = raised - raised.max(1, keepdims=True)
        logs = raised - np.log(np.exp(raised).sum(1, keepdims=True))
        likely.append(float(logs[np.arange(len(own)), own].mean()))
    return tuning.penalty, SHARPNESS[int(np.argmax(likely))]


def _vocabulary(texts: Sequence[Buckets]) -> tuple[Buckets, Floats]:
    """The buckets that occur, sorted, and their inverse document frequencies."""
    found, counts = np.unique(np.concatenate([*map(np.unique, texts)]), return_counts=True)
    rarity = np.log((1 + len(texts)) / (1 + counts)) + 1
    return found, rarity.astype(np.float32)


def _matrix(texts: Sequence[Buckets], vocabulary: Buckets, rarity: Floats) -> sparse.csr_matrix:
    rows = [known(text, vocabulary, rarity) for text in texts]
    ends = np.cumsum([0, *(len(columns) for columns, _ in rows)])
    columns, values = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return sparse.csr_matrix((values, columns, ends), shape=(len(rows), len(rarity)))


def examples() -> tuple[list[str], list[str]]:
    """The texts of `subjects.yaml`, and the domain of each."""
    pairs = [(text, name) for name, subject in subjects().items() for text in subject.texts]
    return [text for text, _ in pairs], [name for _, name in pairs]


if __name__ == "__main__":
    save(replace(fit(*examples()), skills={name: subject.skills for name, subject in subjects().items()}), PACKAGED)
