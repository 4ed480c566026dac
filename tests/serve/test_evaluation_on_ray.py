"""`mixture evaluate` on Ray Data, against an application of its own: the same results as in one process."""

from __future__ import annotations

import json
import subprocess

import pandas as pd
import pytest
import yaml

from tests.serve.real import MIXTURE, environment

EXPERTS = [
    {"name": "right", "provider": "scripted", "hosted": True, "price": {"input": 1, "output": 1},
     "options": {"text": {"(?P<n>one)": "1", "two": "The answer is 2"}}},
    {"name": "five", "provider": "scripted", "price": {"input": 1, "output": 1}, "options": {"text": "5"}},
]  # fmt: skip


def told(folder):
    frame = pd.read_parquet(folder / "results").drop(columns=["timestamp", "latency_s", "proposals"])
    frame["asked"] = frame["asked"].map(sorted)  # of experts that are asked at once any may be the first to answer
    return frame.sort_values(["arm", "position"]).reset_index(drop=True)


@pytest.mark.timeout(600)
def test_processes_of_ray_data_that_ask_a_graph_come_to_the_same_results(tmp_path):
    lines = [json.dumps({"question": f"{number}: {word}?", "answer": answer}) for number in range(60)
             for word, answer in (("one", "1"), ("two", "2"))]  # fmt: skip
    (tmp_path / "data.jsonl").write_text("\n".join([*lines, "{broken"]))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"experts": EXPERTS}))
    said = {}
    for name, more in (("here", []), ("there", ["--ray", "2", "--graph"])):
        command = [MIXTURE, "evaluate", "data.jsonl", "--layout", "gsm8k", "--config", "config.yaml", "--out", name]
        arms = ["--arm", "right", "--arm", "five", "--arm", "voting"]
        environ = environment(tmp_path / "home")
        done = subprocess.run(
            [*command, *arms, *more],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        said[name] = done.stdout
        assert "1 rows can't be asked" in done.stderr
    here, there = told(tmp_path / "here"), told(tmp_path / "there")
    assert len(here) == 120 * 3
    pd.testing.assert_frame_equal(here, there, check_dtype=False)
    assert "five scores less than right" in said["there"]
