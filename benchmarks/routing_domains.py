"""Domains of requests: how often the classifier finds them, and whether it notices what belongs to none.

- MMLU-Pro's categories, by the packaged classifier as it is: it has seen texts of this project's own only.
- CLINC150's ten domains, learned from its train split by the same code (`mixture.routing.subject_fitting`) and tested
  on its test split; what is out of scope is told by the score of the likeliest domain (`strength`), and of the
  likeliest intent when the 150 intents are learned instead. `recall` is the share of out-of-scope requests that are
  noticed when a threshold from the validation split takes 5% of its requests in scope.
- Requests in nine languages and their English twins (tests/data/twins.yaml, written after the glossaries; how a
  language is told was mended after a first look at them): how often the first expert, the domain and the kind of
  task are the twin's.

Beside them: TF-IDF with logistic regression, the largest class.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import yaml

from benchmarks.reporting import progress, table
from mixture.routing import subjects
from mixture.routing.keyword import KeywordRouter
from mixture.routing.subject_fitting import fit
from mixture.types import ExpertCard, Message, Query

QUESTIONS, CLINC = "mmlupro_questions.parquet", "clinc150.parquet"
QUICK = 1_500
LOST = 0.05
"""The share of requests in scope that a threshold may take for out of scope."""
RESAMPLES = 1_000
TWINS = Path(__file__).parents[1] / "tests" / "data" / "twins.yaml"
KINDS = {
    "coder": ("code", "math", "technical"),
    "generalist": ("general", "summarization", "translation"),
    "jurist": ("law",),
    "doctor": ("medical", "psychology"),
    "scientist": ("physics", "chemistry", "biology"),
    "banker": ("finance", "business"),
    "author": ("creative", "writing"),
    "scholar": ("history", "philosophy"),
    "calculator": ("calculation", "algebra"),
}
CARDS = tuple(ExpertCard(name, "scripted", skills=skills) for name, skills in KINDS.items())

Doubles = npt.NDArray[np.float64]


def mmlupro(folder: Path, quick: bool) -> dict[str, Any]:
    """Accuracy of the packaged classifier on MMLU-Pro's categories."""
    rows = pq.read_table(folder / QUESTIONS).to_pylist()
    rows = [rows[place] for place in np.random.default_rng(0).permutation(len(rows))[: QUICK if quick else None]]
    texts = [_prompt(row) for row in rows]
    classifier = subjects.packaged_classifier()
    used = time.process_time()
    guesses = [classifier.guess(text) for text in texts]
    used = time.process_time() - used
    gold = [row["category"] for row in rows]
    right = np.array([guess.domain == name for guess, name in zip(guesses, gold, strict=True)], dtype=float)
    counts = np.unique(gold, return_counts=True)[1]
    found = {
        "mmlupro_domain_accuracy": round(float(right.mean()), 4),
        "mmlupro_domain_interval": interval(right),
        "mmlupro_domain_majority": round(float(counts.max() / len(gold)), 4),
        "mmlupro_domain_probability": round(float(np.mean([guess.probability for guess in guesses])), 4),
        "domain_cpu_ms": round(1_000 * used / len(texts), 4),
    }
    table("MMLU-Pro's categories, nothing learned from it", ("figure", "value"), list(found.items()))
    return found


def _prompt(row: dict[str, Any]) -> str:
    choices = enumerate(json.loads(row["options"]))
    return row["question"] + "".join(f"\n{chr(65 + number)}. {option}" for number, option in choices)


def clinc(folder: Path, quick: bool) -> dict[str, Any]:
    """Domain accuracy and detection of what is out of scope, beside TF-IDF with logistic regression."""
    columns = pq.read_table(folder / CLINC).to_pydict()
    splits = {name: _split(columns, name) for name in ("train", "val", "test")}
    splits["strange"] = _split(columns, "test", outside=True)
    if quick:
        splits = {name: _few(split, QUICK if name == "train" else QUICK // 3) for name, split in splits.items()}
    texts, intents, domains = splits["train"]
    progress("CLINC150: domains")
    learned = fit(texts, domains)
    guesses = [learned.guess(text) for text in splits["test"][0]]
    right = np.array(
        [guess.domain == name for guess, name in zip(guesses, splits["test"][2], strict=True)], dtype=float
    )
    found: dict[str, Any] = {
        "clinc_domain_accuracy": round(float(right.mean()), 4),
        "clinc_domain_interval": interval(right),
        "clinc_domain_majority": round(
            float(np.unique(splits["test"][2], return_counts=True)[1].max() / len(right)), 4
        ),
    }
    found |= outside("clinc_oos", lambda text: learned.guess(text).strength, splits)
    progress("CLINC150: intents")
    finer = fit(texts, intents)
    found |= outside("clinc_oos_by_intent", lambda text: finer.guess(text).strength, splits)
    progress("CLINC150: TF-IDF")
    found |= baseline(texts, domains, splits)
    table("CLINC150, learned from its train split", ("figure", "value"), list(found.items()))
    return found


def twins(path: Path = TWINS) -> dict[str, Any]:
    """How often requests in each language route as their English twins do, among experts of many kinds."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    found: dict[str, Any] = {}
    for spoken in (name for name in rows[0] if name != "en"):
        same = np.zeros(3)
        for row in rows:
            ours, theirs = (_routed(row[name]) for name in (spoken, "en"))
            same += [one == other for one, other in zip(ours, theirs, strict=True)]
        found[spoken] = [round(float(share), 4) for share in same / len(rows)]
    shown = [(name, *shares) for name, shares in found.items()]
    table(f"{len(rows)} requests and their English twins: the same", ("language", "expert", "domain", "task"), shown)
    return {"twins": found}


def _routed(text: str) -> tuple[str, ...]:
    route = asyncio.run(KeywordRouter().route(Query((Message("user", text),)), CARDS))
    return route.experts[0], str(route.signals["domain"]), str(route.signals["task"])


def _split(columns: dict[str, list[str]], name: str, outside: bool = False) -> tuple[list[str], ...]:
    """Texts, intents and domains of a split: those in scope, or those outside."""
    of_split = [place for place, split in enumerate(columns["split"]) if split == name]
    rows = [place for place in of_split if (columns["domain"][place] == "oos") == outside]
    return tuple([columns[column][place] for place in rows] for column in ("text", "intent", "domain"))


def _few(split: tuple[list[str], ...], most: int) -> tuple[list[str], ...]:
    """At most so many rows of a split, the same ones each time."""
    kept = np.random.default_rng(0).permutation(len(split[0]))[:most]
    return tuple([column[place] for place in kept] for column in split)


def outside(name: str, score: Any, splits: dict[str, Any]) -> dict[str, Any]:
    """How well `score` tells what is in scope (high) from what is not."""
    known, strange = (np.array([score(text) for text in splits[split][0]]) for split in ("test", "strange"))
    threshold = float(np.quantile([score(text) for text in splits["val"][0]], LOST))
    return {
        f"{name}_auroc": round(auroc(known, strange), 4),
        f"{name}_recall": round(float((strange < threshold).mean()), 4),
        f"{name}_lost": round(float((known < threshold).mean()), 4),
    }


def baseline(texts: Sequence[str], domains: Sequence[str], splits: dict[str, Any]) -> dict[str, Any]:
    """The same by TF-IDF of words and pairs with logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=30, max_iter=300)
    ).fit(texts, domains)
    accuracy = float(np.mean(model.predict(splits["test"][0]) == np.array(splits["test"][2])))
    chances = {name: model.predict_proba(splits[name][0]).max(1) for name in ("val", "test", "strange")}
    threshold = float(np.quantile(chances["val"], LOST))
    return {
        "clinc_domain_tfidf_accuracy": round(accuracy, 4),
        "clinc_oos_tfidf_auroc": round(auroc(chances["test"], chances["strange"]), 4),
        "clinc_oos_tfidf_recall": round(float((chances["strange"] < threshold).mean()), 4),
    }


def auroc(high: Doubles, low: Doubles) -> float:
    """The chance that one of `high` is above one of `low`, ties counting half."""
    order = np.sort(low)
    below, upto = np.searchsorted(order, high, "left"), np.searchsorted(order, high, "right")
    return float((below + upto).mean() / 2 / len(low))


def interval(right: Doubles) -> list[float]:
    """The 95% bootstrap interval of a mean."""
    rng = np.random.default_rng(5)
    means = [right[rng.integers(0, len(right), len(right))].mean() for _ in range(RESAMPLES)]
    return [round(float(value), 4) for value in np.quantile(means, (0.025, 0.975))]


def domains(folder: Path, quick: bool) -> dict[str, Any]:
    """All of it."""
    progress("domains and languages")
    return twins() | mmlupro(folder, quick) | clinc(folder, quick)
