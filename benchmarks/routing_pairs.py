"""RouteLLM's MMLU and GSM8K: which of two models to ask, under three regimes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.encoders import smollm2
from benchmarks.measures import QUICK_RESAMPLES, RESAMPLES, Curve, interval, mean_apgr
from benchmarks.reporting import progress, table
from benchmarks.routing_prompts import LABELS, Doubles, Places, Prompts, folds

PUBLISHED = {"RouteLLM, Arena data only": ("0.524", "", "0.475"), "RouteLLM, best": ("0.603", "", "0.622")}
"""APGR, arXiv 2406.18665: MMLU with about 1,500 gold labels; GSM8K with a judge's labels added."""


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


def no_labels(source: Prompts, target: Prompts, most: int | None) -> list[Curve]:
    """A curve on a benchmark whose domains the router never saw; it learns from at most `most` rows of another."""
    predictor = source.fit(np.sort(np.random.default_rng(4).permutation(len(source.log))[:most]))
    rows = np.arange(len(target.log))
    qualities = target.qualities(predictor, rows)
    return [curve(target, qualities[:, 1] - qualities[:, 0], rows)]


def curve(prompts: Prompts, gains: Doubles, rows: Places) -> Curve:
    """The curve of `gains` on `rows` of a log of two experts."""
    scores = prompts.log.scores[rows]
    return Curve(gains, scores[:, 0], scores[:, 1], rows)


def two_models(mmlu: Prompts, gsm8k: Prompts, quick: bool) -> dict[str, Any]:
    """The three regimes on RouteLLM's two benchmarks; without `quick` with a language model as heavier encoder, too."""
    result: dict[str, Any] = {}
    rows = _regimes(mmlu, gsm8k, ROUTERS, result, quick)
    if not quick:
        heavy, other = (prompts.beside(smollm2(prompts.log.prompts)) for prompts in (mmlu, gsm8k))
        rows += _regimes(heavy, other, {"smollm2": ours}, result, quick)
    table("Two models: APGR (random 0.5), CPT in % of strong calls", _COLUMNS, rows)
    table("Published APGR", ("router", "MMLU", "", "GSM8K"), [(name, *row) for name, row in PUBLISHED.items()])
    return result


def _regimes(
    mmlu: Prompts, gsm8k: Prompts, routers: dict[str, Scorer], result: dict[str, Any], quick: bool
) -> list[tuple[str, ...]]:
    seeds, tested, count = (1, None, 2) if quick else (20, None, 5)
    regimes: dict[str, Callable[[Scorer], list[Curve]]] = {
        "mmlu_1500": lambda scorer: few_labels(mmlu, scorer, seeds, tested),
        "mmlu_5fold": lambda scorer: many_labels(mmlu, scorer, count),
        "gsm8k_5fold": lambda scorer: many_labels(gsm8k, scorer, count),
    }
    sizes = {"mmlu_1500": len(mmlu.log), "mmlu_5fold": len(mmlu.log), "gsm8k_5fold": len(gsm8k.log)}
    rows = []
    for name, regime in regimes.items():
        progress(f"{name}: {', '.join(routers)}")
        found = {router: regime(scorer) for router, scorer in routers.items()}
        rows += _compared(name, found, sizes[name], result, quick)
    progress("routing without labels of the domain")
    router = next(iter(routers))
    for name, (source, target) in {"transfer_mmlu": (gsm8k, mmlu), "transfer_gsm8k": (mmlu, gsm8k)}.items():
        found = {router: no_labels(source, target, 600 if quick else None)}
        rows += _compared(name, found, len(target.log), result, quick)
    result[_key("transfer", router)] = min(result[_key(f"transfer_{target}", router)] for target in ("mmlu", "gsm8k"))
    return rows


ROUTERS: dict[str, Scorer] = {
    "ours": ours,
    "tfidf": tfidf,
    "gold_domain": gold_domain,
    "random": chance,
    "oracle": oracle,
}
_COLUMNS = ("regime", "router", "APGR", "95% interval", "over TF-IDF", "CPT50", "CPT80")


def _key(regime: str, router: str) -> str:
    return f"{regime}_apgr" if router == "ours" else f"{regime}_{router}_apgr"


def _compared(
    name: str, found: dict[str, list[Curve]], size: int, result: dict[str, Any], quick: bool
) -> list[tuple[str, ...]]:
    rows = []
    times = QUICK_RESAMPLES if quick else RESAMPLES
    for router, curves in found.items():
        measure = mean_apgr(curves)
        low, high = interval(measure, size, resamples=times)
        beside = ""
        if "tfidf" in found and router != "tfidf":
            less, more = interval(measure, size, mean_apgr(found["tfidf"]), times)
            beside = f"{less:+.3f} to {more:+.3f}"
            result[f"{name}_{router}_over_tfidf"] = [round(less, 4), round(more, 4)]
        key = _key(name, router)
        result[key] = round(measure(None), 4)
        result[f"{key}_interval"] = [round(low, 4), round(high, 4)]
        cpt = [float(np.mean([one.cpt(part) for one in curves])) for part in (0.5, 0.8)]
        if router == "ours":
            result[f"{name}_cpt50"], result[f"{name}_cpt80"] = (round(value, 1) for value in cpt)
        rows.append(
            (name, router, f"{measure(None):.3f}", f"{low:.3f} to {high:.3f}", beside, *map("{:.1f}".format, cpt))
        )
    return rows
