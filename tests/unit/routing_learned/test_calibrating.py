"""From any outcome log to a calibration, and what is said of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixture.routing import calibrating, review, storage
from mixture.routing.calibration import Held
from mixture.routing.outcomes import LogError, load, make
from tests.unit.routing_learned.conftest import synthetic

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def varied():
    """Prompts of which no two are the same: a cheap expert that fails at proofs, and a dear one that does not."""
    rng = np.random.default_rng(0)
    prompts, scores = [], []
    for number in range(900):
        proof = number % 3 == 0
        words = " ".join(rng.choice(["odd", "even", "prime", "sum", "seven"] if proof else ["moon", "sea", "river"], 4))
        prompts.append(f"Prove that {words} is {number}" if proof else f"Write a poem about {words}, please, {number}")
        scores.append([float(rng.random() < chance) for chance in ((0.2, 0.9) if proof else (0.9, 0.9))])
    return make(prompts, ["cheap", "dear"], scores, (0.001, 0.02))


@pytest.fixture(scope="module")
def made(varied):
    return calibrating.calibrate(varied, NOW)


def test_what_is_held_back_was_not_learned_from(varied, made):
    learned, held = calibrating.parts(varied)
    assert set(learned) & set(held) == set()
    assert len(learned) + len(held) == len(varied)
    assert 0.2 < len(held) / len(varied) < 0.4
    assert len(made.held) == len(held)
    assert made.predictor.records[0].rows == len(learned)
    assert made.version.startswith("20260102T030405Z-")


def test_a_prompt_stands_on_the_same_side_each_time(varied):
    _, held = calibrating.parts(varied)
    kept = {varied.prompts[row] for row in held}
    fewer = varied.rows(range(0, 900, 2))
    assert {fewer.prompts[row] for row in calibrating.parts(fewer)[1]} <= kept


def test_the_log_s_own_split_counts(varied):
    splits = ["test" if number < 100 else "train" for number in range(900)]
    assert calibrating.parts(replace(varied, splits=tuple(splits)))[1].tolist() == list(range(100))


def test_a_short_log_holds_nothing_back():
    made = calibrating.calibrate(synthetic(30))
    assert len(made.held) == 0
    with pytest.raises(ValueError, match="empty"):
        calibrating.calibrate(synthetic(30).rows([]))


def test_figures_have_intervals_that_hold_them(made):
    found = review.error(made.held)
    assert found.low < found.value < found.high
    flat = Held(made.held.predicted * 0 + made.predictor.base, made.held.scores)
    assert review.error_change(made.held, flat).low > 0
    same = review.error_change(made.held, made.held)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert np.isnan(review.mean(np.array([np.nan])).value)


def test_an_earlier_calibration_says_the_same_of_the_same_requests(varied, made):
    rows = calibrating.parts(varied)[1].tolist()
    assert np.allclose(review.again(made, varied, rows, ["cheap", "dear"]).predicted, made.held.predicted, atol=1e-6)
    one = review.again(made, varied, rows, ["dear"])
    assert np.allclose(one.predicted[:, 0], made.held.predicted[:, 1], atol=1e-6)


def test_a_rule_saves_what_it_says(made):
    rule = review.rule(made, 0.95)
    assert rule.ladder == ("cheap", "dear")
    cost = review.cheaper(made, rule)
    assert 0.2 < cost.value < 0.6
    assert cost.low < cost.value < cost.high
    assert review.rule(calibrating.calibrate(synthetic(30)), 0.95) is None


def rows_of(shape, rng):
    """Rows of a log of some shape, as somebody else may have written it."""
    experts = {"many": [f"e{n}" for n in range(40)], "one": ["only"]}.get(shape, ["a", "b", "c"])
    size = {"few": 3, "single": 1}.get(shape, 120)
    for number in range(size):
        prompt = f"question {number % (5 if shape == 'duplicates' else size)} about {rng.choice(['x', 'y', 'z'])}"
        for expert in experts:
            if shape == "sparse" and rng.random() < 0.8:
                continue
            row = {"prompt": prompt, "expert": expert, "score": float(rng.random() < 0.6)}
            if shape == "messages":
                row["prompt"] = [{"role": "system", "content": "s"}, {"role": "user", "content": prompt}]
            elif shape == "parts":
                row["prompt"] = [{"role": "user", "content": [{"type": "text", "text": prompt}]}]
            elif shape == "correct":
                row["correct"] = bool(row.pop("score"))
            elif shape == "constant":
                row["score"] = 1
            elif shape == "holes":
                row |= {"cost_usd": rng.choice([None, -1.0, float("nan"), 0.01]), "domain": None, "latency_s": "slow"}
                row["score"] = None if rng.random() < 0.3 else row["score"]
            elif shape == "long":
                row["prompt"] = prompt + " word" * 5_000
            elif shape == "odd":
                row |= {"prompt": rng.choice(["", "\u202e", "月", "\ud83d\ude00" * 3]) + str(number), "item": number}
            elif shape == "full":
                row |= {"item": f"q{number}", "domain": rng.choice(["m", "n"]), "cost_usd": 0.1 * (1 + len(expert))}
                row |= {"latency_s": 1.5, "completion_tokens": 100, "split": "test" if number % 3 else "train"}
            yield row


SHAPES = (
    "plain many one few single duplicates sparse messages parts correct constant holes long odd full".split()  # noqa: SIM905
)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_log_of_any_shape_makes_a_calibration_that_can_be_stored(shape, tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [json.dumps(row) for row in rows_of(shape, np.random.default_rng(1))]
    path.write_text("\n".join(lines), encoding="utf-8")
    log = load(path)
    made = calibrating.calibrate(log, NOW)
    for text in ("question 3 about x", "", log.prompts[0]):
        qualities = made.predictor.qualities(text)
        assert qualities.shape == (len(log.experts),)
        assert ((qualities > 0) & (qualities < 1)).all()
    storage.save(made, tmp_path / "router.npz")
    assert storage.load(tmp_path / "router.npz").version == made.version


def test_nan_in_a_table_is_no_name_and_no_number(tmp_path):
    table = pa.table(
        {
            "prompt": ["one", "two", "three"],
            "expert": ["a", "a", None],
            "score": [1.0, float("nan"), 1.0],
            "item": pa.array([float("nan"), 2.0, 3.0]),
            "domain": pa.array([float("nan"), None, None], pa.float64()),
        }
    )
    pq.write_table(table, tmp_path / "log.parquet")
    log = load(tmp_path / "log.parquet")
    assert (log.prompts, log.experts, log.domains) == (("one",), ("a",), ("",))
    pq.write_table(table.slice(1), tmp_path / "none.parquet")
    with pytest.raises(LogError, match="no row"):
        load(tmp_path / "none.parquet")
