"""`mixture evaluate`, as people run it."""

import json
import math
import threading
import time
from textwrap import dedent

import pytest
from typer.testing import CliRunner

from commands.main import app
from mixture.evaluation.report.summary import summarise
from mixture.evaluation.results import load
from mixture.simulation import StandIn

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


def reported(run, tmp_path, *arguments):
    """What `mixture evaluate` printed, and the notes and the arms of the report that `mixture report` makes of it."""
    done = run("data.jsonl", *arguments)
    assert done.exit_code == 0, done.output
    made = CliRunner().invoke(app, ["report", str(tmp_path / "evaluations" / "data")])
    assert made.exit_code == 0, made.output
    folder = tmp_path / "evaluations" / "data" / "report"
    found = json.loads((folder / "summary.json").read_text())
    page = (folder / "report.html").read_text()
    assert all(note.replace("'", "&#39;") in page for note in found["notes"])
    return done.output, found


def test_broken_rows_missing_columns_and_mixed_types_are_counted_and_reported(run, tmp_path):
    broken = ["{broken", '{"answer": "1"}', '{"question": {"a": 1}, "answer": "1"}', "3"]
    mixed = ['{"question": 7, "answer": 1}', '{"question": "60, 1?", "answer": 1}']
    with (tmp_path / "data.jsonl").open("a") as file:
        file.write("\n".join([*broken, *mixed]) + "\n")
    said, found = reported(run, tmp_path, "-l", "gsm8k", "-a", "ones")
    assert "5 rows can't be asked" in said
    assert "question: missing or empty" in said
    assert found["items"] == 7
    assert any(note.startswith("5 rows of the dataset have no result") for note in found["notes"])


def test_an_endpoint_that_goes_away_is_waited_for(run, tmp_path, monkeypatch):
    monkeypatch.setattr("mixture.evaluation.patience.FIRST_PAUSE", 0.05)
    first = StandIn(text="1", models=("m",), delay=0.05).start()
    later: list[StandIn] = []

    def away():
        while first.stats.requests < 2:
            time.sleep(0.01)
        first.stop()
        time.sleep(0.5)
        later.append(StandIn(text="1", models=("m",), port=first.port).start())

    outage = threading.Thread(target=away)
    outage.start()
    said, found = reported(run, tmp_path, "-l", "gsm8k", "-a", "m", "-e", first.base_url, "--concurrency", "1")
    outage.join()
    later[0].stop()
    assert "waited for an upstream that was away" in said
    assert (found["arms"][0]["failed"], found["arms"][0]["standing"]["items"]) == (0, 5)


def test_a_scorer_that_raises_is_counted_and_reported(run, tmp_path):
    (tmp_path / "raising_scorer.py").write_text(
        dedent("""
        def score(answer, item):
            if item.position == 3:
                raise RuntimeError("my scorer's fault")
            return answer == item.reference
        """)
    )
    said, found = reported(run, tmp_path, "-l", "gsm8k", "-a", "ones", "-s", "raising_scorer:score")
    assert "1 answers could not be graded" in said
    assert "RuntimeError: my scorer's fault" in said
    assert (found["arms"][0]["ungraded"], found["arms"][0]["standing"]["items"]) == (1, 4)
    assert any("1 answers could not be graded" in note for note in found["notes"])


def test_code_that_loops_or_forks_is_ended_and_wrong(run, tmp_path):
    answers = {"good": "def f():\n    return 1", "loop": "while True: pass", "fork": "import os\nwhile 1: os.fork()"}
    expert = {"name": "coder", "provider": "scripted", "options": {"text": answers}}
    (tmp_path / "serve_config.yaml").write_text(json.dumps({"experts": [expert]}))
    rows = [{"text": name, "test_list": ["assert f() == 1"]} for name in answers]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    _, found = reported(run, tmp_path, "-l", "code", "-s", "code:1", "-a", "coder")
    assert (found["arms"][0]["standing"]["items"], found["arms"][0]["failed"], found["arms"][0]["ungraded"]) == (
        3,
        0,
        0,
    )
    results = load(tmp_path / "evaluations" / "data")
    assert results.scores[:, 0].tolist() == [1.0, 0.0, 0.0]


def test_a_judge_s_taste_for_length_is_counted_out(run, tmp_path):
    """A case that can be worked out: answers are 200 characters longer than the reference or 200 shorter, longer ones
    win 45 times of 60 and shorter ones 5 of 20. The log odds of the two are equal and opposite, so that length counted
    out leaves a half, where 50 of 80 were won.
    """
    answers = {"longer, won": "WIN", "longer, lost": "LOSE", "shorter, won": "WIN", "shorter, lost": "LOSE"}
    texts = {words: said.ljust(500 if words.startswith("longer") else 100, "x") for words, said in answers.items()}
    sides = {"WIN.*refer": "A", "refer.*WIN": "B", "LOSE.*refer": "B", "refer.*LOSE": "A"}
    verdicts = {f"(?s){pattern}": json.dumps({"best": best}) for pattern, best in sides.items()}
    named = {"writer": texts, "arbiter": verdicts}
    experts = [{"name": name, "provider": "scripted", "options": {"text": text}} for name, text in named.items()]
    (tmp_path / "serve_config.yaml").write_text(json.dumps({"experts": experts}))
    asked = [words for words, times in zip(texts, (45, 15, 5, 15), strict=True) for _ in range(times)]
    rows = [{"instruction": words, "output": "refer".ljust(300, "x")} for words in asked]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    _, found = reported(run, tmp_path, "-l", "pairs", "-s", "judge:arbiter", "-a", "writer")
    rate = found["win_rates"]["writer"]
    assert (rate["pairs"], rate["characters"], rate["reference_characters"]) == (80, 400.0, 300.0)
    assert rate["won"]["value"] == 0.625
    assert rate["controlled"]["value"] == pytest.approx(0.5, abs=0.005)
    error = math.sqrt(1 / (60 * 0.75 * 0.25) + 1 / (20 * 0.75 * 0.25)) / 2  # of the mean of both log odds
    ends = [1 / (1 + math.exp(-move * 1.96 * error)) for move in (-1, 1)]
    assert [rate["controlled"]["low"], rate["controlled"]["high"]] == pytest.approx(ends, abs=0.003)
    page = (tmp_path / "evaluations" / "data" / "report" / "report.html").read_text()
    assert "length-controlled" in page
    assert ">62.5<" in page
