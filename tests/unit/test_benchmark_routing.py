"""`python -m benchmarks.routing --log` on logs of many shapes: it gives the figures, or says what is wrong."""

import json

import numpy as np
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
