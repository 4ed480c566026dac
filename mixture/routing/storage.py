"""A calibration on disk: an `.npz` of plain arrays with a JSON header that names the version. Pickle is never read."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mixture.errors import InvalidQuery
from mixture.routing.calibration import Calibration, Held
from mixture.routing.features import Features, Scales
from mixture.routing.predictor import Predictor, Record, Topics
from mixture.writing import write_whole

VERSION = 4
"""The format's version. It changes when a stored predictor would be read with another meaning, encoder included."""
_WEIGHTS = ("sparse", "dense", "base", "effort")
_HELD = ("held_predicted", "held_scores")
_TOPICS = ("topic_sparse", "topic_dense", "topic_base")


class PredictorError(InvalidQuery):
    """The stored predictor can't be used; `message` says why and what to do."""


def save(calibration: Calibration, path: str | Path) -> None:
    """Write `calibration` to `path`, whole or not at all."""
    predictor = calibration.predictor
    topics = predictor.topics
    header: dict[str, Any] = {
        "version": VERSION,
        "fit": calibration.version,
        "encoder": calibration.encoder,
        "experts": predictor.experts,
        "records": [
            {name: (None if value != value else value) for name, value in asdict(record).items()}
            for record in predictor.records
        ],
        "scales": asdict(predictor.features.scales),
        "topics": None if topics is None else [list(topics.names), topics.sharpness, topics.scale],
    }
    arrays = predictor.features.arrays() | {name: getattr(predictor, name) for name in _WEIGHTS}
    arrays |= dict(zip(_HELD, (calibration.held.predicted, calibration.held.scores), strict=True))
    if topics is not None:
        arrays |= dict(zip(_TOPICS, (topics.sparse, topics.dense, topics.base), strict=True))
    stored = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    write_whole(Path(path), lambda file: np.savez_compressed(file, header=stored, **arrays))


def load(path: str | Path) -> Calibration:
    """The calibration at `path`.

    Raises PredictorError when the file is missing, damaged, of another version, or holds anything but plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        header = json.loads(arrays.pop("header").tobytes())
        if header.get("version") != VERSION:
            raise PredictorError(f"{path}: version {header.get('version')!r}, not {VERSION}: calibrate again")
        return _rebuilt(header, arrays)
    except OSError as error:
        raise PredictorError(f"{path}: {error.strerror or 'not a stored predictor'}") from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise PredictorError(f"{path}: not a stored predictor, or damaged: {error}") from None


def _rebuilt(header: dict[str, Any], arrays: dict[str, npt.NDArray[np.generic]]) -> Calibration:
    predictor = _predictor(header, arrays)
    predicted, scores = (arrays[name].astype(np.float32) for name in _HELD)
    if predicted.ndim != 2 or predicted.shape != scores.shape or predicted.shape[1] != len(predictor.experts):
        raise ValueError("sizes of the held-out record don't belong together")
    return Calibration(predictor, Held(predicted, scores), str(header["fit"]), str(header["encoder"]))


def _predictor(header: dict[str, Any], arrays: dict[str, npt.NDArray[np.generic]]) -> Predictor:
    features = Features.restore(arrays, Scales(**header["scales"]))
    experts = tuple(map(str, header["experts"]))
    weights = {name: arrays[name].astype(np.float32) for name in _WEIGHTS}
    if not all(np.isfinite(array).all() for array in weights.values()):
        raise ValueError("a weight is not a number")
    count, dense = len(experts), len(weights["dense"])
    expected = ((features.sparse_size, count), (dense, count), (count,), (count,))
    if tuple(array.shape for array in weights.values()) != expected or len(header["records"]) != count:
        raise ValueError("sizes don't belong together")
    records = tuple(_record(record) for record in header["records"])
    topics = None
    if header["topics"] is not None:
        names, sharpness, scale = header["topics"]
        sparse, inner, base = (arrays[name].astype(np.float32) for name in _TOPICS)
        if sparse.shape != (features.sparse_size, len(names)) or inner.shape != (dense - len(names), len(names)):
            raise ValueError("sizes of the topics don't belong together")
        topics = Topics(tuple(names), sparse, inner, base, float(sharpness), float(scale))
    return Predictor(features, experts, records, topics=topics, **weights)


def _record(stored: dict[str, Any]) -> Record:
    figures = {name: nan if value is None else float(value) for name, value in stored.items() if name != "rows"}
    return Record(int(stored["rows"]), **figures)
