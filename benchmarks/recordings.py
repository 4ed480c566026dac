"""Recorded answers, with what they were worth, as outcome logs: ZeroEval's and MMLU-Pro's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import yaml

from benchmarks.outcomes import CHARACTERS_PER_TOKEN
from mixture.routing.outcomes import Outcomes, pivot

Price = Sequence[float]
"""US dollars per million tokens, input and output."""


BY_SIZE = "prices_mathl5_by_size.yaml"
"""What open weights cost at a dearer host."""


def zeroeval(folder: Path, task: str) -> Outcomes:
    """ZeroEval's answers to `gsm` or `math-l5`, with its own verdicts. Costs where `prices_mathl5.yaml` has a price."""
    prices = _prices("prices_mathl5.yaml")
    items = pq.read_table(folder / "zeroeval_items.parquet", filters=[("task", "=", task)]).to_pylist()
    questions = {item["id"]: item["question"] for item in items}
    judged = pq.read_table(folder / "zeroeval_answers.parquet", filters=[("task", "=", task)]).to_pylist()
    correct = {(row["model"], row["id"]): row["correct"] for row in judged}
    rows = []
    for row in pq.read_table(folder / f"zeroeval_outputs_{task}.parquet").to_pylist():
        if (row["model"], row["id"]) in correct:
            asked, said = questions[row["id"]], row["output"]
            right = correct[row["model"], row["id"]]
            cost = _cost(prices.get(row["model"]), len(asked), len(said or ""))
            rows.append(_row(row["id"], asked, row["model"], right, said, cost, ""))
    return pivot(rows)


def repriced(recording: Outcomes, file: str = BY_SIZE) -> Outcomes:
    """`recording`, with responses, at the prices of `file` where it has any."""
    costs = recording.costs.copy()
    for name, price in _prices(file).items():
        column = recording.experts.index(name)
        calls = zip(recording.prompts, (row[column] for row in recording.responses), strict=True)
        found = np.array([_cost(price, len(asked), len(said or "")) for asked, said in calls], dtype=np.float64)
        costs[:, column] = np.where(np.isfinite(costs[:, column]), found, np.nan)
    return replace(recording, costs=costs)


def mmlupro(folder: Path, models: Sequence[str]) -> Outcomes:
    """MMLU-Pro's questions (odd ids) with the letters that `models` gave, as texts. A missing one is a wrong answer."""
    prices = _prices("prices_mmlupro.yaml")
    asked = {}
    for row in pq.read_table(folder / "mmlupro_questions.parquet").to_pylist():
        options = enumerate(json.loads(row["options"]))
        text = row["question"] + "".join(f"\n{chr(65 + number)}. {option}" for number, option in options)
        asked[row["question_id"]] = (text, row["category"])
    rows = []
    for row in pq.read_table(folder / "mmlupro_preds.parquet", filters=[("model", "in", list(models))]).to_pylist():
        text, category = asked[row["question_id"]]
        cost = _cost(prices[row["model"]], len(text), row["out_chars"] or 0)
        said = f"The answer is ({row['pred']})." if row["pred"] else None
        rows.append(_row(row["question_id"], text, row["model"], row["correct"], said, cost, category))
    found = pivot(rows).among(models)
    return replace(found, scores=np.nan_to_num(found.scores, nan=0.0))


def with_responses(outcomes: Outcomes) -> Outcomes:
    """`outcomes` with texts to vote on, where a log has none: right answers say the same and wrong ones all something
    else, which is the best that a vote can hope for.
    """
    if outcomes.responses:
        return outcomes
    said = [tuple(_imagined(score, column) for column, score in enumerate(row)) for row in outcomes.scores]
    return replace(outcomes, responses=tuple(said))


def _imagined(score: float, column: int) -> str | None:
    if not np.isfinite(score):
        return None
    return json.dumps({"answer": "right" if score >= 0.5 else f"wron{'n' * column}g"})


def completed(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`costs` (prompts x experts) with an expert's mean where one of its calls has none. An expert without any known
    cost keeps none; when nobody has one, every call costs 1.
    """
    known = np.isfinite(costs)
    if not known.any():
        return np.ones_like(costs)
    sums, counts = np.where(known, costs, 0.0).sum(0), known.sum(0)
    means = np.divide(sums, counts, out=np.full(costs.shape[1], np.nan), where=counts > 0)
    return np.where(known, costs, means)


def _prices(file: str) -> Mapping[str, Price]:
    found: Mapping[str, Price] = yaml.safe_load((Path(__file__).parent / file).read_text(encoding="utf-8"))
    return found


def _cost(price: Price | None, asked: int, written: int) -> float | None:
    """What a call costs in US dollars, of so many characters."""
    return None if price is None else (asked * price[0] + written * price[1]) / 1e6 / CHARACTERS_PER_TOKEN


def _row(
    item: Any, prompt: str, expert: str, correct: Any, response: str | None, cost: float | None, domain: str
) -> dict[str, Any]:
    return {
        "item": item,
        "prompt": prompt,
        "expert": expert,
        "score": float(bool(correct)),
        "response": response,
        "cost_usd": cost,
        "domain": domain,
    }
