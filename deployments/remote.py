"""The core's protocols over deployment handles: what runs in another process, called as if it were here.

Rules that were tried out on Ray (the first two are easy to get wrong and silent when they are):
- leaving a response generator does not stop the replica, `response.cancel()` does;
- `handle.options(stream=True)` is made once, not for each call;
- whatever Ray raises becomes an error of ours here, so that wrappers and strategies know one error tree.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from deployments.calls import HANGING, called, is_ours
from deployments.documents import RemoteDocuments, RemoteEmbedder, RemoteRetriever
from deployments.engine.direct import CHOOSERS, OPEN, Attendance, Direct, Lines, until_told
from deployments.engine.starts import Starts
from deployments.heartbeat import Heartbeat, heard
from deployments.loads import Reports
from deployments.shared import RemoteCache
from mixture.assembly import Hosts
from mixture.config import ExperimentConfig
from mixture.counters import Sums
from mixture.errors import ExpertUnavailable, MixtureError, ReplicaBroke, ReplicaLost
from mixture.experiments import Mirrored, Status
from mixture.feedback import Note, Receipt, Remembered
from mixture.ledger.reports import Answered, Told
from mixture.providers.vllm import UnhostedEngine
from mixture.routing.calibration import Calibration
from mixture.streams import stopped
from mixture.types import (
    Chunk,
    Completion,
    EngineLoad,
    Expert,
    ExpertCard,
    Loads,
    Plan,
    Query,
    Route,
    Verdict,
    Warmup,
    Weights,
    Writer,
)

logger = logging.getLogger("mixture.remote")

PATIENCE = 1.0
"""Seconds that a hosted decomposer has, which takes a millisecond or two; then its caller's own rules decide."""

_PICKLED: Mapping[str, str] = {"request_serialization": "pickle", "response_serialization": "pickle"}
"""For what is asked often: queries and chunks need nothing that only `cloudpickle`, Serve's default, can write."""

Handle = Any
"""A `ray.serve.handle.DeploymentHandle` (its own types say nothing about the methods behind it)."""


class RemoteExpert:
    """An expert behind a handle to `deployments.expert.HostedExpert`."""

    def __init__(self, card: ExpertCard, handle: Handle, heartbeat_timeout: float, *more: str) -> None:
        """`heartbeat_timeout` is in seconds; `more` is passed on with each query."""
        self.card = card
        self._silence = heartbeat_timeout
        self._more = more
        self._call = handle.options(stream=True, method_name="stream", **_PICKLED)

    def _told(self, load: EngineLoad) -> None:
        """What an engine says of itself among the chunks."""

    def _carried(self, query: Query) -> Any:
        """The batches of an answer that Serve carries, which can be cancelled."""
        return self._call.remote(query, *self._more)

    def _asked(self, query: Query) -> Any:
        """The batches of an answer, however they come."""
        return self._carried(query)

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """See `mixture.types.Expert`. A replica that dies is ReplicaLost before the first chunk, ReplicaBroke
        after it. One that falls silent before it is left, and another asked: calls may also wait until there is one.
        """
        begun, heart = False, Heartbeat()
        response = self._asked(query)
        try:
            while True:
                try:
                    batch = await heard(response, heart, self._silence)
                except TimeoutError:
                    logger.warning("nothing was heard of expert %s for %g s", self.card.name, self._silence)
                    if begun:
                        raise
                    response.cancel()
                    response, heart = self._carried(query), Heartbeat()
                    continue
                if batch is None:
                    return
                if isinstance(batch, MixtureError):
                    raise batch
                for chunk in batch:
                    if isinstance(chunk, EngineLoad):
                        self._told(chunk)
                        continue
                    begun = True
                    yield chunk
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, MixtureError) or is_ours(error):
                raise
            logger.warning("the host of expert %s failed: %s", self.card.name, type(error).__name__)
            kind = ReplicaBroke if begun else ReplicaLost
            raise kind(f"the process of expert {self.card.name!r} failed", expert=self.card.name) from None
        finally:
            response.cancel()


class RemoteEngine(RemoteExpert):
    """An engine, or an `adapter` of it, behind a handle to `deployments.engine.host.HostedEngine`; see
    `mixture.wrappers.Sleeper`.
    """

    def __init__(
        self,
        card: ExpertCard,
        handle: Handle,
        heartbeat_timeout: float,
        reports: Reports,
        starts: Starts,
        adapter: str | None = None,
    ) -> None:
        super().__init__(card, handle, heartbeat_timeout, *(() if adapter is None else (adapter,)))
        self._reports = reports
        self._starts = starts
        self._ready = handle.options(method_name="ready")
        self._attend = handle.options(method_name="attend", **_PICKLED)
        self._deployment = handle.deployment_name
        self._lines = Lines()
        self._attended: set[asyncio.Task[None]] = set()
        self._waking: asyncio.Task[None] | None = None

    @property
    def engine(self) -> EngineLoad | None:
        """What its replicas reported lately."""
        return self._reports.engine()

    @property
    def warmup(self) -> Warmup | None:
        """What it needs before it can answer; None when a replica runs."""
        return self._starts.warmup

    async def ready(self) -> None:
        """Wait for a replica that runs, which Serve starts because it is asked for."""
        began = self._starts.begin()
        self._starts.reported(await called(f"engine of {self.card.name}", self._ready.remote(), ExpertUnavailable))
        self._starts.end(began)

    def wake(self) -> None:
        """Have a replica started, without waiting for it."""
        if self._waking is None or self._waking.done():
            self._waking = asyncio.create_task(self._woken())

    async def _woken(self) -> None:
        with suppress(ExpertUnavailable):  # it was logged, and the next request will see for itself
            await self.ready()

    def _asked(self, query: Query) -> Any:
        chooser = CHOOSERS.get(self._deployment)
        place = chooser.pick((query, *self._more)) if chooser is not None else None
        if place is None or not self._lines.usable(place):
            return self._carried(query)
        adapter = self._more[0] if self._more else None
        return Direct(self._lines, place, (query, adapter), self._tell, partial(self._carried, query))

    def _tell(self, attendance: Attendance) -> None:
        task = asyncio.ensure_future(until_told(self._attend.remote(attendance)))
        self._attended.add(task)
        task.add_done_callback(self._attended.discard)

    async def close(self) -> None:
        """Wait no longer for what was woken."""
        self._lines.close()
        if self._waking is not None:
            await stopped(self._waking)

    def _told(self, load: EngineLoad) -> None:
        self._reports.note(load)
        self._starts.reported(load.start_s)


class RemoteRouter:
    """A router behind a handle to `deployments.router.HostedRouter`."""

    def __init__(self, handle: Handle) -> None:
        self._call = handle.options(method_name="route")

    async def route(self, query: Query, cards: Sequence[ExpertCard], loads: Loads | None = None) -> Route:
        """See `mixture.types.Router`."""
        route: Route = await called("router", self._call.remote(query, cards, loads), within=HANGING)
        return route


class RemoteDecomposer:
    """A decomposer behind a handle to `deployments.decomposer.HostedDecomposer`."""

    def __init__(self, handle: Handle) -> None:
        self._call = handle.options(method_name="decompose")

    async def decompose(self, query: Query) -> Plan:
        """See `mixture.types.Decomposer`. Raises Overloaded when it takes longer than `PATIENCE`: rules are at hand."""
        plan: Plan = await called("decomposer", self._call.remote(query), within=PATIENCE)
        return plan


class RemoteAggregator:
    """An aggregator behind a handle to `deployments.aggregator.HostedAggregator`."""

    def __init__(self, handle: Handle) -> None:
        self._call = handle.options(method_name="aggregate")
        self._supports = handle.options(method_name="supports")

    async def aggregate(
        self,
        query: Query,
        proposals: Sequence[Completion],
        weights: Weights = None,
        writer: Writer | None = None,
        *,
        pending: Sequence[str] = (),
    ) -> Verdict:
        """See `mixture.types.Aggregator`."""
        call = self._call.remote(query, proposals, weights, writer, pending=pending)
        verdict: Verdict = await called("aggregator", call, within=HANGING)
        return verdict

    async def supports(self, query: Query, proposals: Sequence[Completion]) -> Sequence[float | None]:
        """See `mixture.types.Aggregator`."""
        call = self._supports.remote(query, proposals)
        found: Sequence[float | None] = await called("aggregator", call, within=HANGING)
        return found


class RemoteFeedback:
    """The feedback desk behind a handle to `actors.feedback.FeedbackActor`."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def remember(self, requests: Sequence[Remembered]) -> None:
        """See `mixture.feedback.FeedbackHost`."""
        await called("feedback desk", self._handle.remember.remote(list(requests)), within=HANGING)

    async def mirrored(self, what: Mirrored) -> None:
        """See `mixture.feedback.FeedbackHost`."""
        await called("feedback desk", self._handle.mirrored.remote(what), within=HANGING)

    async def experiments(self, configs: Mapping[str, ExperimentConfig]) -> Sequence[Status]:
        """See `mixture.feedback.FeedbackHost`."""
        call = self._handle.experiments.remote(dict(configs))
        found: Sequence[Status] = await called("feedback desk", call, within=HANGING)
        return found

    async def give(self, note: Note) -> Receipt:
        """See `mixture.feedback.FeedbackHost`."""
        receipt: Receipt = await called("feedback desk", self._handle.give.remote(note), within=HANGING)
        return receipt

    async def newer(self, version: str | None) -> Calibration | None:
        """See `mixture.feedback.FeedbackHost`."""
        found: Calibration | None = await called("feedback desk", self._handle.newer.remote(version), within=HANGING)
        return found

    async def facts(self) -> dict[str, Any]:
        """See `mixture.feedback.FeedbackHost`."""
        found: dict[str, Any] = await called("feedback desk", self._handle.facts.remote(), within=HANGING)
        return found


class RemoteLedger:
    """The ledger behind a handle to `actors.ledger.LedgerActor`."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def report(self, told: Told) -> Answered:
        """See `mixture.ledger.LedgerHost`."""
        answer: Answered = await called("ledger", self._handle.report.remote(told), within=HANGING)
        return answer

    async def usage(
        self, caller: str | None, by: Sequence[str], since: str | None, until: str | None
    ) -> list[dict[str, Any]]:
        """See `mixture.ledger.LedgerHost`."""
        call = self._handle.usage.remote(caller, list(by), since, until)
        rows: list[dict[str, Any]] = await called("ledger", call, within=HANGING)
        return rows

    async def tell(self, who: str, sums: Sums) -> Sums:
        """See `mixture.ledger.LedgerHost`."""
        total: Sums = await called("ledger", self._handle.tell.remote(who, sums), within=HANGING)
        return total


@dataclass(frozen=True, slots=True)
class Hosted:
    """What runs in deployments of its own, as `deployments.app` binds it: picklable, handed to the gateway."""

    cards: Mapping[str, ExpertCard] = field(default_factory=dict)
    """The card of every hosted expert."""
    experts: Mapping[str, Handle] = field(default_factory=dict)
    adapters: Mapping[str, str] = field(default_factory=dict)
    """Of adapters, which have no deployment of their own, the expert in whose deployment they are computed."""
    unplaced: Mapping[str, str] = field(default_factory=dict)
    """Experts that this cluster has no place for, and why."""
    warmup_limits: Mapping[str, float] = field(default_factory=dict)
    """The engines among the experts, and how many seconds requests wait for each to start."""
    heartbeat_timeouts: Mapping[str, float] = field(default_factory=dict)
    """After how many seconds of silence the process of each expert is taken to be gone."""
    quoted: bool = False
    """Whether an expert quotes the documents that are read at each start."""
    parts: Mapping[str, Handle] = field(default_factory=dict)
    """`retrieval`, `ledger`, and of `router`, `decomposer`, `aggregator` those that are hosted."""

    @property
    def embedder(self) -> RemoteEmbedder:
        """The embedder that all processes share."""
        return RemoteEmbedder(self.parts["retrieval"])

    @property
    def cache(self) -> RemoteCache | None:
        """The answers that gateways share, where they do so in a process of the cluster."""
        handle = self.parts.get("cache")
        return None if handle is None else RemoteCache(handle)

    @property
    def feedback(self) -> RemoteFeedback | None:
        """The feedback desk, where there is one."""
        handle = self.parts.get("feedback")
        return None if handle is None else RemoteFeedback(handle)

    @property
    def ledger(self) -> RemoteLedger | None:
        """The one ledger."""
        handle = self.parts.get("ledger")
        return None if handle is None else RemoteLedger(handle)

    def warm(self) -> None:
        """Have the embedder's model loaded now, and the documents read that experts quote, without waiting for it."""
        self.parts["retrieval"].warm.remote(self.quoted)

    def hosts(self) -> Hosts:
        """The twins, for `mixture.assembly.assemble`."""
        twins = {"router": RemoteRouter, "decomposer": RemoteDecomposer, "aggregator": RemoteAggregator}
        parts: dict[str, Any] = {name: twin(self.parts[name]) for name, twin in twins.items() if name in self.parts}
        experts = self._experts()
        experts |= {name: UnhostedEngine(self.cards[name], why) for name, why in self.unplaced.items()}
        retriever = RemoteRetriever(self.parts["retrieval"])
        documents = RemoteDocuments(self.parts["retrieval"])
        return Hosts(
            experts=experts,
            retriever=retriever,
            embedder=self.embedder,
            ledger=self.ledger,
            documents=documents,
            **parts,
        )

    def _experts(self) -> dict[str, Expert]:
        made: dict[str, Expert] = {}
        for name, handle in self.experts.items():
            limit = self.warmup_limits.get(name)
            if limit is None:
                made[name] = RemoteExpert(self.cards[name], handle, self.heartbeat_timeouts[name])
                continue
            reports, starts = Reports(OPEN), Starts(handle.deployment_name, limit)
            named = {name: None} | {adapter: adapter for adapter, base in self.adapters.items() if base == name}
            for own, adapter in named.items():
                silence = self.heartbeat_timeouts[own]
                made[own] = RemoteEngine(self.cards[own], handle, silence, reports, starts, adapter)
        return made
