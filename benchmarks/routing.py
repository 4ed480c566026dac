"""Routing on recorded answers: how much of the stronger model's quality is had for how much less.

RouteLLM's MMLU and GSM8K under three regimes, all models of MMLU-Pro, the quality floor over random splits, the CPU
time of a decision; `--log FILE` measures any outcome log instead. The router tunes itself on its training rows only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import outcomes as recorded
from benchmarks.measures import Curve, Frontier, interval, mean_apgr
from benchmarks.reporting import finish, need, options, progress, table
from mixture.routing import floor, objective
from mixture.routing.encoder import Encoding, encode
from mixture.routing.fitting import TUNED_ROWS, fit_encoded
from mixture.routing.outcomes import LogError, Outcomes, load
from mixture.routing.predictor import Predictor

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

PUBLISHED = {"RouteLLM, Arena data only": ("0.524", "", "0.475"), "RouteLLM, best": ("0.603", "", "0.622")}
"""APGR, arXiv 2406.18665: MMLU with about 1,500 gold labels; GSM8K with a judge's labels added."""
PUBLISHED_RATE = 155
"""Decisions a second of RouteLLM's matrix factorisation, by its authors."""
LABELS = 1_500
QUICK_TUNED = 700
"""Rows that the router's own choices are made on with `--quick`."""


class Prompts:
    """A log with its prompts encoded once; the gold domains can be kept from the router."""

    def __init__(self, log: Outcomes, tuned: int = TUNED_ROWS, encodings: Sequence[Encoding] | None = None) -> None:
        self.log = log
        self.tuned = tuned
        self.encodings = list(encodings) if encodings else [encode(prompt) for prompt in log.prompts]

    def fit(self, rows: Places) -> Predictor:
        """A predictor from `rows` alone."""
        return fit_encoded([self.encodings[row] for row in rows], self.log.rows(rows), tuned=self.tuned)

    def qualities(self, predictor: Predictor, rows: Places) -> Doubles:
        """Predicted qualities (rows x experts), without the bounds at 0 and 1."""
        return np.array([predictor.base + predictor.moves(self.encodings[row]) for row in rows], dtype=np.float64)


def sample(log: Outcomes, size: int) -> Outcomes:
    """At most `size` rows of a log, the same ones each time."""
    return log.rows(np.sort(np.random.default_rng(3).permutation(len(log))[:size]))


Scorer = Callable[[Prompts, Places, Places], Doubles]
"""Gains of the strong expert over the weak one for the rows of the second kind, learned from those of the first."""


def ours(prompts: Prompts, train: Places, test: Places) -> Doubles:
    """The learned router."""
    qualities = prompts.qualities(prompts.fit(train), test)
    return np.asarray(qualities[:, 1] - qualities[:, 0])


def tfidf(prompts: Prompts, train: Places, test: Places) -> Doubles:
    """TF-IDF of words and pairs, ridge regression of the gain with one fixed penalty."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge

    texts, gain = prompts.log.prompts, prompts.log.scores[:, 1] - prompts.log.scores[:, 0]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2 if len(train) > 200 else 1)
    matrix = vectorizer.fit_transform([texts[row] for row in train])
    model = Ridge(alpha=5.0, solver="sparse_cg").fit(matrix, gain[train])
    return np.asarray(model.predict(vectorizer.transform([texts[row] for row in test])))


def gold_domain(prompts: Prompts, train: Places, test: Places) -> Doubles:
    """The mean gain of the request's true domain among the training rows, shrunk to the overall mean."""
    gain = prompts.log.scores[:, 1] - prompts.log.scores[:, 0]
    overall = float(gain[train].mean())
    means: dict[str, float] = {}
    for domain in sorted(set(prompts.log.domains)):
        inside = [gain[row] for row in train if prompts.log.domains[row] == domain]
        means[domain] = (sum(inside) + 20 * overall) / (len(inside) + 20)
    return np.array([means[prompts.log.domains[row]] for row in test])


def chance(prompts: Prompts, train: Places, test: Places) -> Doubles:
    """Gains drawn at random."""
    return np.random.default_rng(int(train[0])).random(len(test))


def oracle(prompts: Prompts, train: Places, test: Places) -> Doubles:
    """The gains themselves."""
    return np.asarray(prompts.log.scores[test, 1] - prompts.log.scores[test, 0])


def folds(size: int, count: int, seed: int = 0) -> Iterator[tuple[Places, Places]]:
    """Random training and test rows, every row being tested once."""
    order = np.random.default_rng(seed).permutation(size)
    for number in range(count):
        test = np.sort(order[number::count])
        yield np.setdiff1d(np.arange(size), test), test


def few_labels(prompts: Prompts, scorer: Scorer, seeds: int, tested: int | None) -> list[Curve]:
    """A curve a seed: 1,500 random rows labelled, the others (or `tested` of them) routed."""
    curves = []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(prompts.log))
        train, test = order[:LABELS], order[LABELS:][:tested]
        curves.append(curve(prompts, scorer(prompts, train, test), test))
    return curves


def many_labels(prompts: Prompts, scorer: Scorer, count: int) -> list[Curve]:
    """One curve over all rows, each routed by what the other folds taught."""
    gains = np.zeros(len(prompts.log))
    for train, test in folds(len(prompts.log), count):
        gains[test] = scorer(prompts, train, test)
    return [curve(prompts, gains, np.arange(len(gains)))]


def no_labels(source: Prompts, target: Prompts) -> list[Curve]:
    """A curve on a benchmark whose domains the router never saw."""
    predictor = source.fit(np.arange(len(source.log)))
    rows = np.arange(len(target.log))
    qualities = target.qualities(predictor, rows)
    return [curve(target, qualities[:, 1] - qualities[:, 0], rows)]


def curve(prompts: Prompts, gains: Doubles, rows: Places) -> Curve:
    """The curve of `gains` on `rows` of a log of two experts."""
    scores = prompts.log.scores[rows]
    return Curve(gains, scores[:, 0], scores[:, 1], rows)


def two_models(mmlu: Prompts, gsm8k: Prompts, quick: bool) -> dict[str, Any]:
    """The three regimes on RouteLLM's two benchmarks."""
    seeds, tested, count = (2, None, 2) if quick else (20, None, 5)
    regimes: dict[str, Callable[[Scorer], list[Curve]]] = {
        "mmlu_1500": lambda scorer: few_labels(mmlu, scorer, seeds, tested),
        "mmlu_5fold": lambda scorer: many_labels(mmlu, scorer, count),
        "gsm8k_5fold": lambda scorer: many_labels(gsm8k, scorer, 5),
    }
    sizes = {"mmlu_1500": len(mmlu.log), "mmlu_5fold": len(mmlu.log), "gsm8k_5fold": len(gsm8k.log)}
    result: dict[str, Any] = {}
    rows = []
    for name, regime in regimes.items():
        progress(name)
        found = {router: regime(scorer) for router, scorer in ROUTERS.items()}
        rows += _compared(name, found, sizes[name], result)
    progress("routing without labels of the domain")
    transfers = {"transfer_mmlu": (gsm8k, mmlu), "transfer_gsm8k": (mmlu, gsm8k)}
    for name, (source, target) in transfers.items():
        rows += _compared(name, {"ours": no_labels(source, target)}, len(target.log), result)
    result["transfer_apgr"] = min(result["transfer_mmlu_apgr"], result["transfer_gsm8k_apgr"])
    table("Two models: APGR (random 0.5), CPT in % of strong calls", _COLUMNS, rows)
    table("Published APGR", ("router", "MMLU", "", "GSM8K"), [(name, *row) for name, row in PUBLISHED.items()])
    return result


ROUTERS: dict[str, Scorer] = {
    "ours": ours,
    "tfidf": tfidf,
    "gold_domain": gold_domain,
    "random": chance,
    "oracle": oracle,
}
_COLUMNS = ("regime", "router", "APGR", "95% interval", "over TF-IDF", "CPT50", "CPT80")


def _compared(name: str, found: dict[str, list[Curve]], size: int, result: dict[str, Any]) -> list[tuple[str, ...]]:
    rows = []
    for router, curves in found.items():
        measure = mean_apgr(curves)
        low, high = interval(measure, size)
        beside = ""
        if "tfidf" in found and router != "tfidf":
            less, more = interval(measure, size, mean_apgr(found["tfidf"]))
            beside = f"{less:+.3f} to {more:+.3f}"
            result[f"{name}_{router}_over_tfidf"] = [round(less, 4), round(more, 4)]
        key = f"{name}_apgr" if router == "ours" else f"{name}_{router}_apgr"
        result[key] = round(measure(None), 4)
        result[f"{key}_interval"] = [round(low, 4), round(high, 4)]
        cpt = [float(np.mean([one.cpt(part) for one in curves])) for part in (0.5, 0.8)]
        if router == "ours":
            result[f"{name}_cpt50"], result[f"{name}_cpt80"] = (round(value, 1) for value in cpt)
        rows.append(
            (name, router, f"{measure(None):.3f}", f"{low:.3f} to {high:.3f}", beside, *map("{:.1f}".format, cpt))
        )
    return rows


def quality_floor(prompts: Prompts) -> dict[str, Any]:
    """How often "95% of the strong model's quality" is kept, over random calibration and test halves of MMLU."""
    progress("the quality floor")
    order = np.random.default_rng(99).permutation(len(prompts.log))
    train, rest = order[:LABELS], order[LABELS:]
    gains = ours(prompts, train, rest)
    weak, strong = prompts.log.scores[rest].T
    result: dict[str, Any] = {}
    rows = []
    for name, far in (("floor", True), ("floor_long_run", False)):
        kept, calls = _splits(gains, weak, strong, far)
        result |= {f"{name}_kept": round(kept, 4), f"{name}_strong_share": round(calls, 4)}
        rows.append(("the next requests" if far else "the long run", f"{kept:.3f}", f"{calls:.3f}"))
    table("Floor of 95%, 200 splits (promise: kept in 0.95)", ("promised for", "kept", "strong share"), rows)
    return result


def _splits(gains: Doubles, weak: Doubles, strong: Doubles, far: bool) -> tuple[float, float]:
    """Over 200 splits: how often the floor was kept on the test half, and the mean share of strong calls."""
    kept, calls = [], []
    for seed in range(200):
        order = np.random.default_rng(seed).permutation(len(gains))
        half = len(gains) // 2
        known, new = order[:half], order[half:]
        rule = floor.calibrate(gains[known], weak[known], strong[known], 0.95, horizon=len(new) if far else None)
        cheap = floor.routed(gains[new], rule)
        kept.append(np.where(cheap, weak[new], strong[new]).mean() >= 0.95 * strong[new].mean())
        calls.append(1 - cheap.mean())
    return float(np.mean(kept)), float(np.mean(calls))


def many_models(folder: Path, quick: bool) -> dict[str, Any]:
    """All models of MMLU-Pro as experts, by cost and accuracy against the best single one."""
    progress("MMLU-Pro with all models")
    log = recorded.mmlupro(folder)
    found = frontier(Prompts(sample(log, 1_500), QUICK_TUNED) if quick else Prompts(log), 2 if quick else 5)
    report(found, "MMLU-Pro, all models as experts")
    return {f"mmlupro_{name}": value for name, value in found.items()}


def frontier(prompts: Prompts, count: int) -> dict[str, Any]:
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
    found = _judged(tested, quality[rows], expected[rows], single[rows])
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


def _judged(log: Outcomes, quality: Doubles, expected: Doubles, single: Places) -> dict[str, Any]:
    """The figures of a routed log. An expert with no recorded score for a request can't be chosen for it."""
    asked = np.isfinite(log.scores)
    rows = np.arange(len(log))
    comparable = asked[rows, single]
    scores, costs = np.nan_to_num(log.scores), np.nan_to_num(log.costs)
    quality = np.where(asked, quality, -np.inf)
    priced = bool(np.isfinite(log.costs[asked]).all()) and float(np.ptp(costs[asked])) > 0
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
    return found | _against_single(front, best, costs[rows, single][kept] if priced else None)


def _against_single(front: Frontier, best: Doubles, paid: Doubles | None) -> dict[str, Any]:
    size = len(best)
    if paid is None:
        low, high = interval(lambda w: front.points(w)[1][0] - float(w @ best) / w.sum(), size)
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
        "gain_interval": [round(value, 4) for value in interval(gain, size)],
        "cost_equal_accuracy": _finite(share(ones)),
        "cost_equal_accuracy_interval": [_finite(value) for value in interval(share, size)],
    }


def _finite(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def report(found: dict[str, Any], title: str) -> None:
    """The figures of a frontier as a table."""
    table(title, ("figure", "value"), [(name.replace("_", " "), value) for name, value in found.items()])


def cpu(prompts: Prompts, predictor: Predictor) -> dict[str, Any]:
    """CPU time and rate of whole decisions, from the text to the order of experts, in one process."""
    costs = [record.cost_usd if np.isfinite(record.cost_usd) else None for record in predictor.records]
    texts = [prompts.log.prompts[row] for row in np.random.default_rng(0).permutation(len(prompts.log))[:1_000]]
    started, used = time.perf_counter(), time.process_time()
    for text in texts:
        qualities = predictor.qualities(text)
        candidates = [
            objective.Candidate(name, float(quality), cost)
            for name, quality, cost in zip(predictor.experts, qualities, costs, strict=True)
        ]
        objective.choose(candidates, objective.Aim(quality=0.95))
    wall, used = time.perf_counter() - started, time.process_time() - used
    result = {"cpu_ms_per_decision": round(1_000 * used / len(texts), 4), "decisions_per_s": round(len(texts) / wall)}
    rows = [("ours", result["decisions_per_s"], result["cpu_ms_per_decision"])]
    rows.append(("RouteLLM, matrix factorisation (published)", PUBLISHED_RATE, ""))
    table("Decisions", ("router", "decisions/s", "CPU ms each"), rows)
    return result


def any_log(path: Path, quick: bool) -> dict[str, Any]:
    """The same for an outcome log never seen before."""
    log = load(path)
    if quick:
        log = sample(log, 1_500)
    if len(log) < 2:
        raise LogError(f"{path}: at least two prompts are needed to learn from one and test on the other", param="log")
    prompts = Prompts(log, QUICK_TUNED if quick else TUNED_ROWS)
    found = frontier(prompts, 2 if quick else 5)
    report(found, f"{path.name}: {len(log)} prompts, {len(log.experts)} experts")
    return found | cpu(prompts, prompts.fit(np.arange(len(log))))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, keep."""
    parser = options(__doc__, data=True)
    parser.add_argument("--log", type=Path, help="an outcome log (Parquet or JSONL) to measure instead")
    chosen = parser.parse_args(arguments)
    if chosen.log is not None:
        try:
            result = any_log(chosen.log, chosen.quick)
        except LogError as error:
            sys.exit(f"routing: {error}")
        finish("routing", result, save=False)
        return
    need(chosen.data, "routellm_mmlu_gsm8k.parquet", "mmlupro_questions.parquet", "mmlupro_preds.parquet")
    progress("encoding RouteLLM's prompts")
    mmlu, gsm8k = (recorded.routellm(chosen.data, name) for name in ("mmlu", "gsm8k"))
    tuned = QUICK_TUNED if chosen.quick else TUNED_ROWS
    prompts = [Prompts(sample(mmlu, 4_000) if chosen.quick else mmlu, tuned), Prompts(gsm8k, tuned)]
    result = two_models(*prompts, chosen.quick)
    result |= quality_floor(prompts[0])
    result |= many_models(chosen.data, chosen.quick)
    result |= cpu(prompts[1], prompts[1].fit(np.arange(len(gsm8k))))
    finish("routing", result, save=chosen.save)


if __name__ == "__main__":
    main()
