"""The quality floor: how often a promised quality is kept over random splits, and what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import outcomes as recorded
from benchmarks.reporting import progress, table
from benchmarks.routing_pairs import ours
from benchmarks.routing_prompts import LABELS, QUICK_TUNED, Doubles, Places, Prompts, sample
from mixture.routing import floor, review
from mixture.routing.calibration import Calibration, Floats, Held
from mixture.routing.fitting import TUNED_ROWS

QUALITY, SPLITS, QUICK_SPLITS = 0.95, 200, 50
KINDS = {"": (0.5, True), "_long_run": (0.2, False), "_long_run_half": (0.5, False)}
"""The part of the rows that a promise is calibrated on, the rest being what comes next, and whether it is made for so
many next requests. The long run is many more requests than were calibrated on; over as many, their own chance, which it
does not promise, breaks it more often.
"""
_SHOWN = ("the next requests, as many", "the long run, four times as many", "the long run, over as many")


def quality_floor(prompts: Prompts, quick: bool) -> dict[str, Any]:
    """How often "95% of the strong model's quality" is kept, over random splits of MMLU."""
    progress("the quality floor")
    order = np.random.default_rng(99).permutation(len(prompts.log))
    train, rest = order[:LABELS], order[LABELS:]
    gains = ours(prompts, train, rest)
    weak, strong = prompts.log.scores[rest].T
    splits = QUICK_SPLITS if quick else SPLITS
    result: dict[str, Any] = {}
    rows = []
    for shown, (name, (part, far)) in zip(_SHOWN, KINDS.items(), strict=True):
        kept, calls = _splits(gains, weak, strong, splits, part, far)
        result |= {f"floor{name}_kept": round(kept, 4), f"floor{name}_strong_share": round(calls, 4)}
        rows.append((shown, f"{kept:.3f}", f"{calls:.3f}"))
    table(f"Floor of 95%, {splits} splits (promise: kept in 0.95)", ("promised for", "kept", "strong share"), rows)
    return result


def _divided(size: int, part: float, seed: int) -> tuple[Places, Places]:
    """A random part of the rows to calibrate on, and the others."""
    order = np.random.default_rng(seed).permutation(size)
    return order[: int(part * size)], order[int(part * size) :]


def _splits(gains: Doubles, weak: Doubles, strong: Doubles, splits: int, part: float, far: bool) -> tuple[float, float]:
    """Over so many splits: how often the floor was kept on the test rows, and the mean share of strong calls."""
    kept, calls = [], []
    for seed in range(splits):
        known, new = _divided(len(gains), part, seed)
        rule = floor.calibrate(gains[known], weak[known], strong[known], QUALITY, horizon=len(new) if far else None)
        cheap = floor.routed(gains[new], rule)
        kept.append(np.where(cheap, weak[new], strong[new]).mean() >= QUALITY * strong[new].mean())
        calls.append(1 - cheap.mean())
    return float(np.mean(kept)), float(np.mean(calls))


def many_floor(folder: Path, quick: bool) -> dict[str, Any]:
    """The same for all models of MMLU-Pro: a ladder from the cheapest model to the best one, climbed as far as the
    margin says. The predictor learns from a third of the questions, which are in no split.
    """
    progress("the quality floor among all models")
    log = recorded.mmlupro(folder)
    if quick:
        log = sample(log, 900)
    order = np.random.default_rng(5).permutation(len(log))
    third = len(log) // 3
    prompts = Prompts(log, QUICK_TUNED if quick else TUNED_ROWS)
    predictor = prompts.fit(np.sort(order[:third]))
    rest = np.sort(order[third:])
    held = Held(
        np.array([predictor.of(prompts.encodings[row]) for row in rest], dtype=np.float32),
        log.scores[rest].astype(np.float32),
    )
    rule = review.rule(Calibration(predictor, held, "benchmark"), QUALITY)
    if rule is None:
        raise RuntimeError("the price list gives no ladder")
    columns = list(rule.columns)
    predicted, scores = held.of(columns)
    costs = log.costs[rest][:, columns]
    splits = QUICK_SPLITS if quick else SPLITS
    result: dict[str, Any] = {"many_floor_experts": len(columns)}
    rows = []
    for shown, (name, (part, far)) in zip(_SHOWN, KINDS.items(), strict=True):
        kept, spent = _ladders(predicted, scores, costs, splits, part, far)
        result |= {f"many_floor{name}_kept": round(kept, 4), f"many_floor{name}_cost_share": round(spent, 4)}
        rows.append((shown, f"{kept:.3f}", f"{spent:.3f}"))
    title = f"Floor of 95% of {rule.strong}, {len(columns)} of {len(log.experts)} models on the ladder, {splits} splits"
    table(title, ("promised for", "kept", "cost, share of the strong one's"), rows)
    return result


def _ladders(
    predicted: Floats, scores: Floats, costs: Doubles, splits: int, part: float, far: bool
) -> tuple[float, float]:
    kept, spent = [], []
    for seed in range(splits):
        known, new = _divided(len(scores), part, seed)
        found = floor.ladder(predicted[known], scores[known], QUALITY, horizon=len(new) if far else None)
        picked = floor.climbed(predicted[new], found.threshold)
        rows = np.arange(len(new))
        kept.append(scores[new][rows, picked].mean() >= QUALITY * scores[new][:, -1].mean())
        spent.append(costs[new][rows, picked].mean() / costs[new][:, -1].mean())
    return float(np.mean(kept)), float(np.mean(spent))
