"""Any outcome log: what votes, weights, selection and cascades make of it, and what each of its experts adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import recordings
from benchmarks.contests import FIVE, NINE, Found, Rows, detected, gap, marginal, run, show, some, strongest
from benchmarks.ensembles import Played, folds, interval, joined, mean_cost, polls, single
from benchmarks.ladders import chosen, climb
from benchmarks.reporting import progress
from mixture.aggregation.learning import from_labels
from mixture.aggregation.majority import Majority
from mixture.routing.outcomes import Outcomes, load

FEWEST = 25
"""Prompts of an outcome log from which it can be cut into folds."""
GATED = 500
"""Prompts on which it is measured what each expert adds."""


def from_log(path: Path) -> dict[str, Any]:
    """The same on an outcome log: what is learned is learned on its training rows, or on other folds."""
    recording = recordings.with_responses(load(path))
    recording = replace(recording, costs=recordings.completed(recording.costs))
    rounds = _rounds(recording)
    parts: dict[str, list[tuple[Rows, Played]]] = {}
    for train, test in rounds:
        progress(f"{len(train)} prompts to learn from, {len(test)} to answer")
        for name, played in _of_log(recording.rows(train), recording.rows(test)).items():
            parts.setdefault(name, []).append((test, played))
    tested = np.unique(np.concatenate([test for _, test in rounds]))
    found = {name: _at(joined(some, len(recording)), tested) for name, some in parts.items()}
    show(f"{path.name}: {len(tested)} prompts of {len(recording)}", found, "best single in training", "majority of 5")
    best, cascade = found["best single in training"], found["cascade by confidence"]
    result = {name: found[key].accuracy for name, key in _LOGGED.items()}
    return {
        **{name: round(value, 4) for name, value in result.items()},
        "weighted_over_majority": interval(found["weighted of 5"].right - found["majority of 5"].right),
        "cascade_cost_share": _finite(mean_cost(cascade) / mean_cost(best) if mean_cost(best) else np.nan),
        "oracle": round(float(found["oracle"].accuracy), 4),
        "ahead": {
            "accuracy": round(found["ahead by 2, of at most 9"].accuracy, 4),
            "calls": round(float(found["ahead by 2, of at most 9"].calls.mean()), 3),
        },
        "ece": _finite(gap(found["weighted of 5"])),
        "marginal": marginal(some(recording, GATED), strongest(recording)[:NINE]),
        "prompts": len(tested),
    }


def _rounds(recording: Outcomes) -> list[tuple[Rows, Rows]]:
    """What to learn from and what to answer: as the log marks its rows, or else five folds. A log of a few prompts is
    learned from as a whole, and its figures flatter themselves.
    """
    marked = np.array([split == "train" for split in recording.splits])
    if marked.any() and not marked.all():
        return [(np.flatnonzero(marked), np.flatnonzero(~marked))]
    if len(recording) < FEWEST:
        progress(f"only {len(recording)} prompts: what is learned is learned from the prompts that are answered")
        return [(np.arange(len(recording)),) * 2]
    return folds(len(recording))


_LOGGED: Mapping[str, str] = {
    "majority": "majority of 5",
    "weighted": "weighted of 5",
    "cascade_accuracy": "cascade by confidence",
    "best_single": "best single in training",
}


def _of_log(train: Outcomes, test: Outcomes) -> Found:
    names = strongest(train)
    five = names[:FIVE]
    learned = Majority(None, from_labels(polls(train, five, lambda prompt, _: detected(prompt))))
    unknown = np.full(len(test), np.nan)
    return {
        "best single in training": single(test, names[0]),
        "majority of 5": run("voting", test, five),
        "weighted of 5": run("voting", test, five, learned, weights="learned"),
        "selection of 5 without a judge": run("best_of_n", test, five),
        "ahead by 2, of at most 9": run("cascade", test, names[:NINE], lead=2, fallback_order=names[:NINE]),
        "cascade by confidence": climb(chosen(train)[0], test),
        "oracle": Played(np.nan_to_num(test.scores).max(1), unknown, unknown, unknown),
    }


def _at(played: Played, rows: Rows) -> Played:
    return Played(played.right[rows], played.calls[rows], played.cost[rows], played.confidence[rows])


def _finite(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
