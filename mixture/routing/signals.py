"""What a request shows before anybody answers it: language, kind of task, domain, difficulty, needs. Pure, computed
once a request, in a fraction of a millisecond; nothing of the prompt is repeated in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp
from typing import Any

import numpy as np
import numpy.typing as npt

from mixture.routing.classification import Topic, looked_at, topic
from mixture.routing.encoder import readable
from mixture.routing.language import in_english, language
from mixture.routing.shape import shape
from mixture.routing.static import packaged
from mixture.routing.subjects import Guess, packaged_classifier
from mixture.tokens import prompt_tokens
from mixture.types import Ability, Query

REMEMBERED = 64
"""Texts whose vector and domain are kept: one request's, for everything that asks about it, and no more of the past."""
SURE = 0.5
"""The probability from which on a domain counts."""
STRONG = 0.3
"""The classifier's score below which a text is like none of its examples, and has no domain."""
EVERYDAY = frozenset({"chat", "other"})
"""Domains that every expert for general things suits."""
HARD: Mapping[str, float] = {
    **dict.fromkeys(("math", "physics", "engineering", "chemistry", "law", "computer science"), 0.5),
    **dict.fromkeys(("code", "philosophy", "economics"), 0.25),
    **dict.fromkeys(("chat", "creative", "other"), -0.75),
}
"""What a domain adds to the difficulty, in logits, by judgement: a log teaches more (`mixture calibrate`)."""
_WEIGHTS: Mapping[int, float] = {
    2: 0.5,
    3: 0.3,
    14: 0.1,
    18: 0.5,
    26: -0.3,
    28: 0.4,
    29: 0.6,
    30: 0.3,
    31: 0.2,
    32: 0.4,
}
"""What the numbers of a shape add: length, numbers, options, code and notation, quantities and conditions."""
_START = -1.9

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text is about: its static vector and its domain, both of the words in English; and how hard it looks."""

    vector: Floats
    guess: Guess
    logit: float
    """Of the difficulty, by shape alone."""

    @property
    def difficulty(self) -> float:
        """How hard the request looks, from 0 to 1, by its shape and its domain."""
        return 1 / (1 + exp(-self.logit - HARD.get(self.domain or "", 0.0)))

    @property
    def domain(self) -> str | None:
        """The domain where one is likely enough."""
        sure = self.guess.probability >= SURE and self.guess.strength >= STRONG
        return self.guess.domain if sure else None


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of a request. `difficulty` lies between 0 and 1 and only orders requests: it is no probability."""

    topic: Topic
    reading: Reading
    difficulty: float
    needs: frozenset[Ability]
    prompt_tokens: int

    def report(self) -> dict[str, Any]:
        """The signals as `Route.signals` has them."""
        return {
            "task": self.topic.task,
            "scores": dict(self.topic.scores),
            "language": self.topic.language,
            "domain": self.reading.domain,
            "domain_probability": round(self.reading.guess.probability, 4),
            "difficulty": round(self.difficulty, 4),
            "needs": sorted(self.needs),
            "prompt_tokens": self.prompt_tokens,
        }


def read(query: Query) -> Signals:
    """The signals of `query`."""
    found = topic(query)
    reading = reading_of(query.text)
    return Signals(found, reading, reading.difficulty, query.needs, prompt_tokens(query))


def reading_of(text: str) -> Reading:
    """What `text` is about, without clauses that address the router."""
    return _reading(looked_at(text))


@lru_cache(maxsize=REMEMBERED)
def _reading(text: str) -> Reading:
    plain = readable(text)
    english = in_english(plain, language(plain))
    vector = packaged().encode(english)
    seen = shape(plain)
    logit = _START + sum(weight * float(seen[place]) for place, weight in _WEIGHTS.items())
    return Reading(vector, packaged_classifier().guess(english, vector), logit)
