"""Fitting a predictor to an outcome log. Every choice is made by leave-one-out errors on the log itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mixture.routing.encoder import Encoding, encode
from mixture.routing.features import Features, Scales
from mixture.routing.outcomes import Outcomes
from mixture.routing.predictor import Predictor, Record, Topics, soften
from mixture.routing.ridge import DIRECT, Design, Spectrum, solve

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

MIXES = (Scales(0.0, 0.6), Scales(0.5, 0.5), Scales(3.0, 1.5))
"""From topics to difficulty: how much the words and how much the shape count."""
BESIDE = Scales(0.0, 0.6, 8.0)
"""The same where a heavier encoder's embedding stands beside the words: it counts most, and knows difficulty too."""
LOSS = 0.5
"""What a loss against the reference counts, a win being one."""
TUNED_ROWS = 1_500
"""Rows that the choices are made on."""
FEWEST = 20
"""Outcomes below which an expert has no head of its own, only its mean."""
FEWEST_PER_TOPIC, FEWEST_TUNED = 10, 400
"""Rows needed on average for a topic to be learned; rows that a head's penalty is chosen on where it has them."""
ROUGH = 1e-2
"""How far off a solution may be that only compares penalties."""
STEEPEST = 1.5
"""The largest slope that calibration may give."""
HARDER = 0.1
"""How much harder a request may be expected to be for a spread more of length."""
TOPIC_PENALTY, TOPIC_SHARPNESS, TOPIC_SCALE = 0.3, 10.0, 0.7


@dataclass(frozen=True, slots=True)
class Head:
    """Targets that share their rows: the `truth` of experts (columns), and what is fitted in its stead."""

    columns: tuple[int, ...]
    rows: npt.NDArray[np.int64]
    truth: Doubles
    targets: Doubles


def fit(outcomes: Outcomes, embeddings: Floats | None = None) -> Predictor:
    """A predictor from `outcomes`. `embeddings` (prompts x size) adds a heavier encoder to the hashed features.

    Raises ValueError when the log is empty.
    """
    if not len(outcomes):
        raise ValueError("the outcome log is empty")
    return fit_encoded([encode(prompt) for prompt in outcomes.prompts], outcomes, embeddings)


def fit_encoded(
    encodings: Sequence[Encoding], outcomes: Outcomes, embeddings: Floats | None = None, tuned: int = TUNED_ROWS
) -> Predictor:
    """`fit` for prompts that are already encoded; choices are made on at most `tuned` rows."""
    reference = _reference(outcomes)
    heads = _heads(outcomes.scores, reference)
    features = Features.fit(encodings, None if embeddings is None else BESIDE, embeddings=embeddings)
    sample = np.sort(np.random.default_rng(0).permutation(len(outcomes))[:tuned])
    table = _Table(_design(features, encodings, embeddings), sample)
    features = _mixed(features, table, encodings, embeddings, heads)
    topics = _topics(table, outcomes.domains)
    lengths = np.array([features.length(encoding) for encoding in encodings], dtype=np.float64)
    weights = _weights(table, heads, len(outcomes.experts), reference)
    effort = _effort(lengths, heads, len(outcomes.experts), reference)
    records = _records(outcomes)
    base = np.nan_to_num(np.array([record.quality for record in records]), nan=0.5).astype(np.float32)
    return Predictor(features, outcomes.experts, records, *weights, base, effort, topics)


class _Table:
    """All rows of the log, and the sample of them on which choices are made, with its products at hand."""

    def __init__(self, design: Design, sample: Places) -> None:
        self.all = design.multiplied() if len(design) <= DIRECT else design
        self.few = self.all.rows(sample).multiplied()
        self.sample = sample

    def redress(self, dense: Floats) -> None:
        """Give every row another dense part."""
        self.all = replace(self.all, dense=dense)
        self.few = replace(self.few, dense=dense[self.sample])


def _design(features: Features, encodings: Sequence[Encoding], embeddings: Floats | None) -> Design:
    vectors = [
        features.vector(encoding, None if embeddings is None else embeddings[row])
        for row, encoding in enumerate(encodings)
    ]
    return Design(*features.matrix(vectors))


def _mixed(
    features: Features,
    table: _Table,
    encodings: Sequence[Encoding],
    embeddings: Floats | None,
    heads: Sequence[Head],
) -> Features:
    """The features under the scales by which the gains are predicted with the least leave-one-out error; with a heavier
    encoder there is one choice only.
    """
    if embeddings is not None:
        return features
    shapes = np.array([encoding.shape for encoding in encodings])
    dressed: list[tuple[float, int, Features, Floats]] = []
    for scales in MIXES:
        mixed = replace(features, scales=scales)
        table.redress(mixed.dense(shapes, None))
        dressed.append((_error(table, heads), len(dressed), mixed, table.all.dense))
    _, _, chosen, dense = min(dressed, key=lambda found: found[:2])
    table.redress(dense)
    return chosen


def _error(table: _Table, heads: Sequence[Head]) -> float:
    largest = max(heads[1:] or heads, key=lambda head: len(head.rows) * len(head.columns), default=None)
    if largest is None:
        return 0.0
    inside, rows = _sampled(table, largest)
    return Spectrum(table.few.rows(inside).gram()).tune(largest.targets[rows]).error if len(rows) > 1 else 0.0


def _sampled(table: _Table, head: Head) -> tuple[Places, Places]:
    """The places in the sample of the rows that `head` knows, and their places among the head's own rows."""
    inside = np.flatnonzero(np.isin(table.sample, head.rows))
    return inside, np.searchsorted(head.rows, table.sample[inside])


def _topics(table: _Table, domains: Sequence[str]) -> Topics | None:
    """Topics learned from at most `DIRECT` rows that name their domain, their probabilities added to the table's dense
    part. In training a row's own domain counts as certain; rows without one have theirs predicted.
    """
    named = np.array([row for row, domain in enumerate(domains) if domain], dtype=np.int64)
    names = sorted({domains[row] for row in named})
    if len(names) < 2 or len(named) < FEWEST_PER_TOPIC * len(names):
        return None
    truth = np.array([[domains[row] == name for name in names] for row in named], dtype=np.float64)
    some = np.sort(np.random.default_rng(2).permutation(len(named))[:DIRECT])
    base = truth[some].mean(0)
    weights = solve(table.all.rows(named[some]), truth[some] - base, TOPIC_PENALTY)
    sparse, dense = weights.sparse.astype(np.float32), weights.dense.astype(np.float32)
    added = soften((table.all.times(weights) + base).astype(np.float32), TOPIC_SHARPNESS)
    added[named] = truth
    table.redress(np.hstack([table.all.dense, added * np.float32(TOPIC_SCALE)]))
    return Topics(tuple(names), sparse, dense, base.astype(np.float32), TOPIC_SHARPNESS, TOPIC_SCALE)


def _weights(table: _Table, heads: Sequence[Head], size: int, reference: int) -> tuple[Floats, Floats]:
    """Each expert's weights: the reference's own, plus those of the gain over it."""
    sparse = np.zeros((table.all.sparse.shape[1], size), dtype=np.float32)
    dense = np.zeros((table.all.dense.shape[1], size), dtype=np.float32)
    spectra: dict[bytes, Spectrum] = {}
    for head in heads:
        penalty, slope = _tuned(table, head, spectra)
        weights = solve(table.all.rows(head.rows), slope * (head.targets - head.targets.mean(0)), penalty)
        sparse[:, head.columns] = weights.sparse
        dense[:, head.columns] = weights.dense
    others = [column for column in range(size) if column != reference]
    sparse[:, others] += sparse[:, [reference]]
    dense[:, others] += dense[:, [reference]]
    return sparse, dense


def _tuned(table: _Table, head: Head, spectra: dict[bytes, Spectrum]) -> tuple[float, float]:
    """The penalty of a head, and the slope that calibrates it: how far the truth moves when its left-out prediction
    moves by one. Nothing learned makes a slope of zero, so that a useless head falls silent.
    """
    inside, rows = _sampled(table, head)
    design = table.few.rows(inside)
    if len(rows) < min(len(head.rows), FEWEST_TUNED):
        rows = np.sort(np.random.default_rng(1).permutation(len(head.rows))[:FEWEST_TUNED])
        design = table.all.rows(head.rows[rows])
    key = head.rows.tobytes()
    if key not in spectra:
        spectra[key] = Spectrum(design.gram())
    tuning = spectra[key].tune(head.targets[rows])
    moved = tuning.left_out - tuning.left_out.mean(0)
    truth = head.truth[rows] - head.truth[rows].mean(0)
    slope = float((moved * truth).sum() / max(float((moved**2).sum()), 1e-12))
    return _eased(table, head, tuning.penalty), min(STEEPEST, max(0.0, slope))


def _eased(table: _Table, head: Head, penalty: float) -> float:
    """`penalty`, which few rows asked for, or a part of it where a head of many rows does better with that: learned
    from four fifths of them and tried on the rest.
    """
    if len(head.rows) <= DIRECT:
        return penalty
    order = np.random.default_rng(3).permutation(len(head.rows))
    tried, known = order[: len(order) // 5], order[len(order) // 5 :]
    design, mean = table.all.rows(head.rows[known]), head.targets[known].mean(0)
    asked, truth = table.all.rows(head.rows[tried]), head.targets[tried] - mean

    def error(part: float) -> float:
        found = asked.times(solve(design, head.targets[known] - mean, part, ROUGH))
        return float(((found - truth) ** 2).mean())

    return min((penalty, penalty / 2, penalty / 4), key=error)


def _effort(lengths: Doubles, heads: Sequence[Head], size: int, reference: int) -> Floats:
    """How much each expert's quality changes with length. What carries over to other requests is that longer ones are
    harder, and for the reference more than for better experts; a log of two kinds of prompts may show anything else.
    """
    effort = np.zeros(size, dtype=np.float32)
    for head in heads:
        least, most = (-HARDER, 0.0) if head.columns == (reference,) else (0.0, HARDER)
        effort[list(head.columns)] = np.clip(_slope(lengths[head.rows], head.truth), least, most)
    others = [column for column in range(size) if column != reference]
    effort[others] += effort[reference]
    return effort


def _reference(outcomes: Outcomes) -> int:
    costs, means = _column_means(outcomes.costs), _column_means(outcomes.scores)
    known = np.isfinite(costs).all() and np.ptp(costs) > 0
    return int(np.argmin(costs if known else np.nan_to_num(means, nan=1.0)))


def _column_means(table: Doubles) -> Doubles:
    counts = np.isfinite(table).sum(0)
    sums = np.nansum(table, 0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _heads(scores: Doubles, reference: int) -> list[Head]:
    """The reference's own quality first, then gains over it, together where experts were asked the same prompts."""
    known = np.isfinite(scores)
    mean = _column_means(scores)
    base = np.where(known[:, reference], scores[:, reference], mean[reference])
    heads = []
    groups: dict[bytes, list[int]] = {}
    for column in range(scores.shape[1]):
        if column != reference:
            groups.setdefault(known[:, column].tobytes(), []).append(column)
    for columns in [[reference], *groups.values()]:
        rows = np.flatnonzero(known[:, columns[0]])
        truth = scores[rows][:, columns]
        if columns != [reference]:
            truth = truth - base[rows, None]
        targets = truth if columns == [reference] else np.where(truth < 0, LOSS * truth, truth)
        if len(rows) >= FEWEST:
            heads.append(Head(tuple(columns), rows, truth, targets))
    return heads


def _slope(lengths: Doubles, truth: Doubles) -> Doubles:
    """How each column of `truth` changes with length, shrunk by what chance alone would show."""
    moved = lengths - lengths.mean()
    power = max(float(moved @ moved), 1e-12)
    slopes = moved @ truth / power
    chance = truth.var(0) / power
    return np.asarray(slopes * np.maximum(0.0, 1 - chance / np.maximum(slopes**2, 1e-12)))


def _records(outcomes: Outcomes) -> tuple[Record, ...]:
    rows = np.isfinite(outcomes.scores).sum(0)
    tables = (outcomes.scores, outcomes.costs, outcomes.latencies, outcomes.tokens)
    figures = zip(rows.tolist(), *(_column_means(table).tolist() for table in tables), strict=True)
    return tuple(Record(*figure) for figure in figures)
