"""What `mixture calibrate` leaves behind: a predictor, and what it said about requests that it had never seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mixture.routing.predictor import Predictor

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Held:
    """Requests kept from the predictor: the qualities that it then predicted for them, and the scores that experts
    reached (requests x experts, in the predictor's order; NaN where an expert was not asked). Promises rest on them.
    """

    predicted: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def of(self, columns: Sequence[int]) -> tuple[Floats, Floats]:
        """Predictions and scores of some experts, for the requests that all of them were asked."""
        places = list(columns)
        whole = np.isfinite(self.scores[:, places]).all(1)
        return self.predicted[whole][:, places], self.scores[whole][:, places]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A predictor with its held-out record. `version` names this fit, `encoder` what turns its texts into numbers.
    `learned` is what feedback has made of the predictor since; promises rest on the calibrated one.
    """

    predictor: Predictor
    held: Held
    version: str
    encoder: str = "hashed"
    learned: Predictor | None = None


def nothing_held(predictor: Predictor) -> Held:
    """The record where no request was kept: nothing can be promised."""
    empty = np.empty((0, len(predictor.experts)), dtype=np.float32)
    return Held(empty, empty)
