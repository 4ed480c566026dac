"""Strategies on recorded answers: GSM8K over HTTP to a running server, under every strategy.

The 1,319 questions with ZeroEval's recorded outputs of five cheap models and a strong one (benchmarks/prices.yaml),
each replayed by a `recorded` expert of a server that this starts. Graded as ZeroEval grades; the last column of the
first table counts the questions where our grade of a single model differs from ZeroEval's own.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pyarrow.parquet as pq
import yaml

from benchmarks.grading import correct
from benchmarks.processes import Running, serving
from benchmarks.reporting import finish, need, options, progress, table

FILES = ("zeroeval_items.parquet", "zeroeval_outputs_gsm.parquet", "zeroeval_answers.parquet")
STRATEGIES = ("auto", "task_based", "specialist", "voting", "cascade", "best_of_n")
CHEAP = {"voting_cheap": "voting", "best_of_n_cheap": "best_of_n"}
"""Aliases that ask the cheap models only: name -> strategy."""
AT_ONCE = 16
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Question:
    """One question and ZeroEval's own verdict on each model's answer to it."""

    id: str
    text: str
    gold: str
    verdicts: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one strategy did: a value a question."""

    right: np.ndarray
    calls: np.ndarray
    cost_usd: np.ndarray
    failed: int

    def summary(self) -> dict[str, Any]:
        """The means, with a 95% bootstrap interval of the accuracy."""
        low, high = interval(self.right)
        return {
            "accuracy": round(float(self.right.mean()), 4),
            "accuracy_low": low,
            "accuracy_high": high,
            "calls": round(float(self.calls.mean()), 3),
            "cost_usd": round(float(self.cost_usd.sum()), 5),
            "failed": self.failed,
        }


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 95% bootstrap interval of the mean."""
    drawn = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


def questions(folder: Path, models: Sequence[str], most: int | None) -> list[Question]:
    """The questions, or `most` of them drawn with a fixed seed."""
    verdicts: dict[str, dict[str, bool]] = defaultdict(dict)
    answers = pq.read_table(folder / FILES[2], filters=[("task", "=", "gsm"), ("model", "in", list(models))])
    for row in answers.to_pylist():
        verdicts[row["id"]][row["model"]] = row["correct"]
    items = pq.read_table(folder / FILES[0], filters=[("task", "=", "gsm")]).to_pylist()
    found = [Question(item["id"], item["question"], item["gold"], verdicts[item["id"]]) for item in items]
    return found if most is None else random.Random(0).sample(found, most)


def configuration(folder: Path, prices: Mapping[str, Mapping[str, Any]], cheap: Sequence[str]) -> dict[str, Any]:
    """A server whose experts replay the recorded outputs, with an alias for each strategy over the `cheap` ones."""
    replayed = {
        "file": str((folder / FILES[1]).resolve()),
        "items": str((folder / FILES[0]).resolve()),
        "items_where": {"task": "gsm"},
        "prompt": "question",
        "response": "output",
    }
    experts = [
        {
            "name": name,
            "provider": "recorded",
            "skills": ["math"],
            "price": {kind: price[kind] for kind in ("input", "output")},
            "options": {**replayed, "where": {"model": name}},
        }
        for name, price in prices.items()
    ]
    aliases = {name: {"strategy": strategy, "experts": list(cheap)} for name, strategy in CHEAP.items()}
    return {"experts": experts, "aliases": aliases, "server": {"log": "off"}}


async def ask(session: aiohttp.ClientSession, server: Running, model: str, text: str) -> dict[str, Any]:
    """The whole answer of `model`, or its error."""
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    headers = {"Authorization": f"Bearer {server.key}"}
    async with session.post(f"{server.url}/v1/chat/completions", json=body, headers=headers) as response:
        answer: dict[str, Any] = await response.json()
        return answer


async def run(server: Running, model: str, asked: Sequence[Question]) -> Outcome:
    """Ask every question of `model`."""
    answers: list[dict[str, Any]] = [{}] * len(asked)
    waiting = iter(enumerate(asked))

    async def work(session: aiohttp.ClientSession) -> None:
        for index, question in waiting:
            answers[index] = await ask(session, server, model, question.text)

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work(session))
    return outcome(answers, asked)


def outcome(answers: Sequence[Mapping[str, Any]], asked: Sequence[Question]) -> Outcome:
    """The answers graded and added up; an error is a wrong answer."""
    told = [(a["choices"][0]["message"]["content"] or "") if "choices" in a else "" for a in answers]
    done = [answer.get("mixture") or {} for answer in answers]
    return Outcome(
        np.array([correct(text, question.gold) for text, question in zip(told, asked, strict=True)], dtype=float),
        np.array([len(report.get("experts", ())) for report in done], dtype=float),
        np.array([report.get("cost_usd", 0.0) for report in done]),
        sum("choices" not in answer for answer in answers),
    )


async def run_all(server: Running, models: Sequence[str], asked: Sequence[Question]) -> dict[str, Outcome]:
    """Every model and strategy, one after the other."""
    outcomes = {}
    for model in models:
        progress(model)
        outcomes[model] = await run(server, model, asked)
    return outcomes


def differing(outcomes: Mapping[str, Outcome], singles: Sequence[str], asked: Sequence[Question]) -> dict[str, int]:
    """For each single model, how many of our grades are not ZeroEval's."""
    return {
        name: int((np.array([q.verdicts.get(name, False) for q in asked], dtype=float) != outcomes[name].right).sum())
        for name in singles
    }


def row(name: str, found: Outcome, best: Outcome, differ: int | None) -> tuple[object, ...]:
    """A line of the table."""
    facts = found.summary()
    lead = interval(found.right - best.right)
    return (
        name,
        f"{facts['accuracy']:.2%}",
        f"{facts['accuracy_low']:.2%} .. {facts['accuracy_high']:.2%}",
        f"{lead[0]:+.2%} .. {lead[1]:+.2%}",
        f"{facts['calls']:.2f}",
        f"{facts['cost_usd']:.4f}",
        found.failed,
        "" if differ is None else differ,
    )


def show(outcomes: Mapping[str, Outcome], singles: Sequence[str], asked: Sequence[Question]) -> dict[str, Any]:
    """Print the table; return the last line."""
    best = max(singles, key=lambda name: outcomes[name].right.mean())
    oracle = np.maximum.reduce([outcomes[name].right for name in singles])
    low, high = interval(oracle)
    differ = differing(outcomes, singles, asked)
    rows = [row(name, found, outcomes[best], differ.get(name)) for name, found in outcomes.items()]
    rows.append(("oracle (any of them right)", f"{oracle.mean():.2%}", f"{low:.2%} .. {high:.2%}", *[""] * 5))
    columns = ("model", "accuracy", "95%", "against best single, 95%", "calls", "USD", "failed", "grades differ")
    table(f"{len(asked)} questions of GSM8K; best single model: {best}", columns, rows)
    return {
        **{name: found.summary() for name, found in outcomes.items()},
        "best_single": {"name": best, **outcomes[best].summary()},
        "oracle": {"accuracy": round(float(oracle.mean()), 4), "accuracy_low": low, "accuracy_high": high},
        "questions": len(asked),
        "grades_differ_from_zeroeval": differ,
    }


def main() -> None:
    """Start the server, ask, grade, print."""
    chosen = options(__doc__, data=True).parse_args()
    need(chosen.data, *FILES)
    listed = yaml.safe_load((Path(__file__).parent / "prices.yaml").read_text(encoding="utf-8"))
    prices = {**listed["cheap"], **listed["strong"]}
    asked = questions(chosen.data, list(prices), 150 if chosen.quick else None)
    with serving(configuration(chosen.data, prices, list(listed["cheap"]))) as server:
        outcomes = asyncio.run(run_all(server, [*prices, *STRATEGIES, *CHEAP], asked))
    finish("strategies", show(outcomes, list(prices), asked), save=chosen.save)


if __name__ == "__main__":
    main()
