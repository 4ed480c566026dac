"""What cannot be had from recorded answers: rules chosen in hindsight, on the very questions they are measured on.

They see who agrees with whom and nothing else, as votes and cascades do. A rule that is learned elsewhere may come near
such a ceiling; that it is not reached by any honest rule is what a ceiling is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from mixture.aggregation.learning import Poll

Doubles = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

FEWEST = 20
"""Questions alike from which on a cascade in hindsight may decide for them by themselves: fewer would be learned by
heart."""
WORTHS = tuple(float(worth) for worth in np.geomspace(0.03, 0.6, 24))
"""What the cost of the best single expert may be worth in accuracy: from hardly anything to more than it gives."""


@dataclass(frozen=True, slots=True)
class Votes:
    """Who agrees with whom: `codes` (questions x experts) are equal where answers are, and -1 where there is none;
    `scores` (0..1) and `costs` (US dollars) have the same shape.
    """

    codes: Codes
    scores: Doubles
    costs: Doubles

    def alike(self, columns: Sequence[int]) -> Codes:
        """The number of each question's pattern: who agrees with whom among the experts in `columns`."""
        seen: dict[tuple[int, ...], int] = {}
        found = np.zeros(len(self.codes), np.int64)
        for row, codes in enumerate(self.codes[:, list(columns)]):
            ids: dict[int, int] = {}
            pattern = tuple(-1 if code < 0 else ids.setdefault(int(code), len(ids)) for code in codes)
            found[row] = seen.setdefault(pattern, len(seen))
        return found


def votes(known: Sequence[Poll], names: Sequence[str], costs: Doubles) -> Votes:
    """What `names` answered; `costs` has a column for each."""
    codes = np.full((len(known), len(names)), -1, np.int64)
    scores = np.zeros(codes.shape)
    for row, poll in enumerate(known):
        ids: dict[str, int] = {}
        for column, name in enumerate(names):
            answer = poll.votes.get(name)
            if answer is not None:
                codes[row, column] = ids.setdefault(answer, len(ids))
                scores[row, column] = poll.scores.get(name, 0.0)
    return Votes(codes, scores, costs)


def by_pattern(given: Votes, groups: Sequence[str]) -> Doubles:
    """The score of each question when, for each pattern of agreement within each group of questions, the expert is
    believed who is most often right there: the most that any rule on these votes can get.
    """
    alike = given.alike(range(given.codes.shape[1]))
    cells: dict[tuple[str, int], list[int]] = {}
    for row, cell in enumerate(zip(groups, map(int, alike), strict=True)):
        cells.setdefault(cell, []).append(row)
    found = np.zeros(len(alike))
    for rows in cells.values():
        scores = given.scores[rows]
        found[rows] = scores[:, scores.sum(0).argmax()]
    return found


def best_ensemble(given: Votes, size: int) -> Doubles:
    """The scores of the plain majority of those `size` experts that are most often right together; of equal answers
    that of the first column counts.
    """
    answered = given.codes >= 0
    same = (given.codes[:, :, None] == given.codes[:, None, :]) & answered[:, :, None]
    best = np.zeros(len(given.codes))
    for columns in map(list, combinations(range(given.codes.shape[1]), size)):
        counts = same[:, columns][:, :, columns].sum(2)
        chosen = np.array(columns)[counts.argmax(1)]
        right: Doubles = given.scores[np.arange(len(chosen)), chosen]
        if right.mean() > best.mean():
            best = right
    return best


@dataclass(frozen=True, slots=True)
class _State:
    """What comes of going on from each pattern of the experts asked so far: the mean score, the mean cost, and what
    both are worth.
    """

    score: Doubles
    cost: Doubles
    worth: Doubles


def cascades(given: Votes, unit: float) -> list[tuple[float, float]]:
    """For each of `WORTHS` the cost, in `unit` US dollars, and the accuracy of the best cascade in hindsight: after
    every answer it knows from all questions with the same pattern whether to stop, and else whom to ask.
    """
    count = given.codes.shape[1]
    subsets = [columns for size in range(count, -1, -1) for columns in combinations(range(count), size)]
    patterns = {columns: given.alike(columns) for columns in subsets}
    return [_cascade(given, patterns, subsets, worth / unit, unit) for worth in WORTHS]


def _cascade(
    given: Votes,
    patterns: Mapping[tuple[int, ...], Codes],
    subsets: Sequence[tuple[int, ...]],
    price: float,
    unit: float,
) -> tuple[float, float]:
    states: dict[tuple[int, ...], _State] = {}
    for columns in subsets:
        alike = patterns[columns]
        state = _stopped(given, columns, alike)
        for column in set(range(given.codes.shape[1])) - set(columns):
            wider = tuple(sorted((*columns, column)))
            state = _asked(state, states[wider], patterns[wider], alike, given.costs[:, column], price)
        states[columns] = state
    return float(states[()].cost[0]) / unit, float(states[()].score[0])


def _stopped(given: Votes, columns: Sequence[int], alike: Codes) -> _State:
    """Believing the best of those asked so far."""
    scores = [_means(alike, given.scores[:, column]) for column in columns]
    best = np.max(scores, axis=0) if scores else np.zeros(1)
    return _State(best, np.zeros(len(best)), best)


def _asked(state: _State, after: _State, wider: Codes, alike: Codes, costs: Doubles, price: float) -> _State:
    """`state`, and asking one more where that is worth it."""
    score, cost = _means(alike, after.score[wider]), _means(alike, after.cost[wider] + costs)
    worth = _means(alike, after.worth[wider] - price * costs)
    better = (worth > state.worth) & (np.bincount(alike) >= FEWEST)
    return _State(
        np.where(better, score, state.score), np.where(better, cost, state.cost), np.where(better, worth, state.worth)
    )


def _means(alike: Codes, values: Doubles) -> Doubles:
    """The mean of `values` for each pattern."""
    means: Doubles = np.bincount(alike, values) / np.bincount(alike)
    return means
