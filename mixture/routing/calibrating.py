"""From an outcome log to a calibration: what is learned from, what is held back, and what the fit is called."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from zlib import crc32

import numpy as np
import numpy.typing as npt

from mixture.routing.calibration import Calibration, Held, nothing_held
from mixture.routing.encoder import Encoding, encode, readable
from mixture.routing.encoders import HASHED, text_model
from mixture.routing.fitting import fit_encoded
from mixture.routing.outcomes import Outcomes
from mixture.routing.predictor import Predictor

Places = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

HELD_SHARE = 0.3
"""The share of prompts that is held back, where the log does not say which."""
FEWEST_HELD, FEWEST_LEARNED = 50, 50
"""Prompts below which nothing is held back: a promise from so few would allow nothing, and learning needs them more."""


def calibrate(outcomes: Outcomes, now: datetime | None = None, encoder: str = HASHED) -> Calibration:
    """A predictor fitted on one part of `outcomes`, with what it says of the other part, which it never saw. `encoder`
    names a model whose vectors are features too (see `mixture.routing.encoders.text_model`).

    Raises ValueError when the log is empty, LookupError when there is no such model.
    """
    learned, held = parts(outcomes)
    vectors = embedded(encoder, outcomes.prompts)
    encodings = [encode(prompt) for prompt in outcomes.prompts]
    taught = None if vectors is None else vectors[learned]
    predictor = fit_encoded([encodings[row] for row in learned], outcomes.rows(learned), taught)
    rest = None if vectors is None else vectors[held]
    kept = _held(predictor, [encodings[row] for row in held], outcomes.rows(held), rest)
    return Calibration(predictor, kept, _name(predictor, now), encoder)


def embedded(encoder: str, prompts: Sequence[str]) -> Floats | None:
    """The vectors of `prompts` by the model that `encoder` names (prompts x dimensions); None for the built-in encoder,
    which needs none. Raises LookupError when there is no such model.
    """
    return None if encoder == HASHED else text_model(encoder).encode([readable(prompt) for prompt in prompts])


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


def _held(predictor: Predictor, encodings: Sequence[Encoding], outcomes: Outcomes, vectors: Floats | None) -> Held:
    if not len(outcomes):
        return nothing_held(predictor)
    given = [None] * len(encodings) if vectors is None else vectors
    predicted = [predictor.of(encoding, vector) for encoding, vector in zip(encodings, given, strict=True)]
    return Held(np.array(predicted, dtype=np.float32), outcomes.scores.astype(np.float32))


def _name(predictor: Predictor, now: datetime | None) -> str:
    """When it was fitted, and a checksum of what it says."""
    when = now or datetime.now(UTC)
    marks = crc32(predictor.dense.tobytes(), crc32(predictor.base.tobytes()))
    return f"{when:%Y%m%dT%H%M%SZ}-{marks:08x}"
