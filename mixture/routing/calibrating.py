"""From an outcome log to a calibration: what is learned from, what is held back, and what the fit is called."""

from __future__ import annotations

from datetime import UTC, datetime
from zlib import crc32

import numpy as np
import numpy.typing as npt

from mixture.routing.calibration import Calibration, Held, nothing_held
from mixture.routing.encoder import Encoding, encode
from mixture.routing.fitting import fit_encoded
from mixture.routing.outcomes import Outcomes
from mixture.routing.predictor import Predictor

Places = npt.NDArray[np.int64]

HELD_SHARE = 0.3
"""The share of prompts that is held back, where the log does not say which."""
FEWEST_HELD, FEWEST_LEARNED = 50, 50
"""Prompts below which nothing is held back: a promise from so few would allow nothing, and learning needs them more."""


def calibrate(outcomes: Outcomes, now: datetime | None = None) -> Calibration:
    """A predictor fitted on one part of `outcomes`, with what it says of the other part, which it never saw.

    Raises ValueError when the log is empty.
    """
    learned, held = parts(outcomes)
    encodings = [encode(prompt) for prompt in outcomes.prompts]
    predictor = fit_encoded([encodings[row] for row in learned], outcomes.rows(learned))
    return Calibration(predictor, _held(predictor, encodings, outcomes, held), _name(predictor, now))


def parts(outcomes: Outcomes) -> tuple[Places, Places]:
    """The prompts to learn from and those to hold back: the log's own split, else by a checksum of the prompt, so that
    a prompt stands on the same side each time, however often it occurs and however the log grows.
    """
    if not len(outcomes):
        raise ValueError("the outcome log is empty")
    named = np.array(outcomes.splits)
    test = named == "test"
    if not (test.any() and (named == "train").any()):
        marks = [crc32(prompt.encode(errors="replace")) / 2**32 for prompt in outcomes.prompts]
        test = np.array(marks) < HELD_SHARE
    if test.sum() < FEWEST_HELD or (~test).sum() < FEWEST_LEARNED:
        test = np.zeros(len(outcomes), dtype=bool)
    return np.flatnonzero(~test), np.flatnonzero(test)


def _held(predictor: Predictor, encodings: list[Encoding], outcomes: Outcomes, rows: Places) -> Held:
    if not len(rows):
        return nothing_held(predictor)
    predicted = np.array([predictor.of(encodings[row]) for row in rows], dtype=np.float32)
    return Held(predicted, outcomes.scores[rows].astype(np.float32))


def _name(predictor: Predictor, now: datetime | None) -> str:
    """When it was fitted, and a checksum of what it says."""
    when = now or datetime.now(UTC)
    marks = crc32(predictor.dense.tobytes(), crc32(predictor.base.tobytes()))
    return f"{when:%Y%m%dT%H%M%SZ}-{marks:08x}"
