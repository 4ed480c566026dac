"""The domain of a request (law, chemistry, code, chat, ...), by linear scores of words and static vectors.

The classifier that comes with the package (`subjects.npz`) was fitted by `mixture.routing.subject_fitting` to the terms
and examples of `subjects.yaml`, which were written for it; other domains are learned from other texts by the same code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from mixture.routing.encoder import Buckets, word_buckets
from mixture.routing.runs import distinct
from mixture.routing.static import StaticEncoder, packaged

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

PACKAGED = Path(__file__).with_name("subjects.npz")


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
    """Linear scores of `names`, from hashed words (`vocabulary` holds the buckets of the rows of `words`, sorted)
    and from the static vector.
    """

    encoder: StaticEncoder
    names: tuple[str, ...]
    vocabulary: Buckets
    rarity: Floats
    words: Floats
    meaning: Floats
    base: Floats
    sharpness: float
    skills: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The skills that suit each domain, where they are known."""

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
        rows, values = known(word_buckets(text), self.vocabulary, self.rarity)
        meant = self.encoder.encode(text) if vector is None else vector
        return np.asarray(self.base + values @ self.words.take(rows, axis=0) + meant @ self.meaning, dtype=np.float64)


def known(text: Buckets, vocabulary: Buckets, rarity: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """The places in `vocabulary` (sorted) of a text's words, and their values: of length one together."""
    found = distinct(text)
    rows = np.minimum(np.searchsorted(vocabulary, found), len(vocabulary) - 1)
    rows = rows[vocabulary[rows] == found]
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


def save(classifier: DomainClassifier, path: Path = PACKAGED) -> None:
    """Write `classifier`, without its encoder, to `path`."""
    skills = {name: sorted(words) for name, words in classifier.skills.items()}
    about = {"names": classifier.names, "sharpness": classifier.sharpness, "skills": skills}
    header = json.dumps(about).encode()
    np.savez_compressed(
        path,
        header=np.frombuffer(header, np.uint8),
        buckets=classifier.vocabulary,
        rarity=classifier.rarity.astype(np.float16),
        words=classifier.words.astype(np.float16),
        meaning=classifier.meaning.astype(np.float16),
        base=classifier.base,
    )


@cache
def packaged_classifier() -> DomainClassifier:
    """The classifier of the package's own domains."""
    with np.load(PACKAGED, allow_pickle=False) as stored:
        header = json.loads(stored["header"].tobytes())
        parts = {name: stored[name].astype(np.float32) for name in ("rarity", "words", "meaning", "base")}
        vocabulary = stored["buckets"].astype(np.uint32)
    skills = {name: frozenset(words) for name, words in header["skills"].items()}
    names, sharpness = tuple(header["names"]), float(header["sharpness"])
    return DomainClassifier(packaged(), names, vocabulary, sharpness=sharpness, skills=skills, **parts)
