"""Running an evaluation from the command line: who answers, the progress bar, and Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mixture.config import Config
from mixture.errors import InvalidQuery
from mixture.evaluation import datasets
from mixture.evaluation.arms import arms_of, local_contest
from mixture.evaluation.layouts import layout_of
from mixture.evaluation.plan import Evaluation
from mixture.evaluation.purse import Purse
from mixture.evaluation.runner import Runner, Terms
from mixture.evaluation.scorers import Means, scorer_of
from mixture.evaluation.store import Done, Store
from mixture.evaluation.tally import Tally


def planned(
    dataset: Path, arms: Sequence[str], layout: str | None, columns: Sequence[str], scorer: str | None, **more: Any
) -> Evaluation:
    """What is to be evaluated. Raises InvalidQuery, before anything is asked."""
    named = dict(_pair(column) for column in columns)
    reader = layout_of(layout, named, template=more.get("template"), system=more.get("system"))
    return Evaluation(
        dataset=dataset,
        arms=arms_of(arms),
        scorer=scorer or reader.scorer,
        layout=layout,
        columns=named,
        survey=datasets.survey(dataset),
        **more,
    )


def _pair(text: str) -> tuple[str, str]:
    meaning, equals, column = text.partition("=")
    if not equals or not column:
        raise InvalidQuery(f"{text!r}: MEANING=COLUMN is expected, such as prompt=question", param="column")
    return meaning, column


def run(plan: Evaluation, config: Config, folder: Path, terms: Terms, max_cost_usd: float | None) -> Tally:
    """Run an evaluation in this process, or take it up where it was left. Raises InvalidQuery."""
    contest = local_contest(plan.arms, config)
    store, asker = Store(folder), contest.answerers[plan.arms[0].name]
    scorer = scorer_of(plan.scorer, Means(asker.ask))
    store.begin(plan.facts)
    done = store.recover(plan.survey.rows)
    writer = store.writer()
    tally = Tally(plan.rows * len(plan.arms), sum(done.count(arm.name) for arm in plan.arms))
    runner = Runner(contest, scorer, writer, terms, Purse(max_cost_usd), tally)
    try:
        asyncio.run(_shown(runner, plan, done))
    finally:
        writer.close()
    return tally


async def _shown(runner: Runner, plan: Evaluation, done: Done) -> None:
    from commands.progress import progress

    try:
        with stopped_by_signals(runner.stop, runner.tally), progress(runner.tally, runner.purse.most):
            await runner.run(plan.items(), done)
    finally:
        await runner.contest.close()


@contextmanager
def stopped_by_signals(stop: asyncio.Event, tally: Tally) -> Iterator[None]:
    """Ctrl-C and SIGTERM let what is under way be finished; the second one does not wait for it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def told() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        tally.stopped = "it was interrupted; the same command goes on with it"
        stop.set()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, told)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
