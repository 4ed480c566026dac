"""Mixture as a library: the same experts and strategies as the server, in one process, with no Ray imported."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixture import __version__, assembly
from mixture.config import Config, LiveConfig, load, overlaid, parse
from mixture.description import describe
from mixture.dispatch.bounds import bounded, narrowed, payable
from mixture.dispatch.grounding import Grounding, Retrieval, retrieval
from mixture.dispatch.tool_loops import ToolLoops, staying
from mixture.errors import InvalidQuery, MixtureError
from mixture.estimation import Estimate, estimate
from mixture.experiments import Experiments
from mixture.ledger import NO_LIMITS, Recorder, Ticket, admit, remaining
from mixture.live import renewed, repriced
from mixture.metering import metered
from mixture.models import NO_WISHES, Models, Target, Wishes
from mixture.request import Answer, Request
from mixture.retrieval.host import DocumentHost
from mixture.routing.reloading import follow
from mixture.scope import within_scope
from mixture.trace import Trace
from mixture.types import LOCAL, Caller, Completion, Emit, Event, Message, Panel, Query

if TYPE_CHECKING:
    pass

REPRICED_SECONDS = 10.0
"""Between two looks at what engines compute, where their price follows from it."""

Asked = str | Query | Sequence[Message | Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Failure:
    """An item of a batch that got no answer."""

    error: MixtureError


class Mixture:
    """Experts, the strategies over them, and the names that they go by."""

    def __init__(
        self, config: Config, panel: Panel, ledger: Recorder | None = None, documents: DocumentHost | None = None
    ) -> None:
        self.config = config
        self.documents = documents or assembly.documents(config)
        self._grounding = Grounding(self.documents, config.documents.min_score)
        self.ledger = ledger
        self.panel = panel
        self._loops = ToolLoops()
        self.models = Models(config, panel.experts)
        self.experiments = Experiments(config.aliases)
        self._made = config, {name: expert.card for name, expert in panel.experts.items()}
        self.cache = assembly.make_cache(config, panel, __version__)

    @classmethod
    def from_config(
        cls, source: str | os.PathLike[str] | Mapping[str, Any] | Config | None = None, **hosts: Any
    ) -> Mixture:
        """A mixture from a file, a mapping, a checked configuration, or (None) from what is found on this machine.

        `hosts` replaces parts that run elsewhere (see `mixture.assembly.assemble`). Raises ConfigError.
        """
        if isinstance(source, Config):
            config = source
        elif source is None or isinstance(source, Mapping):
            config = parse(source)
        else:
            config = load(Path(source))
        ledger, parts = assembly.recording(config, **hosts), hosts.get("hosts")
        return cls(*assembly.assemble(config, **hosts), ledger, parts.documents if parts else None)

    async def answer(
        self, asked: Asked, model: str = "auto", wishes: Wishes = NO_WISHES, *, trace: Trace | None = None
    ) -> Answer:
        """The answer to a text, a list of messages or a query.

        `trace` is filled as the request goes on, so that a caller has it when the request fails.
        Raises InvalidQuery, UnknownModel, NoAnswer, BudgetExceeded, DeadlineExceeded and what `mixture.errors` lists.
        """
        return await self.request(asked, model, wishes, trace=trace).answer()

    def stream(
        self, asked: Asked, model: str = "auto", wishes: Wishes = NO_WISHES, *, trace: Trace | None = None
    ) -> AsyncGenerator[Event, None]:
        """The events of an answer as they happen, `Answered` the last. Closing the iterator stops every call.

        Raises at once, before there is an iterator, what can be said without asking an expert: InvalidQuery,
        UnknownModel and BudgetExceeded.
        """
        return self.request(asked, model, wishes, trace=trace, stream=True).events()

    def request(
        self,
        asked: Asked,
        model: str = "auto",
        wishes: Wishes = NO_WISHES,
        *,
        trace: Trace | None = None,
        stream: bool = False,
    ) -> Request:
        """A request that is in order, to be looked up, answered or streamed. Raises as `stream` does."""
        given, trace = as_query(asked), trace or Trace()
        query = _limited(given, wishes)
        if stream:
            query = replace(query, stream=True)
        target, panel = self._begin(query, model, wishes, trace)
        until = (wishes.max_latency_ms, given.limits.deadline)
        exposes = wishes.expose_proposals
        # What admission left of the key's budget is another sum each time, and no wish of the request.
        most = wishes.max_cost_usd if trace.purse is not None else query.limits.max_cost_usd
        wished = replace(wishes, cache=None, max_latency_ms=None, max_cost_usd=most)
        ask = self.cache.ask(query, target.digest, wishes.cache, trace.caller.id, wished, until)
        wanted = retrieval(wishes.retrieval, target.options.retrieval, config=self.config.documents)
        if trace.exposure is not None or self._grounding.draws(wanted, trace.caller):
            ask = None  # experiments compare what making an answer takes; documents may be others by the next request
        work = partial(self._run, target, query, panel, wanted)
        return Request(work, trace, self.cache, ask, request_id=query.request_id, exposes=exposes)

    def moment(self, caller: Caller) -> bytes:
        """What answers to `caller` depend on and what may change while this runs: the same bytes, the same state."""
        return self.cache.epoch + (b"d" if self._grounding.held(caller) else b"")

    async def estimate(
        self, asked: Asked, model: str = "auto", wishes: Wishes = NO_WISHES, *, trace: Trace | None = None
    ) -> Estimate:
        """What would be done for a request, why, and what it is likely to cost; no expert is asked.

        Raises InvalidQuery, UnknownModel, NoAnswer and BudgetExceeded.
        """
        query, trace = _limited(as_query(asked), wishes), trace or Trace()
        target, panel = self._begin(query, model, wishes, trace)
        return await estimate(model, target, query, panel)

    async def admit(self, query: Query, model: str, wishes: Wishes, trace: Trace) -> tuple[Query, Ticket]:
        """Let a request of `trace.caller` in: what it may come to cost is set aside, and `query` comes back with what
        is left of the key's budget as its limit. The ticket is to be closed when the request is over.

        Raises TooManyRequests, BudgetExceeded, UnknownModel, InvalidQuery, and Overloaded when the ledger is gone.
        """
        limits = NO_LIMITS if self.ledger is None else self.ledger.limits(trace.caller.id)
        if self.ledger is None or limits is NO_LIMITS:
            return query, Ticket()
        target = self._target(model, wishes, query, trace)
        query = _limited(query, wishes)
        experts = self.models.able(target, query).values()
        ticket = await admit(self.ledger, limits, query, trace, target.executed, target.options, experts)
        left = None if ticket.purse is None else remaining(ticket.purse)
        return narrowed(query, left, None), ticket

    def unlimited(self, caller: Caller) -> bool:
        """Whether nothing of a caller's requests has to be counted before they begin."""
        return self.ledger is None or self.ledger.limits(caller.id) is NO_LIMITS

    def answer_sync(self, asked: Asked, model: str = "auto", wishes: Wishes = NO_WISHES) -> Answer:
        """`answer` for code that is not asynchronous. Clients are closed at its end."""

        async def once() -> Answer:
            try:
                return await self.answer(asked, model, wishes)
            finally:
                await self.close()

        return asyncio.run(once())

    async def answer_batch(
        self, items: Iterable[Asked], concurrency: int = 8, model: str = "auto", wishes: Wishes = NO_WISHES
    ) -> list[Answer | Failure]:
        """The answers to `items` in their order, at most `concurrency` at once; what fails is a `Failure` there."""
        results: dict[int, Answer | Failure] = {}
        waiting = iter(enumerate(items))

        async def work() -> None:
            for index, item in waiting:
                try:
                    results[index] = await self.answer(item, model, wishes)
                except MixtureError as error:
                    results[index] = Failure(error)

        async with asyncio.TaskGroup() as group:
            for _ in range(max(1, concurrency)):
                group.create_task(work())
        return [results[index] for index in sorted(results)]

    async def follow(self) -> None:
        """Route by each calibration that is written to `router.file` while this runs, and let engines cost what their
        work has shown that they do, until cancelled.
        """
        async with asyncio.TaskGroup() as group:
            if self.config.router.file is not None:
                group.create_task(follow(self.panel.router, self.config.router.file))
            if any(expert.engine and expert.engine.usd_per_gpu_hour for expert in self.config.experts):
                group.create_task(self._reprice())

    async def _reprice(self) -> None:
        while True:
            await asyncio.sleep(REPRICED_SECONDS)
            self.reprice()

    def reprice(self) -> None:
        """Let engines whose price follows from hours of GPUs cost, from the next request on, what their work of late
        shows.
        """
        config, cards = self._made
        if changed := repriced(self.panel, config, cards):
            self._made = config, {**cards, **changed}
            panel = renewed(self.panel, self.config, self._made[1])
            self.panel, self.models = panel, Models(self.config, panel.experts)

    def reconfigure(self, live: LiveConfig) -> None:
        """Answer by what `live` sets from the next request on; a field that it leaves out is again as it was at the
        start. Requests that have begun end as they began. Raises ConfigError, and changes nothing.
        """
        made, cards = self._made
        config = overlaid(made, live)
        panel = renewed(self.panel, config, cards)
        self.config, self.panel, self.models = config, panel, Models(config, panel.experts)
        self.experiments = Experiments(config.aliases)
        self.cache.epoch = assembly.epoch(config, panel, __version__)

    def describe(self, caller: Caller = LOCAL) -> dict[str, Any]:
        """What is configured and available to `caller`: experts, strategies, aliases. Plain data, ready for JSON."""
        return describe(self.config, self.models, self.panel, caller.models)

    async def warm(self) -> None:
        """Start what first answers would wait for. Nothing is asked of an upstream."""
        await assembly.warm(self.panel)

    async def close(self) -> None:
        """Enter what is left into the ledger, and close every expert's client; they open again when they are used."""
        await self.cache.close()
        if self.ledger is not None:
            await self.ledger.close()
        await assembly.close(self.panel)

    def _begin(self, query: Query, model: str, wishes: Wishes, trace: Trace) -> tuple[Target, Panel]:
        target = self._target(model, wishes, query, trace)
        trace.requested, trace.executed, trace.recorder = model, target.executed, self.ledger
        panel = self.models.panel(target, query, self.panel)
        payable(narrowed(query, target.options.max_cost_usd, None), panel.experts.values())
        return target, panel

    def _target(self, model: str, wishes: Wishes, query: Query, trace: Trace) -> Target:
        """What the model stands for, for this caller; in an experiment what its arm stands for."""
        if trace.exposure is None:
            trace.exposure = self.experiments.expose(model, query, trace.caller)
        arm = model if trace.exposure is None else trace.exposure.model
        target = self.models.resolve(arm, wishes)
        if trace.caller.models is not None:
            target = within_scope(target, (model, arm), wishes, trace.caller.models, self.config)
            trace.experts = frozenset(target.experts)
        return target

    async def _run(
        self, target: Target, query: Query, panel: Panel, wanted: Retrieval, trace: Trace, emit: Emit
    ) -> Completion:
        trace.emit, query = emit, replace(query, caller=trace.caller)
        with metered(trace):
            strategy = target.strategy
            holder = None if target.kind == "expert" else self._loops.expert(query)
            if holder is not None and holder in panel.experts:
                strategy, trace.executed = bounded(staying(holder), target.options), "expert"
            completion = await self._grounding.strategy(strategy, wanted)(query, panel, emit)
            self._loops.note(completion)
            return completion


def as_query(asked: Asked) -> Query:
    """A query from a text or from messages in OpenAI's form. Raises InvalidQuery."""
    if isinstance(asked, Query):
        return asked
    if isinstance(asked, str):
        return Query((Message("user", asked),))
    messages = tuple(_message(item, index) for index, item in enumerate(asked))
    if not messages:
        raise InvalidQuery("at least one message is needed", param="messages")
    return Query(messages)


def _message(item: Message | Mapping[str, Any], index: int) -> Message:
    if isinstance(item, Message):
        return item
    role, content = (item.get("role"), item.get("content")) if isinstance(item, Mapping) else (None, None)
    if role not in ("system", "user", "assistant", "tool") or not isinstance(content, str):
        raise InvalidQuery("a message needs a `role` and a `content` of text", param=f"messages[{index}]")
    return Message(role, content)


def _limited(query: Query, wishes: Wishes) -> Query:
    if wishes.quality is not None:
        query = replace(query, limits=replace(query.limits, quality=wishes.quality))
    return narrowed(query, wishes.max_cost_usd, wishes.max_latency_ms)
