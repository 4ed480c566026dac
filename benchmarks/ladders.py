"""Which experts a cascade should ask, in which order, and until which confidence: chosen on training prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from benchmarks.contests import Rows, run
from benchmarks.ensembles import RESAMPLES, Played, folds, joined, mean_cost, polls, single
from benchmarks.recordings import completed
from mixture.aggregation.learning import Poll, from_labels
from mixture.aggregation.majority import Majority
from mixture.aggregation.reliability import Reliability
from mixture.routing.outcomes import Outcomes

CONFIDENCES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7)
FIRST = 2
"""Experts that the cascade asks at once."""
MOST = 6
"""Cheaper experts that are thought of, the strongest ones."""

MARGIN = 0.01
"""By how much the best of many ladders is taken to flatter itself on what it was chosen on."""
MARGINS = (-0.05, 0.0, MARGIN, 0.02, 0.03, 0.05)
"""The same, from bold to wary: the warier, the dearer and the more often right."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """The experts from the cheapest up, the confidence at which to stop, and what the log says of their answers."""

    experts: tuple[str, ...]
    confidence: float
    learned: Reliability


def chosen(train: Outcomes, margins: Sequence[float] = (MARGIN,)) -> list[Ladder]:
    """For each of `margins` the cheapest ladder that is by so much more often right on `train` than the best single
    expert with a known cost, which stands at its top; that expert alone where there is none.
    """
    priced = {name: single(train, name) for name in train.experts}
    priced = {name: played for name, played in priced.items() if np.isfinite(mean_cost(played))}
    best = max(priced, key=lambda name: priced[name].accuracy)
    below = [name for name in priced if name != best and mean_cost(priced[name]) <= mean_cost(priced[best])]
    below = sorted(below, key=lambda name: -priced[name].accuracy)[:MOST]
    names = [*sorted(below, key=lambda name: mean_cost(priced[name])), best]
    known = polls(train, names)
    learned = from_labels(known)
    costs = completed(train.among(names).costs)
    tried = []
    for experts in _subsets(names):
        stages = _stages(experts, known, costs[:, [names.index(name) for name in experts]], learned)
        tried += [(*_ended(stages, confidence), confidence, experts) for confidence in CONFIDENCES]
    ladders = []
    for margin in margins:
        enough = priced[best].accuracy + margin
        reached = [(cost, sure, who) for right, cost, sure, who in tried if right >= enough or len(who) == 1]
        _, sure, who = min(reached)
        ladders.append(Ladder(who, sure, learned))
    return ladders


def _subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The last expert, alone and above every choice of the cheaper ones."""
    for size in range(len(names)):
        for some in combinations(names[:-1], size):
            yield (*some, names[-1])


Stage = tuple[float, float, bool]
"""The confidence of the best answer so far, what was spent, and whether the answer is right."""


def _stages(
    experts: Sequence[str], known: Sequence[Poll], costs: np.ndarray, learned: Reliability
) -> list[list[Stage]]:
    """What a cascade over `experts` would have at each of its steps, for every prompt."""
    found = []
    for poll, cost in zip(known, np.cumsum(costs, axis=1), strict=True):
        steps: list[Stage] = []
        truth = poll.right()
        for size in range(min(FIRST, len(experts)), len(experts) + 1):
            votes = [(name, poll.votes[name]) for name in experts[:size] if name in poll.votes]
            scores = learned.scores(votes)
            best = max(scores, key=scores.__getitem__, default=None)
            sure = 0.0 if best is None else learned.probability(best, votes)
            steps.append((sure, float(cost[size - 1]), best is not None and best == truth))
        found.append(steps)
    return found


def _ended(stages: Sequence[Sequence[Stage]], confidence: float) -> tuple[float, float]:
    """The accuracy and mean cost when every prompt's cascade ends at `confidence`."""
    ends = [next((step for step in steps if step[0] >= confidence), steps[-1]) for steps in stages]
    return float(np.mean([end[2] for end in ends])), float(np.mean([end[1] for end in ends]))


def climbed(recording: Outcomes) -> dict[float, Played]:
    """The cascade by confidence, its experts, their order and the confidence being chosen on the other folds, for each
    of the margins by which it had to be better there than the best single expert.
    """
    parts: dict[float, list[tuple[Rows, Played]]] = {margin: [] for margin in MARGINS}
    for train, test in folds(len(recording)):
        done: dict[tuple[tuple[str, ...], float], Played] = {}
        for margin, ladder in zip(MARGINS, chosen(recording.rows(train), MARGINS), strict=True):
            same = (ladder.experts, ladder.confidence)
            if same not in done:
                done[same] = climb(ladder, recording.rows(test))
            parts[margin].append((test, done[same]))
    return {margin: joined(some, len(recording)) for margin, some in parts.items()}


def climb(ladder: Ladder, recording: Outcomes) -> Played:
    """The cascade by confidence over `ladder`."""
    aggregator = Majority(None, ladder.learned)
    how = {"weights": "learned", "confidence": ladder.confidence}
    return run("cascade", recording, ladder.experts, aggregator, **how)


def share_at_parity(climbs: Iterable[Played], best: Played) -> float | None:
    """The share of the cost of `best` at which a cascade is as often right, between the measured points by straight
    lines; None when none of them is.
    """
    points = [(mean_cost(played) / mean_cost(best), played.accuracy) for played in climbs]
    return parity(points, best.accuracy)


def parity(points: Iterable[tuple[float, float]], accuracy: float) -> float | None:
    """The cost at which `points` (cost, accuracy) reach `accuracy`."""
    below: tuple[float, float] | None = None
    for cost, right in sorted(points):
        if right >= accuracy:
            if below is None:
                return cost
            return below[0] + (cost - below[0]) * (accuracy - below[1]) / (right - below[1])
        below = (cost, right)
    return None


def parity_interval(climbs: Sequence[Played], best: Played) -> tuple[float, float]:
    """The 95% bootstrap interval of the share at parity over the questions; where no cascade is as often right the best
    single expert is asked itself, at a share of 1.
    """
    random, size = np.random.default_rng(0), len(best.right)
    shares = []
    for _ in range(RESAMPLES):
        rows = random.integers(0, size, size)
        unit, accuracy = float(best.cost[rows].mean()), float(best.right[rows].mean())
        points = [(float(p.cost[rows].mean()) / unit, float(p.right[rows].mean())) for p in climbs]
        found = parity(points, accuracy)
        shares.append(1.0 if found is None else min(1.0, found))
    low, high = np.quantile(shares, (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)
