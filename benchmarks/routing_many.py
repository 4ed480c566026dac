"""Any number of experts: cost against accuracy, beside the best single one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import outcomes as recorded
from benchmarks.measures import QUICK_RESAMPLES, RESAMPLES, Frontier, interval
from benchmarks.reporting import progress, table
from benchmarks.routing_prompts import QUICK_TUNED, Doubles, Places, Prompts, folds, sample
from mixture.routing.outcomes import Outcomes


def many_models(folder: Path, quick: bool) -> dict[str, Any]:
    """All models of MMLU-Pro as experts, by cost and accuracy against the best single one."""
    progress("MMLU-Pro with all models")
    log = recorded.mmlupro(folder)
    prompts = Prompts(sample(log, 600), QUICK_TUNED) if quick else Prompts(log)
    found = frontier(prompts, 2 if quick else 5, QUICK_RESAMPLES if quick else RESAMPLES)
    report(found, "MMLU-Pro, all models as experts")
    return {f"mmlupro_{name}": value for name, value in found.items()}


def frontier(prompts: Prompts, count: int, resamples: int = RESAMPLES) -> dict[str, Any]:
    """Accuracy and cost of routing among the experts of any log, every row being routed once by other rows' lessons."""
    log = prompts.log
    size = len(log)
    quality, expected = np.zeros((2, size, len(log.experts)))
    single, by_domain = np.zeros((2, size), dtype=np.int64)
    for train, test in _parts(log, count):
        predictor = prompts.fit(train)
        quality[test] = prompts.qualities(predictor, test)
        expected[test] = [record.cost_usd for record in predictor.records]
        single[test] = int(np.argmax(np.nan_to_num(predictor.base)))
        by_domain[test] = _best_by_domain(log, train, test, single[test])
    rows = np.array([row for _, test in _parts(log, count) for row in test])
    tested = log.rows(rows)
    found = _judged(tested, quality[rows], expected[rows], single[rows], resamples)
    if any(log.domains):
        picked = tested.scores[np.arange(len(rows)), by_domain[rows]]
        found["gold_domain"] = round(float(np.nanmean(picked)), 4) if np.isfinite(picked).any() else None
    return found


def _best_by_domain(log: Outcomes, train: Places, test: Places, otherwise: Places) -> Places:
    """For each row of `test` the expert that is best in its true domain, by the rows of `train`."""
    best: dict[str, int] = {}
    for domain in set(log.domains):
        inside = log.scores[[row for row in train if log.domains[row] == domain]]
        means = np.nansum(inside, 0) / np.maximum(np.isfinite(inside).sum(0), 1)
        if domain and len(inside):
            best[domain] = int(np.argmax(means))
    return np.array([best.get(log.domains[row], other) for row, other in zip(test, otherwise, strict=True)])


def _parts(log: Outcomes, count: int) -> list[tuple[Places, Places]]:
    """The log's own split where it names one, else folds."""
    split = np.array(log.splits)
    if {"train", "test"} <= set(log.splits):
        return [(np.flatnonzero(split == "train"), np.flatnonzero(split == "test"))]
    return list(folds(len(log), max(2, min(count, len(log)))))


def _judged(log: Outcomes, quality: Doubles, expected: Doubles, single: Places, resamples: int) -> dict[str, Any]:
    """The figures of a routed log. An expert with no recorded score for a request can't be chosen for it."""
    asked = np.isfinite(log.scores)
    rows = np.arange(len(log))
    comparable = asked[rows, single]
    scores, costs = np.nan_to_num(log.scores), np.nan_to_num(log.costs)
    quality = np.where(asked, quality, -np.inf)
    spent = costs[asked]
    priced = bool(np.isfinite(log.costs[asked]).all()) and float(np.ptp(spent)) > 1e-9 * float(spent.max())
    kept = comparable if comparable.any() else np.ones(len(log), dtype=bool)
    front = Frontier(
        quality[kept],
        np.nan_to_num(expected[kept]) if priced else np.zeros_like(quality[kept]),
        scores[kept],
        costs[kept],
    )
    best = scores[rows, single][kept]
    spent, right = front.points()
    found: dict[str, Any] = {
        "accuracy": round(float(right[0]), 4),
        "cost_usd": float(f"{spent[0]:.4g}") if priced else None,
        "best_single": round(float(best.mean()), 4),
        "best_single_expert": log.experts[int(np.bincount(single).argmax())],
        "oracle": round(float(scores[kept].max(1).mean()), 4),
        "rows": int(kept.sum()),
    }
    return found | _against_single(front, best, costs[rows, single][kept] if priced else None, resamples)


def _against_single(front: Frontier, best: Doubles, paid: Doubles | None, resamples: int) -> dict[str, Any]:
    size = len(best)
    if paid is None:
        low, high = interval(lambda w: front.points(w)[1][0] - float(w @ best) / w.sum(), size, None, resamples)
        accuracy = round(float(front.points()[1][0]), 4)
        return {"accuracy_equal_cost": accuracy, "gain_interval": [round(low, 4), round(high, 4)]}

    def gain(w: Doubles) -> float:
        return front.accuracy_at(float(w @ paid) / w.sum(), w) - float(w @ best) / w.sum()

    def share(w: Doubles) -> float:
        return front.cost_at(float(w @ best) / w.sum(), w) / (float(w @ paid) / w.sum())

    ones = np.ones(size)
    return {
        "best_single_cost_usd": float(f"{paid.mean():.4g}"),
        "accuracy_equal_cost": round(gain(ones) + float(best.mean()), 4),
        "gain_interval": [round(value, 4) for value in interval(gain, size, None, resamples)],
        "cost_equal_accuracy": _finite(share(ones)),
        "cost_equal_accuracy_interval": [_finite(value) for value in interval(share, size, None, resamples)],
    }


def _finite(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def report(found: dict[str, Any], title: str) -> None:
    """The figures of a frontier as a table."""
    table(title, ("figure", "value"), [(name.replace("_", " "), value) for name, value in found.items()])
