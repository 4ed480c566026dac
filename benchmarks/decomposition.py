"""The rules that take requests apart: do they leave simple requests whole, and do they find the steps of hard ones?

- CLINC150's requests are simple: each that is taken apart is wrongly split. So are GSM8K's word problems, whose
  sentences belong together; their rate is printed beside it.
- StrategyQA (gold sub-questions) and Break (gold QDMR steps) are questions with several steps. A produced subtask and a
  gold step match when the Dice coefficient of their sets of content words (2 * common / sum of both) is at least one
  half. Content words are lower-case words without function words, references (#1), "return" and plural endings. Each
  subtask may match one step only (a maximum matching), so that repeating the request gains nothing. `step_coverage` is
  the mean over the questions of the share of gold steps that are matched; steps without content words of their own ("is
  #1 the same as #2") are left out. `count_agreement` is the share of questions with as many subtasks as gold steps.

`ms_per_decision` is the mean CPU time over CLINC150's requests.

Beside the rules stand leaving everything whole (one subtask: the request), and cutting at every sentence, comma, "and"
and "or". Most steps of these two sets name facts that do not stand in the question: finding them takes a model
(`decomposer.expert`), and what is measured here is what is to be had without one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.reporting import finish, need, options, progress, table
from mixture.planning import plan

CLINC, STRATEGYQA, BREAK = "clinc150.parquet", "strategyqa.parquet", "break_qdmr.parquet"
GSM8K = "zeroeval_items.parquet"
QUICK = 1000
"""Requests of each set with `--quick`."""
ALIKE = 0.5
"""The Dice coefficient from which on a subtask and a step are the same."""
RESAMPLES = 1000

FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a an the of in on at to for from by with as and or not but if then than that which who whom whose
        what where when why how is are was were be been being do does did done have has had having can could
        will would shall should may might must it its he she they them his her their this these those there
        any some each every all both same return returns number many much more most less least i you we me my
        your our us s also either only about into out up""",
    )
)
_WORD = re.compile(r"(?<!#)\b[^\W_]+\b")
_SIMPLE_CUT = re.compile(r"(?<=[.?!])\s+|\n+|[,;]\s*|\s+(?:and|or)\s+", re.IGNORECASE)

Splitter = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its gold steps."""

    text: str
    steps: Sequence[str]


@dataclass(frozen=True, slots=True)
class Found:
    """How far a splitter finds the steps: a value a question."""

    coverage: np.ndarray
    agreement: np.ndarray
    split: np.ndarray
    """Whether there is more than one subtask."""


def rules(text: str) -> Sequence[str]:
    """What the default decomposer makes of a request."""
    return [subtask.text for subtask in plan(text).subtasks]


def whole(text: str) -> Sequence[str]:
    """One subtask: the request."""
    return [text]


def pieces(text: str) -> Sequence[str]:
    """A subtask wherever a sentence or a list could be cut."""
    return [piece for piece in _SIMPLE_CUT.split(text) if content(piece)] or [text]


SPLITTERS: dict[str, Splitter] = {"rules": rules, "whole": whole, "pieces": pieces}


def content(text: str) -> frozenset[str]:
    """The content words of a text."""
    found = (word.lower() for word in _WORD.findall(text))
    return frozenset(_singular(word) for word in found if word not in FUNCTION_WORDS)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def dice(one: frozenset[str], other: frozenset[str]) -> float:
    """How alike two sets are, in 0..1."""
    return 2 * len(one & other) / (len(one) + len(other)) if one or other else 0.0


def matched(produced: Sequence[frozenset[str]], gold: Sequence[frozenset[str]]) -> int:
    """How many gold steps a maximum one-to-one matching gives a produced subtask."""
    takers: dict[int, int] = {}

    def place(step: int, tried: set[int]) -> bool:
        for subtask, words in enumerate(produced):
            if subtask in tried or dice(words, gold[step]) < ALIKE:
                continue
            tried.add(subtask)
            if subtask not in takers or place(takers[subtask], tried):
                takers[subtask] = step
                return True
        return False

    return sum(place(step, set()) for step in range(len(gold)))


def measured(questions: Sequence[Question], split: Splitter) -> Found:
    """`split` over all questions."""
    rows = []
    for question in questions:
        produced = split(question.text)
        gold = [words for step in question.steps if (words := content(step))]
        share = matched([content(text) for text in produced], gold) / len(gold) if gold else np.nan
        rows.append((share, len(produced) == len(question.steps), len(produced) > 1))
    coverage, agreement, apart = np.array(rows, dtype=float).T
    return Found(coverage[~np.isnan(coverage)], agreement, apart)


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 95% bootstrap interval of the mean."""
    drawn = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def texts(folder: Path, name: str, column: str, most: int | None, **where: str) -> list[str]:
    """One column of a file, or `most` of its rows drawn with a fixed seed."""
    filters = [(field, "=", value) for field, value in where.items()] or None
    return sampled(pq.read_table(folder / name, columns=[column], filters=filters)[column].to_pylist(), most)


def sampled(rows: list[Any], most: int | None) -> list[Any]:
    """`most` of `rows`, drawn with a fixed seed; all of them when it is None or there are fewer."""
    if most is None or len(rows) <= most:
        return rows
    return [rows[index] for index in np.random.default_rng(0).choice(len(rows), most, replace=False)]


def strategyqa(folder: Path, most: int | None) -> list[Question]:
    """StrategyQA's questions with their sub-questions."""
    rows = pq.read_table(folder / STRATEGYQA, columns=["question", "decomposition"]).to_pylist()
    return [Question(row["question"], row["decomposition"]) for row in sampled(rows, most)]


def break_qdmr(folder: Path, most: int | None) -> list[Question]:
    """Break's questions with their QDMR steps."""
    rows = pq.read_table(folder / BREAK, columns=["question_text", "decomposition"]).to_pylist()
    return [Question(row["question_text"], row["decomposition"].split(";")) for row in sampled(rows, most)]


def split_rate(requests: Sequence[str]) -> tuple[float, np.ndarray]:
    """The share of requests that the rules take apart, and the milliseconds of CPU that each decision took."""
    taken, times = 0, []
    for text in requests:
        began = time.thread_time()
        made = plan(text)
        times.append((time.thread_time() - began) * 1e3)
        taken += len(made.subtasks) > 1
    return taken / len(requests), np.array(times)


def show_steps(name: str, questions: Sequence[Question]) -> Iterator[tuple[str, float]]:
    """Print a table of the splitters over `questions`; give the figures for the last line."""
    rows = []
    for label, split in SPLITTERS.items():
        found = measured(questions, split)
        low, high = interval(found.coverage)
        rows.append(
            (
                label,
                f"{found.coverage.mean():.2%}",
                f"{low:.2%} .. {high:.2%}",
                f"{found.agreement.mean():.2%}",
                f"{found.split.mean():.2%}",
                _where_split(found),
            )
        )
        key = name if label == "rules" else f"{name}_{label}"
        yield f"{key}_step_coverage", round(float(found.coverage.mean()), 4)
        yield f"{key}_count_agreement", round(float(found.agreement.mean()), 4)
    columns = ("splitter", "step coverage", "95%", "count agreement", "taken apart", "count agreement there")
    table(f"{name}: {len(questions)} questions with gold steps", columns, rows)


def _where_split(found: Found) -> str:
    apart = found.split.astype(bool)
    return f"{found.agreement[apart].mean():.2%}" if apart.any() else "-"


def main() -> None:
    """Measure and print."""
    chosen = options(__doc__, data=True).parse_args()
    need(chosen.data, CLINC, STRATEGYQA, BREAK, GSM8K)
    most = QUICK if chosen.quick else None
    progress("simple requests")
    simple = texts(chosen.data, CLINC, "text", most)
    split_rate(simple[:100])  # warm
    clinc, times = split_rate(simple)
    gsm8k, longer = split_rate(texts(chosen.data, GSM8K, "question", most, task="gsm"))
    columns = ("requests", "wrongly split", "ms of CPU, mean", "99%", "longest")
    rows = [
        (name, f"{rate:.2%}", f"{ms.mean():.4f}", f"{np.percentile(ms, 99):.4f}", f"{ms.max():.4f}")
        for name, rate, ms in (("CLINC150", clinc, times), ("GSM8K", gsm8k, longer))
    ]
    table(f"requests to be left whole ({len(times)} and {len(longer)})", columns, rows)
    progress("steps")
    steps = dict(show_steps("strategyqa", strategyqa(chosen.data, most)))
    steps |= dict(show_steps("break", break_qdmr(chosen.data, most)))
    result = {"clinc_wrongly_split": round(clinc, 5), "gsm8k_wrongly_split": round(gsm8k, 5), **steps}
    finish("decomposition", {**result, "ms_per_decision": round(float(times.mean()), 5)}, save=chosen.save)


if __name__ == "__main__":
    main()
