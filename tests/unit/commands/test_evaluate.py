"""`mixture evaluate`, as people run it."""

import json

import pytest
from typer.testing import CliRunner

from commands.main import app
from mixture.evaluation.report.summary import summarise
from mixture.evaluation.results import load

CONFIG = """
experts:
  - name: right
    provider: scripted
    price: {input: 1, output: 1}
    options: {text: {", 1": "It is 1", ", 2": "It is 2"}}
  - {name: ones, provider: scripted, price: {input: 1, output: 1}, options: {text: "1"}}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "serve_config.yaml").write_text(CONFIG)
    rows = [
        {"question": f"{number}, {number % 2 + 1}?", "answer": str(number % 2 + 1)} for number in (30, 40, 41, 50, 51)
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n{broken\n")
    runner = CliRunner(env={"COLUMNS": "200"})
    return lambda *arguments: runner.invoke(app, ["evaluate", *arguments])


def test_the_whole_way_to_a_router(run, tmp_path):
    done = run("data.jsonl", "-l", "gsm8k", "-a", "right", "-a", "ones", "-a", "voting")
    assert done.exit_code == 0, done.output
    assert "No difference can be claimed between ones and right on 5 items" in done.output
    assert "1 rows can't be asked" in done.output
    again = run("data.jsonl", "-l", "gsm8k", "-a", "right", "-a", "ones", "-a", "voting", "--baseline", "ones")
    assert again.exit_code == 0, again.output
    folder = tmp_path / "evaluations" / "data"
    assert summarise(load(folder)).items == 5
    learned = CliRunner().invoke(app, ["calibrate", str(folder), "--dry-run"])
    assert learned.exit_code == 0, learned.output
    assert "5 prompts, 2 experts" in learned.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.jsonl"], "there is no such file"),
        (["data.jsonl", "-l", "gsm"], "unknown layout 'gsm'"),
        (["data.jsonl", "-a", "nobody"], "'nobody' does not exist"),
        (["data.jsonl", "-s", "judge"], "`judge:MODEL` is expected"),
        (["data.jsonl", "--column", "question"], "MEANING=COLUMN is expected"),
        (["data.jsonl", "-c", "none.yaml"], "none.yaml"),
        (["data.jsonl", "-a", "none.yaml:auto"], "none.yaml"),
        (["data.jsonl", "-a", "right", "-a", "right"], "two arms are called 'right'"),
    ],
)
def test_what_can_not_be_evaluated_is_said_before_anything_is_asked(run, tmp_path, arguments, said):
    done = run(*arguments)
    assert done.exit_code == 1
    assert said in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "evaluations").exists()


def test_a_cost_cap_ends_it_with_a_word(run):
    done = run("data.jsonl", "-l", "gsm8k", "-a", "right", "--max-cost-usd", "0.00001")
    assert done.exit_code == 3
    assert "the cost cap is reached" in done.output
