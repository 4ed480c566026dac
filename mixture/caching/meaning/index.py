"""Questions that were answered, to be found by what they mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mixture.caching.meaning.guard import refusal, unexplained
from mixture.caching.meaning.signature import Signature
from mixture.caching.meaning.vectors import Floats
from mixture.caching.store import Slot

CANDIDATES = 5
"""The most alike questions that the guard looks at."""
OBJECTION = 0.5
"""What an objection of the guard, or a word that the other question has nothing for, takes from the similarity: more
than the default threshold leaves."""
SIGNATURE_BYTES = 6_000
"""What a question takes beside its vector."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its vector, taken apart."""

    vector: Floats
    signature: Signature

    @property
    def size(self) -> int:
        """Bytes that it takes: its vector, its row of a matrix, and as much room as that keeps for growth at most."""
        return 3 * self.vector.nbytes + SIGNATURE_BYTES


def score(similarity: float, one: Signature, other: Signature) -> float:
    """How well an answer to the one fits the other: 1 is the same question, below 0.5 the guard objects."""
    words, share = unexplained(one, other)
    objects = words > 0 or refusal(one, other) is not None
    return similarity - OBJECTION * share - (OBJECTION if objects else 0.0)


@dataclass(slots=True)
class _Cell:
    """The questions of one setting; the rows of `matrix` beyond them are room."""

    matrix: Floats
    questions: list[tuple[Question, Slot]] = field(default_factory=list)

    def add(self, question: Question, slot: Slot) -> None:
        if len(self.questions) == len(self.matrix):
            self.matrix = np.concatenate([self.matrix, np.zeros_like(self.matrix)])
        self.matrix[len(self.questions)] = question.vector
        self.questions.append((question, slot))

    def remove(self, slot: Slot) -> None:
        place = next(place for place, (_, kept) in enumerate(self.questions) if kept is slot)
        last = len(self.questions) - 1
        self.questions[place] = self.questions[last]
        self.matrix[place] = self.matrix[last]
        self.questions.pop()


class Index:
    """Questions by their setting: all that must be the same for two of them to be compared."""

    def __init__(self) -> None:
        self._cells: dict[bytes, _Cell] = {}

    def add(self, setting: bytes, question: Question, slot: Slot, grow: Callable[[Slot, int], bool]) -> None:
        """Have `question` found until `slot` is dropped. `grow` counts the bytes that it takes."""
        if not grow(slot, question.size):
            return
        cell = self._cells.get(setting)
        if cell is None:
            cell = self._cells[setting] = _Cell(np.zeros((1, len(question.vector)), dtype=np.float32))
        cell.add(question, slot)
        slot.on_drop.append(partial(self._remove, setting, slot))

    def find(self, setting: bytes, question: Question) -> tuple[float, Slot] | None:
        """The best score, and the answer to that question; None where there is no question yet."""
        cell = self._cells.get(setting)
        if cell is None:
            return None
        alike = cell.matrix[: len(cell.questions)] @ question.vector
        places = np.argsort(-alike)[:CANDIDATES]
        scored = [
            (score(float(alike[place]), cell.questions[place][0].signature, question.signature), place)
            for place in places
        ]
        best, place = max(scored)
        return best, cell.questions[place][1]

    def _remove(self, setting: bytes, slot: Slot) -> None:
        cell = self._cells[setting]
        cell.remove(slot)
        if not cell.questions:
            del self._cells[setting]
