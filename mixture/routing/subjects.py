"""The domain of a request (law, chemistry, code, chat, ...), by ridge regression on words and static vectors.

The classifier that comes with the package is fitted when it is first needed, in a moment, from the terms and examples
of `subjects.yaml`; the same `fit` learns other domains from other texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt
import yaml
from scipy import sparse

from mixture.routing.encoder import Buckets, word_buckets
from mixture.routing.ridge import Design, Spectrum, solve
from mixture.routing.static import StaticEncoder, packaged

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

MEANING = 1.0
"""What the squared length of a static vector is beside that of a text's words, which is one."""
SHARPNESS: tuple[float, ...] = (3.0, 5.0, 8.0, 12.0, 18.0, 26.0, 36.0)
PENALTIES: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0)
TUNED = 2_000
"""Texts that penalty and sharpness are chosen on."""
PACKAGED = 0.4, 12.0
"""Penalty and sharpness of the packaged classifier, as `fit` chooses them: choosing takes seconds."""


@dataclass(frozen=True, slots=True)
class Guess:
    """The likeliest domain, its probability, and those of all domains. `strength` is the winner's score before it
    became a probability: low when the text is like none of the examples.
    """

    domain: str
    probability: float
    strength: float
    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class DomainClassifier:
    """Linear scores of `names`, from hashed words (`places` leads from a bucket to a row of `words`) and from the
    static vector.
    """

    encoder: StaticEncoder
    names: tuple[str, ...]
    places: Mapping[int, int]
    rarity: Floats
    words: Floats
    meaning: Floats
    base: Floats
    sharpness: float

    def guess(self, text: str, vector: Floats | None = None) -> Guess:
        """The domain of `text`; `vector` is its static vector where that is known already."""
        scores = self.scores(text, vector)
        raised = np.exp((scores - scores.max()) * self.sharpness)
        chances = raised / raised.sum()
        best = int(np.argmax(chances))
        by_name = dict(zip(self.names, chances.tolist(), strict=True))
        return Guess(self.names[best], float(chances[best]), float(scores[best]), by_name)

    def scores(self, text: str, vector: Floats | None = None) -> Doubles:
        """The score of each domain: about one for its own texts, about zero for others'."""
        rows, values = _known(word_buckets(text), self.places, self.rarity)
        meant = self.encoder.encode(text) if vector is None else vector
        return np.asarray(self.base + values @ self.words[rows] + meant @ self.meaning, dtype=np.float64)


def fit(
    texts: Sequence[str],
    domains: Sequence[str],
    encoder: StaticEncoder | None = None,
    tuned: tuple[float, float] | None = None,
) -> DomainClassifier:
    """A classifier of `domains` (one a text) from examples, with penalty and sharpness `tuned` by left-out errors where
    they are not given. Raises ValueError without two domains.
    """
    encoder = encoder or packaged()
    names = tuple(sorted(set(domains)))
    if len(names) < 2:
        raise ValueError("a classifier needs texts of at least two domains")
    buckets = [word_buckets(text) for text in texts]
    places, rarity = _vocabulary(buckets)
    design = Design(_matrix(buckets, places, rarity), encoder.encode_all(texts) * np.float32(MEANING**0.5))
    truth = np.array([[name == domain for name in names] for domain in domains], dtype=np.float64)
    sample = np.sort(np.random.default_rng(0).permutation(len(texts))[:TUNED])
    penalty, sharpness = tuned or choose(design.rows(sample), truth[sample])
    base = truth.mean(0)
    weights = solve(design, truth - base, penalty)
    words, meaning = weights.sparse.astype(np.float32), (weights.dense * MEANING**0.5).astype(np.float32)
    return DomainClassifier(encoder, names, places, rarity, words, meaning, base.astype(np.float32), sharpness)


def choose(design: Design, truth: Doubles) -> tuple[float, float]:
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


def _vocabulary(texts: Sequence[Buckets]) -> tuple[dict[int, int], Floats]:
    """The buckets that occur, with their places and inverse document frequencies."""
    found, counts = np.unique(np.concatenate([*map(np.unique, texts)]), return_counts=True)
    rarity = np.log((1 + len(texts)) / (1 + counts)) + 1
    return {int(bucket): place for place, bucket in enumerate(found)}, rarity.astype(np.float32)


def _matrix(texts: Sequence[Buckets], places: Mapping[int, int], rarity: Floats) -> sparse.csr_matrix:
    rows = [_known(text, places, rarity) for text in texts]
    ends = np.cumsum([0, *(len(columns) for columns, _ in rows)])
    columns, values = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return sparse.csr_matrix((values, columns, ends), shape=(len(rows), len(rarity)))


def _known(text: Buckets, places: Mapping[int, int], rarity: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """The places of a text's known words, and their values: of length one together."""
    found = sorted({place for bucket in text.tolist() if (place := places.get(bucket)) is not None})
    rows = np.array(found, dtype=np.int64)
    values = rarity[rows]
    return rows, values / np.float32(max(float(np.sqrt(values @ values)), 1e-12))


@dataclass(frozen=True, slots=True)
class Subject:
    """A domain of `subjects.yaml`: the skills that suit it, and its texts."""

    skills: frozenset[str]
    texts: tuple[str, ...]


@cache
def subjects() -> Mapping[str, Subject]:
    """The domains that the package knows."""
    data = yaml.safe_load(files("mixture.routing").joinpath("subjects.yaml").read_text(encoding="utf-8"))
    return {name: _subject(entry) for name, entry in data.items()}


def _subject(entry: Mapping[str, str | list[str]]) -> Subject:
    skills, terms = (str(entry[key]).split(",") for key in ("skills", "terms"))
    known = {word for skill in skills for word in (skill.strip(), *skill.split())}
    return Subject(frozenset(known), (*(term.strip() for term in terms), *entry["examples"]))


@cache
def packaged_classifier() -> DomainClassifier:
    """The classifier of the package's own domains."""
    texts, domains = zip(*((text, name) for name, subject in subjects().items() for text in subject.texts), strict=True)
    return fit(texts, domains, tuned=PACKAGED)
