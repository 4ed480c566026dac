"""An engine in replicas of its own: the deployment `expert-NAME` of an expert with `provider: vllm`."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray import serve

from deployments.engine.arguments import FIXED, engine_arguments
from deployments.engine.direct import Attendance, Listener
from deployments.engine.scaling import BUSY, NEEDED
from deployments.engine.turns import turn
from deployments.expert import Batch, batches
from mixture.config import ConfigError, EngineConfig, ExpertConfig
from mixture.errors import ExpertUnavailable
from mixture.logs import write_log
from mixture.providers.vllm.adapters import check, rank_of
from mixture.providers.vllm.shortage import free_memory, shortage
from mixture.providers.vllm.weights import Weights
from mixture.types import ExpertCard, Message, Query, Sampling

if TYPE_CHECKING:
    from deployments.engine.vllm import Engine

logger = logging.getLogger("mixture.engine")

START_AGAIN = 60.0
"""Seconds after which a replica whose engine did not start is given up, so that Serve makes another. What the
configuration is to blame for is not tried again."""
REPORT_SECONDS = 0.25
"""Between two reports of the engine's load within one answer; the first comes with the first chunk."""
NOT_RUNNING = "engine_not_running"


class HostedEngine:
    """Starts the engine, and answers for it when it can't be started: the rest of the server goes on."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, config: ExpertConfig, card: ExpertCard, gpus: float, adapters: Sequence[ExpertConfig] = ()
    ) -> None:
        write_log(f"expert {config.name}", os.environ)
        self._card = card
        began = time.monotonic()
        self._engine: Engine | None = None
        self._why = ""
        self._again: float | None = None
        self._faults: dict[str, str] = {}
        self._asked = False
        try:
            self._engine = made = await self._started(config, gpus, adapters)
            made.load = replace(made.load, start_s=time.monotonic() - began)
        except ConfigError as error:
            self._why = error.message
        except Exception as error:
            logger.exception("the engine of %s did not start", config.name)
            self._why = _last_line(error)
            self._again = time.monotonic() + START_AGAIN
        if self._why:
            logger.error("the engine of %s does not run: %s", config.name, self._why)
        self._listener = Listener(self.stream)
        if self._engine is not None and (config.engine or EngineConfig()).direct:
            await self._listener.open("127.0.0.1" if os.environ.get(FIXED) else ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]

    async def _started(self, config: ExpertConfig, gpus: float, adapters: Sequence[ExpertConfig]) -> Engine:
        engine = config.engine or EngineConfig()
        try:
            weights = Weights.read(config.model or "")
        except ConfigError as error:
            raise ConfigError(f"experts.{config.name}.{error.message}") from None
        if weights is not None and (why := shortage(weights, engine, _free() if gpus == 0 else None)) is not None:
            raise ConfigError(f"experts.{config.name}.engine: {why}")
        fitting = [adapter for adapter in adapters if self._fits(adapter, weights)]
        arguments = engine_arguments(config.model or "", engine, gpus, tuple(map(rank_of, fitting)))
        from deployments.engine.vllm import Engine  # seconds and hundreds of megabytes, in a replica only

        named = [(adapter.name, adapter.model or "") for adapter in fitting]
        replica = serve.get_replica_context().replica_id.unique_id
        with turn(gpus):
            made = Engine(self._card, engine, arguments, named, replica)
        for adapter in fitting:
            await self._added(made, adapter.name)
        await _warm(made)
        return made

    def _fits(self, adapter: ExpertConfig, weights: Weights | None) -> bool:
        try:
            check(adapter, weights)
        except ConfigError as error:
            self._faults[adapter.name] = error.message
            logger.error("an adapter is left out: %s", error.message)
        return adapter.name not in self._faults

    async def _added(self, engine: Engine, adapter: str) -> None:
        try:
            await engine.add(adapter)
        except Exception as error:
            logger.exception("the adapter %s was not loaded", adapter)
            self._faults[adapter] = f"experts.{adapter}.model: {_last_line(error)}"

    async def stream(self, query: Query, adapter: str | None = None) -> AsyncGenerator[Batch, None]:
        """See `deployments.expert.HostedExpert.stream`; `adapter` names one of the adapters."""
        name, why = adapter or self._card.name, self._why or self._faults.get(adapter or "", "")
        engine = self._engine
        if engine is None or why:
            yield ExpertUnavailable(f"{name} does not run: {why}", code=NOT_RUNNING, expert=name)
            return
        self._asked, told = True, 0.0
        async with aclosing(batches(engine.stream(query, adapter), name, 0)) as made:
            async for batch in made:
                now = time.monotonic()
                if isinstance(batch, list) and batch and now - told > REPORT_SECONDS:
                    told = now
                    yield [*batch, engine.load]
                else:
                    yield batch

    async def attend(self, attendance: Attendance) -> None:
        """As long as an answer that is given over a connection of its own: so Serve counts it."""
        await self._listener.attended(attendance.number)

    async def record_replica_metadata(self) -> dict[str, Any]:
        """What Serve tells the gateways of this replica: where it listens."""
        return self._listener.address

    async def ready(self) -> float:
        """Nothing more than that it can be asked, which Serve starts a replica for. Seconds that the engine's start
        took, 0 when it did not start.
        """
        return self._engine.load.start_s if self._engine is not None else 0.0

    async def check_health(self) -> None:
        """Raises RuntimeError when the engine's process is gone: Serve puts another replica in this one's place."""
        if self._engine is not None and self._engine.dead:
            raise RuntimeError("the engine's process is gone")
        if self._again is not None and time.monotonic() > self._again:
            raise RuntimeError("the engine did not start")

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What Serve's autoscaler is told of this replica; see `deployments.engine.scaling`. One that was asked since
        the last time is needed, though it may have nothing to do at this moment.
        """
        asked, self._asked = self._asked, False
        busy = self._engine.load.busy if self._engine is not None else 0.0
        return {BUSY: max(busy, NEEDED if asked else 0.0)}

    async def __del__(self) -> None:
        """Serve waits for it before it ends a replica: answers that it does not know of come to their end."""
        if (listener := getattr(self, "_listener", None)) is not None:
            await listener.close()
        if (engine := getattr(self, "_engine", None)) is not None:
            engine.close()


def _free() -> float | None:
    """The machine's free memory in bytes, where it says."""
    place = Path("/proc/meminfo")
    return free_memory(place.read_text(encoding="utf-8")) if place.exists() else None


async def _warm(engine: Engine) -> None:
    """A short answer in each of the ways in which tokens are drawn: some of the engine's code is compiled when it is
    first run, and the first client should not wait for that.
    """
    asked = Query((Message("user", "Hello"),), stream=True)
    for sampling in (Sampling(temperature=0.0), Sampling(temperature=1.0, logprobs=True, top_logprobs=1)):
        async with asyncio.timeout(300):
            async for _ in engine.stream(replace(asked, sampling=replace(sampling, max_tokens=2))):
                continue


def _last_line(error: BaseException) -> str:
    """What went wrong, without the traceback: of a validation's fault its own words."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith("Value error,")), lines[0] if lines else "")
    return told.removeprefix("Value error, ").partition(" [type=")[0] or type(error).__name__
