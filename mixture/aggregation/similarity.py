"""How alike texts are, by their words or by their vectors."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from mixture.types import Embedder

Matrix = list[list[float]]
"""The similarity of every pair, in 0..1: symmetric, with ones on the diagonal."""

LONGEST = 20_000
"""Characters of a text that are compared."""
_WORD = re.compile(r"\w+(?:\.\d+)?")


def lexical(texts: Sequence[str]) -> Matrix:
    """The cosine of the texts' words and pairs of words. What all texts have in common tells nothing, so a term weighs
    the less the more texts have it; negations and numbers are terms like others.
    """
    bags = [_terms(text) for text in texts]
    having = Counter(term for bag in bags for term in bag)
    weights = {term: math.log(1 + len(texts) / count) for term, count in having.items()}
    vectors = [{term: (1 + math.log(n)) * weights[term] for term, n in bag.items()} for bag in bags]
    norms = [math.sqrt(sum(value * value for value in vector.values())) for vector in vectors]
    return [
        [1.0 if i == j else _cosine(vectors[i], norms[i], vectors[j], norms[j]) for j in range(len(texts))]
        for i in range(len(texts))
    ]


async def semantic(texts: Sequence[str], embedder: Embedder) -> Matrix:
    """The cosine of the texts' vectors."""
    vectors = await embedder.embed([text[:LONGEST] for text in texts])
    return [[_dot(one, other) for other in vectors] for one in vectors]


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return max(0.0, min(1.0, sum(a * b for a, b in zip(one, other, strict=True))))


def _terms(text: str) -> Counter[str]:
    words = _WORD.findall(text[:LONGEST].lower())
    return Counter([*words, *(f"{a} {b}" for a, b in pairwise(words))])


def _cosine(one: dict[str, float], norm: float, other: dict[str, float], other_norm: float) -> float:
    if not norm or not other_norm:
        return 0.0
    small, large = (one, other) if len(one) <= len(other) else (other, one)
    return min(1.0, sum(value * large.get(term, 0.0) for term, value in small.items()) / (norm * other_norm))
