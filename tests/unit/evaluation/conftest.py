"""A small evaluation of scripted experts."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mixture.config import parse
from mixture.evaluation import datasets
from mixture.evaluation.arms import arms_of, local_contest
from mixture.evaluation.plan import Evaluation
from mixture.evaluation.purse import Purse
from mixture.evaluation.runner import Runner, Terms
from mixture.evaluation.scorers import scorer_of
from mixture.evaluation.store import Store
from mixture.evaluation.tally import Tally

PRICE = {"input": 1_000_000, "output": 0}
"""A dollar a token of the prompt."""


def expert(name, text, **more):
    return {"name": name, "provider": "scripted", "price": PRICE, "options": {"text": text}, **more}


class Bench:
    """Runs an evaluation in `folder`; `runner` is the last one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = parse(
            {"experts": [expert("right", {"two": "The answer is 2", "three": "3"}), expert("five", "5")]}, {}
        )
        self.rows = [{"question": "one and one is two?", "answer": "2"}, {"question": "three?", "answer": "3"}]

    def dataset(self) -> Path:
        file = self.folder / "data.jsonl"
        file.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in self.rows))
        return file

    def plan(self, *arms: str, **more) -> Evaluation:
        file = self.dataset()
        facts = {"layout": "gsm8k", "scorer": "numeric", **more}
        return Evaluation(file, datasets.survey(file), arms_of(arms or ("right", "five")), **facts)

    async def run(self, *arms: str, terms=None, purse=None, scorer=None, contest=None, **more) -> Tally:
        plan = self.plan(*arms, **more)
        store = Store(self.folder / "out")
        store.begin(plan.facts)
        done = store.recover(plan.rows)
        contest = contest or local_contest(plan.arms, self.config)
        writer = store.writer()
        terms = terms or Terms(concurrency=4, patience=0)
        scorer = scorer or scorer_of(plan.scorer)
        tally = Tally(plan.rows * len(plan.arms))
        self.runner = Runner(contest, scorer, writer, terms, purse or Purse(), tally)
        try:
            return await self.runner.run(plan.items(), done)
        finally:
            writer.close()
            await contest.close()


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.fixture
def terms():
    return lambda **changes: replace(Terms(concurrency=4, patience=0), **changes)
