"""The recorded answers as outcome logs: RouteLLM's two models on MMLU and GSM8K, MMLU-Pro's 29 models."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import yaml

from mixture.routing.outcomes import Outcomes, make

WEAK, STRONG = "mixtral-8x7b", "gpt-4-1106"
CHARACTERS_PER_TOKEN = 4
STRONG_COST = 30.0
"""What a call of the strong model costs, the weak one's being 1: it only says which one is the dear one."""


def routellm(folder: Path, bench: str) -> Outcomes:
    """RouteLLM's prompts of `mmlu` or `gsm8k`, contaminated ones dropped; the weak model first."""
    table = pq.read_table(folder / "routellm_mmlu_gsm8k.parquet").to_pydict()
    kept = [place for place, name in enumerate(table["bench"]) if name == bench and not table["contaminated"][place]]
    scores = [[table["weak_correct"][place], table["strong_correct"][place]] for place in kept]
    prompts = [table["prompt"][place] for place in kept]
    domains = [table["domain"][place] for place in kept]
    return make(prompts, (WEAK, STRONG), np.array(scores, dtype=float), (1.0, STRONG_COST), domains)


def mmlupro(folder: Path) -> Outcomes:
    """MMLU-Pro's questions (odd ids) by all models; a missing answer counts as wrong and costs its prompt."""
    questions = pq.read_table(folder / "mmlupro_questions.parquet").to_pydict()
    places = {identifier: place for place, identifier in enumerate(questions["question_id"])}
    prompts = [
        question + "".join(f"\n{chr(65 + number)}. {option}" for number, option in enumerate(json.loads(options)))
        for question, options in zip(questions["question"], questions["options"], strict=True)
    ]
    answers = pq.read_table(folder / "mmlupro_preds.parquet").to_pydict()
    models = sorted(set(answers["model"]))
    columns = {model: column for column, model in enumerate(models)}
    scores, written = np.zeros((2, len(prompts), len(models)))
    for identifier, model, correct, size in zip(
        answers["question_id"], answers["model"], answers["correct"], answers["out_chars"], strict=True
    ):
        cell = places[identifier], columns[model]
        scores[cell], written[cell] = bool(correct), size or 0
    prices = yaml.safe_load((Path(__file__).parent / "prices_mmlupro.yaml").read_text(encoding="utf-8"))
    price = np.array([prices[model] for model in models]) / 1e6 / CHARACTERS_PER_TOKEN
    costs = np.array([[len(prompt)] for prompt in prompts]) * price[:, 0] + written * price[:, 1]
    return make(prompts, models, scores, costs, questions["category"])
