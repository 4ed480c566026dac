"""An evaluation on Ray: Ray Data spreads the dataset over processes, each with a runner and a journal of its own, and
the graph of an application answers through its deployment handles, so that experts scale with the load.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError

from actors.evaluation import EvaluationActor
from deployments.app import build
from mixture.config import Config
from mixture.errors import MixtureError
from mixture.evaluation.arms import Contest, local_contest
from mixture.evaluation.attempts import Attempt, attempt_of
from mixture.evaluation.datasets import cut
from mixture.evaluation.plan import Evaluation
from mixture.evaluation.runner import Runner, Terms
from mixture.evaluation.scorers import Means, scorer_of
from mixture.evaluation.store import Done, Store
from mixture.evaluation.tally import Tally
from mixture.types import Message

Handle = Any
APPLICATION = "mixture-evaluation"
PIECE = 200
"""Rows that a process takes at once."""
EVERY = 0.5
"""Seconds between reports."""


class GraphAnswerer:
    """Answers from a Serve application of ours, through the handle of its gateway."""

    def __init__(self, application: str) -> None:
        self._call = serve.get_app_handle(application).options(method_name="attempt")

    async def ask(self, messages: Sequence[Message], model: str) -> Attempt:
        """See `Answerer`. A gateway that is lost is a failure that passes."""
        began = time.perf_counter()
        try:
            fields: Mapping[str, Any] = await self._call.remote(tuple(messages), model)
        except (RayError, MixtureError) as error:
            seconds = time.perf_counter() - began
            return Attempt(error=f"the gateway failed: {type(error).__name__}", passing=True, latency_s=seconds)
        return attempt_of(fields)

    async def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class Job:
    """What every process needs to know; `application` is the graph to ask, None: each process has its own."""

    plan: Evaluation
    config: Config
    folder: Path
    terms: Terms
    application: str | None = None

    def contest(self) -> Contest:
        """The arms, and who answers here."""
        if self.application is None:
            return local_contest(self.plan.arms, self.config)
        return Contest.alike(self.plan.arms, GraphAnswerer(self.application))


class SharedPurse:
    """The purse of all processes. Without a limit nobody is asked."""

    def __init__(self, shared: Handle, most: float | None) -> None:
        self._shared = None if most is None else shared

    async def take(self) -> bool | None:
        """See `Spending`."""
        return True if self._shared is None else await self._shared.take.remote()

    async def settle(self, cost_usd: float | None) -> None:
        """See `Spending`."""
        if self._shared is not None:
            await self._shared.settle.remote(cost_usd)

    async def give_back(self) -> None:
        """See `Spending`."""
        if self._shared is not None:
            await self._shared.give_back.remote()


class Asking:
    """One process of Ray Data: takes pieces of the dataset and asks what is in them."""

    def __init__(self, job: Job, done: Done, shared: Handle, most: float | None) -> None:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        self._job, self._done, self._shared = job, done, shared
        self._loop = asyncio.Runner()
        contest = job.contest()
        asker = contest.answerers[job.plan.arms[0].name]
        self._runner = Runner(
            contest,
            scorer_of(job.plan.scorer, Means(asker.ask)),
            Store(job.folder).writer(),
            job.terms,
            SharedPurse(shared, most),
        )
        self._name = ray.get_runtime_context().get_actor_id() or ""

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Ask the pieces of a batch; how many questions that were."""
        before = self._runner.tally.asked
        self._loop.run(self._all(list(batch["piece"])))
        return {"asked": [self._runner.tally.asked - before]}

    async def _all(self, pieces: Sequence[Any]) -> None:
        reporting = asyncio.create_task(self._report())
        try:
            shards = [shard for piece in pieces for shard in piece]
            await self._runner.run(self._job.plan.items(shards), self._done)
        finally:
            reporting.cancel()
            self._runner.writer.flush()
            await self._shared.report.remote(self._name, self._runner.tally)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            if await self._shared.report.remote(self._name, self._runner.tally):
                self._runner.stop.set()


@contextmanager
def cluster(job: Job, *, graph: bool) -> Iterator[Job]:
    """Ray, at $RAY_ADDRESS or for this evaluation alone, and with `graph` the job with an application to ask."""
    there = os.environ.get("RAY_ADDRESS")
    ray.init(address=there or "local", log_to_driver=False, logging_level=logging.ERROR)
    try:
        if not graph:
            yield job
            return
        with _application(job.config) as name:
            yield replace(job, application=name)
    finally:
        ray.shutdown()


@contextmanager
def _application(config: Config) -> Iterator[str]:
    """The name of an application to ask: the one that runs in this cluster, else one as long as the block lasts."""
    running = [name for name, app in serve.status().applications.items() if "gateway" in app.deployments]
    if running:
        yield running[0]
        return
    serve.start(proxy_location="Disabled")
    serve.run(build(config.model_dump(mode="json", exclude_unset=True)), name=APPLICATION, route_prefix=None)
    try:
        yield APPLICATION
    finally:
        serve.delete(APPLICATION)


async def spread(job: Job, done: Done, tally: Tally, stop: asyncio.Event, most: float | None, processes: int) -> None:
    """Run an evaluation on Ray Data in so many processes; `tally` is kept up to date meanwhile."""
    shared: Handle = ray.remote(EvaluationActor).options(num_cpus=0).remote(most)
    consuming = asyncio.get_running_loop().run_in_executor(None, _consumed, job, done, shared, most, processes)
    while not consuming.done():
        await asyncio.wait([consuming], timeout=EVERY)
        if stop.is_set():
            await shared.stop.remote()
        _update(tally, await shared.sum.remote())
    await consuming


def _update(tally: Tally, now: Tally) -> None:
    """`tally` with the counts of `now`, and what only the driver knows."""
    for name in ("asked", "broken", "outages", "arms", "errors", "scorer_errors", "faults", "waiting"):
        setattr(tally, name, getattr(now, name))
    tally.stopped = tally.stopped or now.stopped


def _consumed(job: Job, done: Done, shared: Handle, most: float | None, processes: int) -> int:
    context = DataContext.get_current()
    context.enable_progress_bars = False
    pieces = [{"piece": [shard]} for shard in cut(job.plan.survey, PIECE)]
    asked = ray.data.from_items(pieces, override_num_blocks=len(pieces)).map_batches(
        Asking,
        fn_constructor_args=(job, done, shared, most),
        batch_size=1,
        compute=ActorPoolStrategy(size=processes),
        num_cpus=0.5,
        max_concurrency=1,
    )
    return sum(row["asked"] for row in asked.iter_rows())
