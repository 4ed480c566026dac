"""`python -m benchmarks.routing --log` on logs of many shapes: it gives the figures, or says what is wrong."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import routing

KEYS = {"accuracy", "cost_usd", "best_single", "oracle", "accuracy_equal_cost", "cpu_ms_per_decision"}


def rows_of(shape, rng):
    experts = {"many": [f"e{n}" for n in range(20)], "one": ["only"]}.get(shape, ["a", "b", "c"])
    for number in range({"two": 2, "few": 5}.get(shape, 80)):
        text = f"question {number % (8 if shape == 'duplicates' else 1_000)} about {rng.choice(['x', 'y', 'z'])}"
        for place, expert in enumerate(experts):
            if shape == "sparse" and rng.random() < 0.7:
                continue
            row = {"prompt": text, "expert": expert, "score": float(rng.random() < 0.4 + 0.1 * (place % 5))}
            if shape in ("priced", "split"):
                row |= {"cost_usd": 0.001 * (1 + place), "latency_s": 1.0, "domain": rng.choice(["m", "n"])}
            if shape == "split":
                row["split"] = "test" if number % 4 == 0 else "train"
            if shape == "messages":
                row["prompt"] = [{"role": "user", "content": text}]
            if shape == "holes":
                row |= {"cost_usd": rng.choice([None, 0.1]), "score": rng.choice([None, 1.0]), "domain": None}
            if shape == "same":
                row["score"] = 0.0
            if shape == "free":
                row["cost_usd"] = 0.0
            yield row


@pytest.mark.parametrize(
    "shape",
    [
        "plain",
        "many",
        "one",
        "two",
        "few",
        "duplicates",
        "sparse",
        "priced",
        "split",
        "messages",
        "holes",
        "same",
        "free",
    ],
)
def test_any_log_is_measured(shape, tmp_path, capsys):
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows_of(shape, np.random.default_rng(2))))
    routing.main(["--quick", "--log", str(path)])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found.keys() >= KEYS
    for name in ("accuracy", "best_single", "oracle"):
        assert 0 <= found[name] <= 1
    assert found["accuracy"] <= found["oracle"] + 1e-9
    assert (found["cost_usd"] is None) == (shape not in ("priced", "split"))


@pytest.mark.parametrize(
    ("content", "says"), [("", "no row has"), ('{"prompt": "p", "expert": "a", "score": 1}', "at least two prompts")]
)
def test_a_log_that_can_t_be_measured_is_named(tmp_path, content, says):
    path = tmp_path / "log.jsonl"
    path.write_text(content)
    with pytest.raises(SystemExit, match=says):
        routing.main(["--quick", "--log", str(path)])


PROMPTS = [f"question {number} about {'xyz'[number % 3]}" for number in range(20) for _ in "ab"]
EXPERTS = ["a", "b"] * 20
RIGHT = [number % 3 == 0 for number in range(40)]
TABLES = {
    "truths": {"prompt": PROMPTS, "expert": EXPERTS, "score": RIGHT},
    "numbers as text": {"prompt": PROMPTS, "expert": EXPERTS, "score": [str(float(one)) for one in RIGHT]},
    "decimals": {
        "prompt": PROMPTS,
        "expert": EXPERTS,
        "score": [Decimal(one) for one in RIGHT],
        "cost_usd": [Decimal(one) for one in [1, 2] * 20],
    },
    "names that are numbers": {
        "item": [number // 2 for number in range(40)],
        "prompt": PROMPTS,
        "expert": [1, 2] * 20,
        "correct": RIGHT,
    },
    "words of a dictionary": {
        "prompt": pa.array(PROMPTS).dictionary_encode(),
        "expert": pa.array(EXPERTS).dictionary_encode(),
        "score": pa.array([float(one) for one in RIGHT], pa.float16()),
        "cost_usd": pa.array([1, 2] * 20, pa.int8()),
    },
    "messages": {
        "prompt": [[{"role": "system", "content": "s"}, {"role": "user", "content": text}] for text in PROMPTS],
        "expert": EXPERTS,
        "score": [float(one) for one in RIGHT],
    },
    "some costs": {
        "prompt": PROMPTS,
        "expert": EXPERTS,
        "score": RIGHT,
        "cost_usd": [0.1, 0.3, None, None] * 10,
        "split": ["train"] * 30 + ["validation"] * 10,
    },
}


@pytest.mark.parametrize("kind", TABLES)
def test_any_table_is_measured(kind, tmp_path, capsys):
    path = tmp_path / "log.parquet"
    pq.write_table(pa.table(TABLES[kind]), path)
    routing.main(["--quick", "--log", str(path)])
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found.keys() >= KEYS
    assert found["accuracy"] <= found["oracle"] + 1e-9
    assert found["rows"] == 20
    assert (found["cost_usd"] is None) == ("cost_usd" not in TABLES[kind])
