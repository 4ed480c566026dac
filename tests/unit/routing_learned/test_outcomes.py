import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mixture.routing.outcomes import LogError, load

ROWS = [
    {"prompt": "one", "expert": "a", "score": 1, "cost_usd": 0.01, "domain": "x"},
    {"prompt": "one", "expert": "b", "score": 0.5},
    {"prompt": "two", "expert": "b", "correct": True, "latency_s": 2.0},
    {
        "prompt": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "three"}],
        "expert": "a",
        "score": 0,
    },
    {"prompt": "one", "expert": "a", "score": 0},
]


def written(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def test_rows_become_prompts_by_experts(tmp_path):
    log = load(written(tmp_path / "log.jsonl", ROWS))
    assert log.prompts == ("one", "two", "three")
    assert log.experts == ("a", "b")
    assert np.array_equal(log.scores, [[0.5, 0.5], [np.nan, 1], [0, np.nan]], equal_nan=True)
    assert log.costs[0, 0] == 0.01
    assert log.latencies[1, 1] == 2
    assert log.domains == ("x", "", "")


def test_parquet_says_the_same(tmp_path):
    rows = [
        row | {"prompt": json.dumps(row["prompt"]) if isinstance(row["prompt"], list) else row["prompt"]}
        for row in ROWS
    ]
    pq.write_table(
        pa.Table.from_pylist(
            rows,
            schema=pa.schema(
                [
                    ("prompt", pa.string()),
                    ("expert", pa.string()),
                    ("score", pa.float64()),
                    ("correct", pa.bool_()),
                    ("cost_usd", pa.float64()),
                    ("latency_s", pa.float64()),
                    ("domain", pa.string()),
                ]
            ),
        ),
        tmp_path / "log.parquet",
    )
    log = load(tmp_path / "log.parquet")
    assert log.prompts == ("one", "two", "three")
    assert np.array_equal(log.scores, [[0.5, 0.5], [np.nan, 1], [0, np.nan]], equal_nan=True)


def test_unusable_rows_are_passed_over_and_scores_bounded(tmp_path):
    rows = [
        {"prompt": "p"},
        {"expert": "a"},
        {"prompt": "p", "expert": "a", "score": "bad"},
        {"prompt": "p", "expert": "a", "score": 7},
    ]
    log = load(written(tmp_path / "log.jsonl", rows))
    assert log.scores.tolist() == [[1.0]]


def test_items_tell_prompts_apart(tmp_path):
    rows = [{"prompt": "same", "item": item, "expert": "a", "score": 1} for item in (1, 2)]
    assert len(load(written(tmp_path / "log.jsonl", rows))) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no row"),
        (b'{"prompt": 1}\n', "no row"),
        (b"{nope\n", ":1: not a JSON"),
        (b"PAR1garbage", "neither"),
        (b"\xff\xfe", "neither"),
    ],
)
def test_bad_logs_are_named(tmp_path, content, says):
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(LogError, match=says):
        load(path)


def test_a_missing_log_is_named(tmp_path):
    with pytest.raises(LogError, match="No such file"):
        load(tmp_path / "none.jsonl")
