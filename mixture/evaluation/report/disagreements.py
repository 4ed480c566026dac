"""The items on which an arm is wrong and most of the others are right, with what they said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixture.evaluation.results import Results

MOST = 8
LONGEST = 1_200
"""Characters of a text that are shown."""


@dataclass(frozen=True, slots=True)
class Said:
    """One arm's answer; `text` may be cut."""

    arm: str
    score: float | None
    text: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An item, and what all arms made of it, the one in question first."""

    item: str
    domain: str
    prompt: str
    reference: str
    answers: tuple[Said, ...]


def disagreements(results: Results, arm: str, most: int = MOST) -> list[Disagreement]:
    """The worst ones of `arm`: most of the others right and it wrong; of equal ones those of which it was surest."""
    column = results.column(arm)
    others = [place for place in range(len(results.arms)) if place != column]
    rows = np.flatnonzero(np.isfinite(results.scores[:, column]))
    if not others or not len(rows):
        return []
    scores = results.scores[rows]
    known = np.isfinite(scores[:, others])
    rest = np.where(known, scores[:, others], 0.0).sum(axis=1) / np.maximum(1, known.sum(axis=1))
    gap = rest - scores[:, column]
    sure = np.nan_to_num(np.fmax(results.figures["confidence"], results.figures["agreement"])[rows, column])
    order = np.lexsort((-sure, -gap))
    worst = [int(rows[place]) for place in order[:most] if gap[place] > 0]
    texts = results.texts(worst, ("item", "prompt", "reference", "response", "error")) if worst else {}
    return [_one(results, row, arm, texts) for row in worst]


def _one(results: Results, row: int, arm: str, texts: dict[tuple[int, str], dict[str, Any]]) -> Disagreement:
    arms = [arm, *(name for name in results.arms if name != arm)]
    said = [_said(results, row, name, texts[row, name]) for name in arms if (row, name) in texts]
    first = texts[row, arm]
    return Disagreement(
        first["item"], results.domains[row], _cut(first["prompt"]), _cut(first["reference"]), tuple(said)
    )


def _said(results: Results, row: int, arm: str, found: dict[str, Any]) -> Said:
    score = float(results.scores[row, results.column(arm)])
    return Said(arm, None if np.isnan(score) else score, _cut(found["response"]), found["error"])


def _cut(text: str | None) -> str:
    """A text's beginning and end: answers tend to stand at the end."""
    if text is None or len(text) <= LONGEST:
        return text or ""
    return f"{text[: LONGEST // 3]}\n[...]\n{text[-2 * LONGEST // 3 :]}"
