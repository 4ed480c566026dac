"""Running an evaluation from the command line: who answers, the progress bar, and Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.progress import progress
from mixture.config import Config
from mixture.errors import InvalidQuery
from mixture.evaluation import datasets
from mixture.evaluation.arms import Contest, arms_of, local_contest
from mixture.evaluation.endpoint import EndpointAnswerer
from mixture.evaluation.layouts import layout_of
from mixture.evaluation.plan import Evaluation
from mixture.evaluation.purse import Purse
from mixture.evaluation.runner import Runner, Terms
from mixture.evaluation.scorers import Means, scorer_of
from mixture.evaluation.store import Done, Store
from mixture.evaluation.tally import Tally


@dataclass(frozen=True, slots=True)
class Manner:
    """How an evaluation is run: an `endpoint` to ask, else `processes` of Ray Data (0: this process alone), with a
    `graph` whose experts scale or each with experts of its own.
    """

    terms: Terms
    max_cost_usd: float | None = None
    endpoint: str | None = None
    processes: int = 0
    graph: bool = False


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


def run(plan: Evaluation, config: Config | None, folder: Path, manner: Manner) -> Tally:
    """Run an evaluation, or take it up where it was left. An endpoint needs no `config`. Raises InvalidQuery."""
    tally = Tally(plan.rows * len(plan.arms))
    if manner.processes or manner.graph:
        _on_ray(plan, config or Config(), folder, manner, tally)
    else:
        asyncio.run(_here(plan, config, folder, manner, tally))
    return tally


@contextmanager
def _taken_up(plan: Evaluation, folder: Path, tally: Tally) -> Iterator[tuple[Store, Done]]:
    """The folder, and what is finished; nobody else has it meanwhile. Raises StoreError."""
    store = Store(folder)
    store.begin(plan.facts)
    with store.held():
        done = store.recover(plan.survey.rows)
        tally.before = sum(done.count(arm.name) for arm in plan.arms)
        yield store, done


async def _here(plan: Evaluation, config: Config | None, folder: Path, manner: Manner, tally: Tally) -> None:
    contest = await _contest(plan, config, manner.endpoint)
    try:
        scorer = scorer_of(plan.scorer, Means(contest.answerers[plan.arms[0].name].ask))
        with _taken_up(plan, folder, tally) as (store, done), closing(store.writer()) as writer:
            runner = Runner(contest, scorer, writer, manner.terms, Purse(manner.max_cost_usd), tally)
            with stopped_by_signals(runner.stop, tally), progress(tally, manner.max_cost_usd):
                await runner.run(plan.items(), done)
    finally:
        await contest.close()


async def _contest(plan: Evaluation, config: Config | None, endpoint: str | None) -> Contest:
    if endpoint is None:
        return local_contest(plan.arms, config)
    answerer = EndpointAnswerer(endpoint, _key(endpoint))
    await answerer.check(plan.arms)
    return Contest.alike(plan.arms, answerer)


def _key(endpoint: str) -> str:
    """The key for an endpoint: $MIXTURE_API_KEY, that of a server on this machine, or $OPENAI_API_KEY."""
    from commands.running import noted

    url = endpoint.rstrip("/").removesuffix("/v1")
    known = next((server.key for server in noted(os.environ) if server.url == url), "")
    return os.environ.get("MIXTURE_API_KEY") or known or os.environ.get("OPENAI_API_KEY", "")


def _on_ray(plan: Evaluation, config: Config, folder: Path, manner: Manner, tally: Tally) -> None:
    local_contest(plan.arms, config)  # what can't be is said before anything is started
    scorer_of(plan.scorer, Means(_nobody))
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from deployments.evaluation import Job, cluster, spread

    job = Job(plan, config, folder.absolute(), manner.terms)
    with _taken_up(plan, folder, tally) as (store, done):
        with cluster(job, graph=manner.graph) as ready:
            asyncio.run(_spread(spread, ready, done, manner, tally))
        store.recover(plan.survey.rows)


async def _spread(spread: Any, job: Any, done: Done, manner: Manner, tally: Tally) -> None:
    stop = asyncio.Event()
    with stopped_by_signals(stop, tally), progress(tally, manner.max_cost_usd):
        await spread(job, done, tally, stop, manner.max_cost_usd, max(1, manner.processes))


async def _nobody(messages: object, model: str) -> Any:
    raise NotImplementedError


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
