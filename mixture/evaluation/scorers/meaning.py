"""How close an answer's meaning is to the reference's: the cosine of their sentence vectors."""

from __future__ import annotations

from dataclasses import dataclass, field

from mixture.embedding import MiniLM
from mixture.errors import InvalidQuery
from mixture.evaluation.items import Item
from mixture.evaluation.records import Score
from mixture.evaluation.scorers import Means
from mixture.evaluation.scorers.answers import reference_of
from mixture.types import Embedder


@dataclass(frozen=True, slots=True)
class Similar:
    """The cosine, none below 0; with `least` 1 from there on and 0 below it."""

    embedder: Embedder = field(default_factory=MiniLM)
    least: float | None = None
    cheap: bool = False

    async def score(self, item: Item, answer: str) -> Score:
        """See `Scorer`."""
        if not answer.strip():
            return Score(0.0, "the answer is empty")
        first, second = await self.embedder.embed([answer, reference_of(item)])
        cosine = min(1.0, max(0.0, sum(a * b for a, b in zip(first, second, strict=True))))
        return Score(cosine if self.least is None else float(cosine >= self.least), f"similarity {cosine:.3f}")


def similarity(argument: str, means: Means) -> Similar:
    """`similarity`, or `similarity:LEAST`. Raises InvalidQuery."""
    try:
        least = float(argument) if argument else None
    except ValueError:
        least = -1.0
    if least is not None and not 0 <= least <= 1:
        raise InvalidQuery("`similarity:LEAST` takes a number from 0 to 1", param="scorer")
    return Similar(least=least)
