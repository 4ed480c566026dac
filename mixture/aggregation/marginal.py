"""What each member adds to an ensemble, and which members a gate on that would keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mixture.aggregation.learning import Poll

Doubles = npt.NDArray[np.float64]
Play = Callable[[Sequence[str]], Doubles]
"""The score (0..1) of what an ensemble of these members answers to each question, always in the same order."""

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Lift:
    """How much more often an ensemble is right with `expert` than without: the mean of the paired differences, and its
    95% bootstrap interval.
    """

    expert: str
    mean: float
    low: float
    high: float

    @property
    def proven(self) -> bool:
        """Whether the whole interval lies above zero."""
        return self.low > 0


@dataclass(frozen=True, slots=True)
class Gate:
    """The `lifts` of all members, and those `kept`: see `gate`. `dropped` stand in the order in which they left."""

    lifts: tuple[Lift, ...]
    kept: tuple[str, ...]
    dropped: tuple[Lift, ...]


def lifts(members: Sequence[str], play: Play, seed: int = 0) -> list[Lift]:
    """What each of `members` adds to the others (leave one out)."""
    whole = play(members)
    found = []
    for name in members:
        others = [other for other in members if other != name]
        gain = whole - (play(others) if others else np.zeros_like(whole))
        found.append(Lift(name, float(gain.mean()), *bootstrapped(gain, seed)))
    return found


def gate(members: Sequence[str], play: Play, seed: int = 0) -> Gate:
    """Backward elimination: as long as a member's lift is not proven, the one with the least lift leaves and the rest
    are measured anew. Members that only replace each other would otherwise leave together. One always stays.
    """
    first = left = lifts(members, play, seed)
    dropped = []
    while len(left) > 1 and not all(lift.proven for lift in left):
        least = min((lift for lift in left if not lift.proven), key=lambda lift: lift.mean)
        dropped.append(least)
        left = lifts([lift.expert for lift in left if lift is not least], play, seed)
    return Gate(tuple(first), tuple(lift.expert for lift in left), tuple(dropped))


def majority_of(polls: Sequence[Poll]) -> Play:
    """What a plain majority scores on `polls`; of equal answers that of the first member counts. A poll that none of
    the members answered scores 0.
    """

    def play(members: Sequence[str]) -> Doubles:
        return np.array([_score(poll, members) for poll in polls])

    return play


def _score(poll: Poll, members: Sequence[str]) -> float:
    given = [(name, vote) for name in members if (vote := poll.votes.get(name)) is not None]
    counts = Counter(vote for _, vote in given)
    most = max(counts.values(), default=0)
    return next((poll.scores.get(name, 0.0) for name, vote in given if counts[vote] == most), 0.0)


def bootstrapped(values: Doubles, seed: int = 0) -> tuple[float, float]:
    """The 95% bootstrap interval of a mean (percentiles; Efron 1979); NaN without values."""
    if not len(values):
        return float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(values[drawn].mean(axis=1), (0.025, 0.975))
    return float(low), float(high)
