"""What `auto` assumes of second opinions, against recorded answers: MMLU-Pro's, ZeroEval's GSM8K and MATH level 5.

- `together`: how far two experts' failures hang together, the median over all pairs of (both wrong - product) / (the
  smaller share of wrong answers - product): 0 for chance alone, 1 when the better one fails only where the other does.
- `alike`: how often two wrong answers are the same.
- `slope`: log-odds of a right answer for ten times the price, by least squares over the models with a price.
- For cascades until one answer is a vote ahead, over random threes of models: the accuracy that is expected from the
  three accuracies alone (`mixture.routing.opinions.agreed`) less the one that the recorded answers give, its mean and
  its root mean square, and beside it both gains over the best of the three.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from benchmarks.outcomes import mmlupro
from benchmarks.recordings import zeroeval
from benchmarks.reporting import finish, need, options, progress, table
from mixture.routing.opinions import Opinion, agreed
from mixture.routing.outcomes import Outcomes

FILES = ("mmlupro_questions.parquet", "mmlupro_preds.parquet", "zeroeval_items.parquet", "zeroeval_answers.parquet")
THREES = 300
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Said:
    """What each model (column) answered to each question (row), as small numbers; -1: nothing. `right` in 0..1."""

    answers: npt.NDArray[np.int64]
    right: Doubles


def said(rows: Sequence[Mapping[str, Any]], question: str, answer: str) -> Said:
    """The answers of all models to the questions that all of them were asked."""
    by_question: dict[Any, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in rows:
        by_question[row[question]][row["model"]] = row
    models = sorted({row["model"] for row in rows})
    whole = [found for found in by_question.values() if len(found) == len(models)]
    answers, right = np.full((len(whole), len(models)), -1), np.zeros((len(whole), len(models)))
    for place, found in enumerate(whole):
        known: dict[str, int] = {}
        for column, model in enumerate(models):
            right[place, column] = bool(found[model]["correct"])
            text = found[model][answer]
            if text is not None and text != "":
                answers[place, column] = known.setdefault(str(text), len(known))
    return Said(answers, right)


def together(right: Doubles) -> float:
    """The median over pairs; see above."""
    wrong = 1 - right
    shares, found = wrong.mean(0), []
    for one, other in combinations(range(right.shape[1]), 2):
        chance, least = shares[one] * shares[other], min(shares[one], shares[other])
        found.append(((wrong[:, one] * wrong[:, other]).mean() - chance) / (least - chance))
    return float(np.median(found))


def alike(found: Said) -> float:
    """The share of pairs of wrong answers to the same question that say the same."""
    same = pairs = 0
    for answers, right in zip(found.answers, found.right, strict=True):
        counts = Counter(answers[(right == 0) & (answers >= 0)].tolist())
        wrong = sum(counts.values())
        pairs += wrong * (wrong - 1) // 2
        same += sum(count * (count - 1) // 2 for count in counts.values())
    return same / max(1, pairs)


def slope(recorded: Outcomes) -> float:
    """Log-odds for each tenfold of the price; NaN with fewer than three prices."""
    accuracy = np.nan_to_num(recorded.scores).mean(0)
    known = np.isfinite(recorded.costs)
    costs = np.where(known, recorded.costs, 0).sum(0) / np.maximum(1, known.sum(0))
    priced = (costs > 0) & (accuracy > 0) & (accuracy < 1)
    if priced.sum() < 3:
        return float("nan")
    odds = np.log(accuracy[priced] / (1 - accuracy[priced]))
    return float(np.polyfit(np.log10(costs[priced]), odds, 1)[0])


def cascaded(found: Said, three: Sequence[int]) -> float:
    """The accuracy of: the first two agree, or the third agrees with one of them, or the first counts."""
    one, other, last = (found.answers[:, column] for column in three)
    by_second = (one != other) & (other >= 0) & ((last == other) | (one < 0))
    return float(np.where(by_second, found.right[:, three[1]], found.right[:, three[0]]).mean())


def cascades(found: Said) -> dict[str, float]:
    """Expected and recorded accuracies over random threes."""
    random, models = np.random.default_rng(0), found.right.shape[1]
    accuracy = found.right.mean(0)
    rows = []
    for _ in range(THREES):
        three = random.choice(models, 3, replace=False)
        expected = agreed([Opinion(str(column), float(accuracy[column]), 0.0) for column in three]).right
        rows.append((expected, cascaded(found, three), accuracy[three].max()))
    expected, recorded, best = np.array(rows).T
    return {
        "expected_less_recorded": round(float((expected - recorded).mean()), 4),
        "rms": round(float(np.sqrt(((expected - recorded) ** 2).mean())), 4),
        "recorded_gain": round(float((recorded - best).mean()), 4),
        "expected_gain": round(float((expected - best).mean()), 4),
    }


def measured(found: Said, recorded: Outcomes) -> dict[str, float]:
    """All figures of one set."""
    return {
        "together": round(together(found.right), 3),
        "alike": round(alike(found), 3),
        "slope": round(slope(recorded), 3),
        **cascades(found),
    }


def sets(folder: Path) -> dict[str, tuple[Said, Outcomes]]:
    """Each set's answers, and its log with prices."""
    pro = pq.read_table(folder / FILES[1]).to_pylist()
    found = {"mmlupro": (said(pro, "question_id", "pred"), mmlupro(folder))}
    for task in ("gsm", "math-l5"):
        rows = pq.read_table(folder / FILES[3], filters=[("task", "=", task)]).to_pylist()
        found[task] = (said(rows, "id", "answer"), zeroeval(folder, task))
    return found


def main() -> None:
    """Measure and print."""
    chosen = options(__doc__, data=True).parse_args()
    need(chosen.data, *FILES)
    progress("recorded answers")
    result = {name: measured(*found) for name, found in sets(chosen.data).items()}
    columns = ("set", "together", "alike", "slope", "expected - recorded", "rms", "gain recorded", "gain expected")
    table("second opinions", columns, [(name, *figures.values()) for name, figures in result.items()])
    finish("opinions", result, save=chosen.save)


if __name__ == "__main__":
    main()
