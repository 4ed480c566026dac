"""An evaluation from rows to results: what is asked, what is kept, what goes wrong and is survived."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pandas as pd
import pyarrow.parquet as pq
import pytest

from mixture.errors import InvalidQuery
from mixture.evaluation import results
from mixture.evaluation.arms import Arm, Contest, arm_of, arms_of
from mixture.evaluation.attempts import Attempt
from mixture.evaluation.purse import Purse
from mixture.evaluation.records import Score
from mixture.evaluation.results import ResultsError
from mixture.evaluation.store import Store, StoreError
from mixture.routing import outcomes
from tests.unit.evaluation.conftest import expert


class Counting:
    """An answerer that counts, and says what it is told to."""

    def __init__(self, answer=None):
        self.asked = []
        self.answer = answer or (lambda number: Attempt(text="2", alone="x", cost_usd=1.0))

    async def ask(self, messages, model):
        self.asked.append((messages[-1].text, model))
        number = len(self.asked)
        await asyncio.sleep(0)
        return self.answer(number)

    async def close(self):
        pass


def contest(answerer, *names):
    return Contest.alike(tuple(Arm(name, name) for name in names or ("right", "five")), answerer)


async def test_answers_are_graded_and_kept(bench):
    tally = await bench.run("right", "five", "voting")
    assert (tally.asked, tally.arms["right"].right, tally.arms["five"].right) == (6, 2.0, 0.0)
    found = results.load(bench.folder / "out")
    assert found.arms == ("right", "five", "voting")
    assert found.scores[:, :2].tolist() == [[1.0, 0.0], [1.0, 0.0]]
    row = found.texts([0], ("response", "route", "proposals", "expert", "prompt_tokens"))
    assert row[0, "right"]["response"] == "The answer is 2"
    assert (row[0, "right"]["expert"], row[0, "voting"]["expert"]) == ("right", None)
    assert {(one["expert"], one["score"]) for one in row[0, "voting"]["proposals"]} == {("right", 1.0), ("five", 0.0)}
    assert all(one["cost_usd"] == 5.0 for one in row[0, "voting"]["proposals"])
    assert row[0, "voting"]["prompt_tokens"] == 10


async def test_results_are_an_outcome_log_and_partitioned_parquet(bench):
    await bench.run("right", "five", "voting")
    log = outcomes.load(bench.folder / "out" / "results")
    assert sorted(log.experts) == ["five", "right"]
    assert log.scores.shape == (2, 2)
    assert log.prompts == ("one and one is two?", "three?")
    assert outcomes.load(bench.folder / "out").experts == log.experts
    frame = pd.read_parquet(bench.folder / "out" / "results")
    assert set(frame["arm"]) == {"right", "five", "voting"}
    assert len(frame) == 6


async def test_what_was_asked_is_not_asked_again(bench):
    first = Counting()
    await bench.run(contest=contest(first))
    assert len(first.asked) == 4
    again = Counting()
    tally = await bench.run(contest=contest(again))
    assert (again.asked, tally.asked) == ([], 0)


async def test_another_evaluation_does_not_go_into_the_same_folder(bench):
    await bench.run()
    with pytest.raises(StoreError, match="with another scorer"):
        Store(bench.folder / "out").begin(bench.plan(scorer="exact").facts)
    bench.rows.append({"question": "more?", "answer": "1"})
    with pytest.raises(StoreError, match="with another dataset"):
        await bench.run()
    (bench.folder / "full").mkdir()
    (bench.folder / "full" / "thing").write_text("")
    with pytest.raises(StoreError, match="something else"):
        Store(bench.folder / "full").begin({})


def test_two_runs_do_not_share_a_folder(tmp_path):
    store = Store(tmp_path)
    store.begin({})
    with store.held(), pytest.raises(StoreError, match="going on"), Store(tmp_path).held():
        pass
    with store.held():
        pass


async def test_broken_rows_missing_columns_and_mixed_types_are_counted(bench):
    bench.rows += [
        "{broken\n",
        {"answer": "1"},
        {"question": 7, "answer": 3},
        {"question": {"a": 1}, "answer": "1"},
        "3\n",
    ]
    bench.rows += [{"question": "three?", "answer": [1]}]
    tally = await bench.run("right")
    assert (tally.asked, tally.broken) == (3, 5)
    assert "question: missing or empty" in tally.faults
    assert results.load(bench.folder / "out").positions.tolist() == [0, 1, 4]


async def test_a_failed_question_counts_as_wrong(bench):
    bench.config = type(bench.config).model_validate(
        {"experts": [expert("right", "2", options={"failure": {"error": "Declined"}}), expert("five", "2")]}
    )
    tally = await bench.run()
    assert tally.arms["right"].failed == 2
    assert any("scripted failure" in error for error in tally.errors)
    found = results.load(bench.folder / "out")
    assert found.scores[:, 0].tolist() == [0.0, 0.0]
    assert found.failed.tolist() == [[True, False]] * 2


class Raising:
    cheap = True

    async def score(self, item, answer):
        if "three" in item.prompt:
            raise RuntimeError("my scorer's fault")
        return Score(1.0)


async def test_a_scorer_that_raises_is_counted_and_its_items_count_nowhere(bench):
    tally = await bench.run("right", scorer=Raising())
    assert tally.scorer_errors == {"RuntimeError: my scorer's fault": 1}
    found = results.load(bench.folder / "out")
    assert found.ungraded.tolist() == [[False], [True]]
    assert found.shared("right").tolist() == [0]


async def test_an_answerer_with_a_defect_ends_nothing(bench):
    def answer(number):
        if number == 1:
            raise KeyError("defect")
        return Attempt(text="2", alone="x")

    tally = await bench.run(contest=contest(Counting(answer)))
    assert (tally.asked, tally.errors) == (4, {"KeyError: 'defect'": 1})


async def test_an_upstream_that_is_away_for_a_while_is_waited_for(bench, terms, monkeypatch):
    monkeypatch.setattr("mixture.evaluation.patience.FIRST_PAUSE", 0.01)
    away = Attempt(error="ExpertUnavailable: away", passing=True)
    answerer = Counting(lambda number: away if number <= 12 else Attempt(text="2", alone="x"))
    tally = await bench.run(contest=contest(answerer), terms=terms(patience=60))
    assert (tally.asked, tally.errors.total(), tally.waiting) == (4, 0, False)
    assert tally.outages == 4


async def test_patience_has_an_end(bench, terms, monkeypatch):
    monkeypatch.setattr("mixture.evaluation.patience.FIRST_PAUSE", 0.01)
    answerer = Counting(lambda number: Attempt(error="away", passing=True))
    tally = await bench.run(contest=contest(answerer), terms=terms(patience=0.05))
    assert tally.arms["right"].failed == tally.arms["five"].failed == 2


async def test_a_failure_that_does_not_pass_is_not_waited_for(bench, terms):
    answerer = Counting(lambda number: Attempt(error="no", passing=False))
    await bench.run(contest=contest(answerer), terms=terms(patience=3_600))
    assert len(answerer.asked) == 4


@pytest.mark.parametrize("concurrency", [1, 4])
async def test_the_cost_cap_holds_with_many_at_once(bench, terms, concurrency):
    bench.rows = [{"question": f"number {number}?", "answer": "2"} for number in range(50)]
    tally = await bench.run(contest=contest(Counting(), "a"), terms=terms(concurrency=concurrency), purse=Purse(7.5))
    assert tally.cost_usd == 7.0
    assert tally.stopped == "the cost cap is reached"
    again = await bench.run(contest=contest(Counting(), "a"))
    assert again.asked == 43


async def test_an_unknown_price_is_taken_to_be_the_dearest(bench):
    purse = Purse(2.5)
    for cost in (1.0, None):
        assert await purse.take() is True
        await purse.settle(cost)
    assert purse.spent == 2.0
    assert await purse.take() is None


async def test_stopping_finishes_what_is_under_way(bench, terms):
    bench.rows = [{"question": f"number {number}?", "answer": "2"} for number in range(50)]

    def answer(number):
        if number == 10:
            bench.runner.stop.set()
        return Attempt(text="2", alone="x")

    answerer = Counting(answer)
    tally = await bench.run(contest=contest(answerer, "a"), terms=terms(concurrency=3))
    assert tally.asked == len(answerer.asked) <= 13
    rest = Counting()
    await bench.run(contest=contest(rest, "a"))
    assert len({text for text, _ in answerer.asked} | {text for text, _ in rest.asked}) == 50
    assert len(answerer.asked) + len(rest.asked) == 50


async def test_a_sample_is_always_the_same(bench):
    bench.rows = [{"question": f"number {number}?", "answer": "2"} for number in range(50)]
    first, second = ({item.position for item in bench.plan(limit=9, sample=True).items()} for _ in range(2))
    assert first == second
    assert len(first) == 9
    assert [item.position for item in bench.plan(limit=3).items()] == [0, 1, 2]


KILLED = """
import asyncio, sys
from pathlib import Path
from tests.unit.evaluation.conftest import Bench
from mixture.evaluation import store
from mixture.evaluation.runner import Terms
store.PART = 40
bench = Bench(Path(sys.argv[1]))
bench.rows = [{"question": f"number {number}, which is two?", "answer": str(number % 3)} for number in range(300)]
print("ready", flush=True)
asyncio.run(bench.run("right", "five", terms=Terms(concurrency=8, patience=0)))
"""


def start(folder):
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-c", KILLED, str(folder)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE)


def told(folder):
    """What results say, without what differs from run to run."""
    frame = pd.read_parquet(folder / "out" / "results").drop(columns=["timestamp", "latency_s", "proposals"])
    assert not frame.duplicated(["position", "arm"]).any()
    return frame.sort_values(["arm", "position"]).reset_index(drop=True)


def test_killed_at_random_moments_it_comes_to_the_same_results(tmp_path):
    whole = start(tmp_path / "whole")
    assert whole.wait(120) == 0
    chance, kills = random.Random(os.getpid()), 0
    while True:
        process = start(tmp_path / "killed")
        assert process.stdout.readline() == b"ready\n"
        if kills < 2:
            time.sleep(chance.uniform(0.02, 0.25))
            process.send_signal(signal.SIGKILL)
            kills += 1
        if process.wait(120) == 0:
            break
    pd.testing.assert_frame_equal(told(tmp_path / "whole"), told(tmp_path / "killed"), check_dtype=False)
    assert len(told(tmp_path / "killed")) == 600


def test_a_journal_that_was_cut_and_a_part_that_was_written_twice(tmp_path, bench):
    asyncio.run(bench.run("right"))
    store = Store(tmp_path / "out")
    row = pq.ParquetFile(store.parts()[0]).read().to_pylist()[0]
    lines = orjson.dumps({**row, "arm": "right"}) + b"\n" + orjson.dumps({**row, "arm": "right", "position": 9})
    (store.journals / "left.jsonl").write_bytes(lines + b'\n{"position": 10, "arm": "ri')
    (store.results / "arm=right" / ".x.partial").write_bytes(b"half")
    done = store.recover(2)
    assert [done.has(position, "right") for position in (0, 9, 10)] == [True, True, False]
    assert results.load(tmp_path / "out").positions.tolist() == [0, 1, 9]
    assert list(store.journals.iterdir()) == []
    assert not list(store.results.rglob(".*"))


@pytest.mark.parametrize(
    ("spec", "arm"),
    [
        ("voting", Arm("voting", "voting")),
        ("a/b.yaml:auto", Arm("b:auto", "auto", "a/b.yaml")),
        ("cheap=a.yml:mixture/auto", Arm("cheap", "mixture/auto", "a.yml")),
        ("llama3:8b", Arm("llama3:8b", "llama3:8b")),
    ],
)
def test_how_arms_are_written(spec, arm):
    assert arm_of(spec) == arm


@pytest.mark.parametrize("specs", [[], ["a", "a"], ["a=b=c"], [""]])
def test_what_is_no_arm(specs):
    with pytest.raises(InvalidQuery):
        arms_of(specs)


async def test_arms_with_configurations_of_their_own(bench):
    other = bench.folder / "other.yaml"
    other.write_text("experts: [{name: right, provider: scripted, options: {text: '3'}}]")
    await bench.run("right", f"theirs={other}:right")
    found = results.load(bench.folder / "out")
    assert found.scores.tolist() == [[1.0, 0.0], [1.0, 1.0]]


async def test_arm_names_may_have_any_characters(bench):
    await bench.run("Größe=right", "a/b=five", "x%20 y=five")
    found = results.load(bench.folder / "out")
    assert found.arms == ("Größe", "a/b", "x%20 y")
    assert (await bench.run("Größe=right", "a/b=five", "x%20 y=five")).asked == 0


def test_results_that_are_not_there(tmp_path):
    with pytest.raises(ResultsError, match="holds no evaluation"):
        results.load(tmp_path)
    Store(tmp_path).begin({})
    with pytest.raises(ResultsError, match="holds no results"):
        results.load(tmp_path)
