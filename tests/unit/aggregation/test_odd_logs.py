"""`python -m benchmarks.aggregation --log FILE` on outcome logs that nobody has tidied up."""

import json
from math import isfinite, nan

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.aggregation_log import from_log
from mixture.routing.outcomes import LogError

KEYS = {"majority", "weighted", "cascade_accuracy", "cascade_cost_share", "best_single", "oracle", "marginal"}
EXPERTS = {"large": (0.9, 0.01), "middle": (0.7, 0.002), "small": (0.5, 0.0005)}
PROMPTS = 30


def right(name, number):
    """Whether an expert answers a prompt rightly: as often as its share says, at different prompts."""
    return (number * 7 + len(name) * 3) % 10 < EXPERTS[name][0] * 10


def rows(**changes):
    """A log of three experts; `changes` are fields, or what makes them of the expert's name and the prompt's number."""
    made = []
    for number in range(PROMPTS):
        for name, (_, cost) in EXPERTS.items():
            correct = right(name, number)
            said = number if correct else number + len(name)
            row = {
                "prompt": f"How many are there in case {number}?",
                "expert": name,
                "score": float(correct),
                "response": f"The answer is {said}.",
                "cost_usd": cost,
                "split": "train" if number < 20 else "test",
            }
            made.append({**row, **{k: v(name, number) if callable(v) else v for k, v in changes.items()}})
    return [{key: value for key, value in row.items() if value != "absent"} for row in made]


LOGS = {
    "plain": rows(),
    "no splits": rows(split="absent"),
    "no responses": rows(response="absent"),
    "score only": rows(response="absent", cost_usd="absent", split="absent"),
    "correct instead of score": rows(score="absent", correct=right),
    "one expert": [row for row in rows() if row["expert"] == "small"],
    "two experts": [row for row in rows() if row["expert"] != "small"],
    "not every expert answers every prompt": [r for n, r in enumerate(rows()) if n % 4],
    "one expert answers hardly anything": [r for n, r in enumerate(rows()) if r["expert"] != "large" or n < 7],
    "some costs are missing": rows(cost_usd=lambda name, number: None if number % 3 else 0.001 * len(name)),
    "one expert has no cost": rows(cost_usd=lambda name, number: None if name == "large" else 0.001),
    "costs are nothing": rows(cost_usd=0.0),
    "costs are no numbers": rows(cost_usd=lambda name, number: nan if number % 2 else "free"),
    "all wrong": rows(score=0.0),
    "all right and alike": rows(score=1.0, response="42"),
    "scores between": rows(score=lambda name, number: (number % 5) / 4),
    "everybody says something else": rows(response=lambda name, number: f"The answer is {len(name) + 100 * number}."),
    "long texts": rows(response=lambda name, number: f"{name} thinks of case {number} for a long time. " * 20),
    "empty responses": rows(response=lambda name, number: "" if number % 2 else None),
    "a split of two prompts": rows(split=lambda name, number: "train" if number < 2 else "test"),
    "only training rows": rows(split="train"),
    "one prompt": rows()[:3],
    "prompts as messages": rows(prompt=lambda name, number: [{"role": "user", "content": f"How much is {number}?"}]),
    "items with one text": rows(prompt="How many?", item=lambda name, number: f"i{number}"),
    "domains": rows(domain=lambda name, number: "math" if number % 2 else None),
    "numbers as names": rows(expert=lambda name, number: len(name)),
    "many experts": [r | {"expert": f"{r['expert']}-{n}"} for n in range(4) for r in rows()],
}


@pytest.mark.parametrize("name", LOGS)
def test_every_log_is_measured(name, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in LOGS[name]), encoding="utf-8")
    found = json.loads(json.dumps(from_log(path)))
    assert set(found) >= KEYS
    shares = [found[key] for key in ("majority", "weighted", "cascade_accuracy", "best_single", "oracle")]
    assert all(isfinite(share) and 0 <= share <= 1 for share in shares)
    assert found["oracle"] >= found["best_single"] - 1e-9
    assert found["marginal"]["kept"]
    json.dumps(found, allow_nan=False)


def test_parquet_says_the_same(tmp_path):
    lines, table = tmp_path / "log.jsonl", tmp_path / "log.parquet"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows()), table)
    assert from_log(lines) == from_log(table)


@pytest.mark.parametrize("text", ["", "{}\n", '{"prompt": "x"}\n', "not json\n", '{"prompt": "x", "expert": "a"}\n'])
def test_what_is_no_log_is_told(text, tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LogError):
        from_log(path)
