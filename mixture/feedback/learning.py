"""Learning from one outcome at a time, without forgetting what the log taught.

Each outcome moves the weights of its expert by the proximal step of ridge regression (implicit least mean squares:
Kulis and Bartlett 2010): towards the outcome, never beyond it, by a bounded part of the error. The weights stay within
a ball around those that were calibrated, so that no flood of outcomes can move a prediction further than the ball
allows. One outcome in `HELD_OUT` is never learned from: a new version is routed by only when these show, with their
interval, that it is not worse; a version that later outcomes show to be worse is taken back.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mixture.routing.encoder import encode
from mixture.routing.predictor import Predictor

Floats = npt.NDArray[np.float32]

CAUTION = 30.0
"""How much of an error one outcome leaves: a usual request's own prediction moves by about a twelfth of it."""
RADIUS = 0.15
"""How far an expert's weights may move from the calibrated ones: a prediction moves by at most this times the length of
its request's features, which is between 1 and 3 for usual ones."""
HELD_OUT = 4
"""One outcome in so many is held out, by lot."""
BATCH = 20
"""Outcomes learned from after which a new version is weighed."""
FEWEST = 20
"""Held-out outcomes without which nothing is concluded."""
KEPT = 1_000
"""Held-out outcomes that are kept, the last ones."""
TOLERATED = 0.005
"""Mean squared error by which a new version may be worse at the upper end of the interval."""
SHOWN = 20
"""Versions that are listed."""


@dataclass(frozen=True, slots=True)
class Row:
    """An outcome in numbers: a request's features, the expert's column, and the score. `turn` counts all outcomes."""

    positions: npt.NDArray[np.int64]
    values: Floats
    dense: Floats
    column: int
    score: float
    turn: int


@dataclass(frozen=True, slots=True)
class Version:
    """A step of learning: what became of it (`routing`, `replaced`, `refused`, `taken back`), the outcomes learned from
    by then, and the change of the held-out error against the version before, with its 95% interval.
    """

    number: int
    state: str
    outcomes: int
    held_out: int
    change: float
    low: float
    high: float


class Learner:
    """Learns on top of `calibrated`. `published` is what requests are routed by."""

    def __init__(self, calibrated: Predictor, seed: int | None = None) -> None:
        self.calibrated = calibrated
        self.published = calibrated
        self.versions: deque[Version] = deque(maxlen=SHOWN)
        self.outcomes = 0
        self._before = calibrated
        self._number = self._since = self._turn = 0
        self._from = 0
        self._tried = False
        """Whether the version in use is still to be tested."""
        self._columns = {name: place for place, name in enumerate(calibrated.experts)}
        self._held: deque[Row] = deque(maxlen=KEPT)
        self._lots = random.Random(seed) if seed is not None else random.SystemRandom()
        self._reset(calibrated)

    @property
    def number(self) -> int:
        """The number of the version that requests are routed by; 0 is the calibrated one."""
        return next((version.number for version in reversed(self.versions) if version.state == "routing"), 0)

    def learn(self, prompt: str, expert: str, score: float, embedding: Floats | None = None) -> str | None:
        """Take in an outcome, with the vector of its prompt where the router was calibrated with a heavier encoder.
        Returns why it is not learned from, where it is not.
        """
        column = self._columns.get(expert)
        if column is None:
            return "the router was not calibrated with this expert"
        row = self._row(prompt, column, score, embedding)
        if isinstance(row, str):
            return row
        self._turn += 1
        if self._lots.randrange(HELD_OUT) == 0:
            self._held.append(row)
            return "held out: it tests what others teach"
        self._step(row)
        self.outcomes += 1
        self._since += 1
        if self._since >= BATCH:
            self._weigh()
        return None

    def resume(self, learned: Predictor) -> None:
        """Go on from what was learned and published before; the held-out outcomes are those to come."""
        self.published = self._before = learned
        self._reset(learned)

    def _row(self, prompt: str, column: int, score: float, embedding: Floats | None) -> Row | str:
        predictor = self.calibrated
        vector = predictor.features.vector(encode(prompt), embedding)
        topics = predictor.topics
        if len(vector.dense) + (0 if topics is None else len(topics.names)) != len(predictor.dense):
            return "the router was calibrated with another encoder"
        if vector.strange:
            return "the request is unlike all that the router was calibrated with"
        dense = vector.dense if topics is None else np.append(vector.dense, topics.features(vector))
        return Row(vector.positions, vector.values, dense.astype(np.float32), column, score, self._turn)

    def _reset(self, predictor: Predictor) -> None:
        """Go on from `predictor`."""
        self._sparse, self._dense = predictor.sparse.copy(), predictor.dense.copy()
        self._base = predictor.base.copy()

    def _step(self, row: Row) -> None:
        column = row.column
        size = float(row.values @ row.values) + float(row.dense @ row.dense) + 1.0
        said = (
            self._base[column] + row.values @ self._sparse[row.positions, column] + row.dense @ self._dense[:, column]
        )
        step = np.float32((row.score - min(1.0, max(0.0, float(said)))) / (CAUTION + size))
        self._sparse[row.positions, column] += step * row.values
        self._dense[:, column] += step * row.dense
        self._base[column] += step
        self._within(column)

    def _within(self, column: int) -> None:
        """Bring an expert's weights back into the ball around the calibrated ones."""
        fixed = self.calibrated
        away = (
            self._sparse[:, column] - fixed.sparse[:, column],
            self._dense[:, column] - fixed.dense[:, column],
            self._base[column] - fixed.base[column],
        )
        distance = math.sqrt(sum(float(np.vdot(part, part)) for part in away))
        if distance <= RADIUS:
            return
        share = np.float32(RADIUS / distance)
        self._sparse[:, column] = fixed.sparse[:, column] + share * away[0]
        self._dense[:, column] = fixed.dense[:, column] + share * away[1]
        self._base[column] = fixed.base[column] + share * away[2]

    def _weigh(self) -> None:
        """Take back the version in use when outcomes since then show it to be worse; route by a new one when the one in
        use has stood that test, and the held-out outcomes allow it.
        """
        self._since = 0
        if self._tried and not self._stands():
            return
        if len(self._held) < FEWEST:
            return
        made = replace(self.calibrated, sparse=self._sparse.copy(), dense=self._dense.copy(), base=self._base.copy())
        change, low, high = _change(self.published, made, list(self._held))
        if high <= TOLERATED:
            self._before, self.published, self._from, self._tried = self.published, made, self._turn, True
            self._note("routing", len(self._held), change, low, high)
        elif low > 0:
            self._note("refused", len(self._held), change, low, high)
            self._reset(self.published)

    def _stands(self) -> bool:
        """Whether the version in use has been tested by outcomes since it is in use, and is still in use."""
        fresh = [row for row in self._held if row.turn >= self._from]
        if len(fresh) < FEWEST:
            return False
        self._tried = False
        change, low, high = _change(self._before, self.published, fresh)
        if low <= 0:
            return True
        self._note("taken back", len(fresh), change, low, high)
        self.published = self._before
        self._reset(self.published)
        return False

    def _note(self, state: str, held: int, change: float, low: float, high: float) -> None:
        if state != "refused":
            was = "taken back" if state == "taken back" else "replaced"
            self.versions = deque(
                (replace(one, state=was) if one.state == "routing" else one for one in self.versions), SHOWN
            )
        self._number += 1
        known = Version(self._number, state, self.outcomes, held, round(change, 5), round(low, 5), round(high, 5))
        self.versions.append(known)

    def facts(self) -> dict[str, Any]:
        """The state as plain data."""
        return {
            "version": self.number,
            "outcomes": self.outcomes,
            "held_out": len(self._held),
            "versions": [{name: getattr(one, name) for name in Version.__slots__} for one in self.versions],
        }


def _change(before: Predictor, after: Predictor, rows: list[Row]) -> tuple[float, float, float]:
    """The change of the mean squared error from `before` to `after`, with its 95% interval."""
    changes = np.array([_loss(after, row) - _loss(before, row) for row in rows])
    mean, width = float(changes.mean()), 1.96 * float(changes.std(ddof=1)) / math.sqrt(len(rows))
    return mean, mean - width, mean + width


def _loss(predictor: Predictor, row: Row) -> float:
    said = (
        predictor.base[row.column]
        + row.values @ predictor.sparse[row.positions, row.column]
        + row.dense @ predictor.dense[:, row.column]
    )
    return (min(1.0, max(0.0, float(said))) - row.score) ** 2
