"""One request on its way: answered from the cache, from a run in progress, or by a run of its own."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, replace

from mixture.caching import AnswerCache, Ask, Flight, Found
from mixture.caching.entry import spent_before
from mixture.caching.parts import keeping
from mixture.caching.semantic import Match
from mixture.errors import MixtureError
from mixture.streams import as_chunks, drive, ignore
from mixture.trace import Trace
from mixture.types import Answered, Caller, Completion, Delta, Emit, Event, Report

logger = logging.getLogger("mixture.cache")

Work = Callable[[Trace, Emit], Awaitable[Completion]]
"""Runs the strategy that answers the request."""
RECHECK = Caller("cache-recheck", "cache-recheck")
"""Whom the calls are accounted to that check what the cache gave."""
SAID = {"exact": "hit", "flight": "hit", "shared": "shared", "semantic": "semantic"}
"""How a request was answered, in the words of its header."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer and what was done for it."""

    completion: Completion
    report: Report

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.completion.text


class Request:
    """A request that is in order. `ask` None means that it is none for the cache. To be answered or streamed, once."""

    def __init__(
        self,
        work: Work,
        trace: Trace,
        cache: AnswerCache,
        ask: Ask | None,
        *,
        request_id: str | None = None,
        exposes: bool = False,
    ) -> None:
        self._work = work
        self._trace = trace
        self._cache = cache
        self.ask = ask
        self._id = request_id
        self._exposes = exposes
        self._found: Found | None = None
        self._flight: Flight | None = None
        self._looked = False

    async def look_up(self) -> None:
        """Find out whether there is an answer already, or somebody making it: `trace.cache` says so afterwards."""
        if self._looked:
            return
        self._looked = True
        ask, counts = self.ask, self._cache.counts
        if ask is None:
            counts.add(self._trace.caller.id, "exact", "bypass")
            return
        self._found = self._cache.find(ask)
        if self._found is None:
            self._flight = self._cache.flight(ask)
        if self._found is None and self._flight is None:
            self._found = await self._cache.find_elsewhere(ask)
            self._flight = None if self._found is not None else self._cache.flight(ask)
        kind = "flight" if self._flight is not None else None if self._found is None else self._found.kind
        self._trace.cache = "miss" if kind is None else SAID[kind]
        counts.add(ask.owner, kind or "exact", "miss" if kind is None else "hit")
        if kind == "semantic" and ask.match is not None:
            self._given_alike(ask.match, ask.owner)

    async def answer(self) -> Answer:
        """The whole answer. Raises what its run raises."""
        await self.look_up()
        if self._found is not None:
            return Answer(self._found.entry.completion, self._given(self._found))
        if self.ask is None:
            completion = await self._work(self._trace, self._telling(ignore))
            return Answer(completion, self._trace.report(completion))
        flight, own = self._flying(self.ask)
        completion, report = await flight.outcome()
        return Answer(completion, report if own else self._shared(report))

    async def events(self) -> AsyncGenerator[Event, None]:
        """The events as they happen, `Answered` the last. Closing the iterator stops every call that nobody else waits
        for. Raises what its run raises.
        """
        await self.look_up()
        if self._found is not None:
            events = self._replayed(self._found)
        elif self.ask is None:
            events = drive(self._driven, lambda completion: Answered(completion, self._trace.report(completion)))
        else:
            events = self._followed(*self._flying(self.ask))
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def _driven(self, put: Emit) -> Completion:
        return await self._work(self._trace, self._telling(put))

    def _telling(self, put: Emit) -> Emit:
        async def emit(event: Event) -> None:
            self._trace.note(event)
            await put(event)

        return emit

    def _flying(self, ask: Ask) -> tuple[Flight, bool]:
        """The run that answers, and whether it is this request's own."""
        if self._flight is not None and self._flight.lasting:
            return self._flight, False

        async def run(put: Emit) -> tuple[Completion, Report]:
            with keeping(self._cache, ask):
                completion = await self._work(self._trace, self._telling(put))
            report = self._trace.report(completion)
            if report.passages:  # documents may be others by the next request
                return completion, report
            self._cache.keep(ask, completion, report, tuple(self._trace.proposals) if self._exposes else ())
            return completion, report

        return self._cache.fly(ask, run), True

    async def _followed(self, flight: Flight, own: bool) -> AsyncGenerator[Event, None]:
        events = flight.events()
        try:
            async for event in events:
                if isinstance(event, tuple):
                    completion, report = event
                    yield Answered(completion, report if own else self._shared(report))
                else:
                    if not own:
                        self._trace.note(event)
                    yield event
        finally:
            await events.aclose()

    async def _replayed(self, found: Found) -> AsyncGenerator[Event, None]:
        completion = found.entry.completion
        for chunk in as_chunks(completion):
            yield Delta(completion.expert, chunk)
        yield Answered(completion, self._given(found))

    def _given(self, found: Found) -> Report:
        """The report of an answer that was kept."""
        self._take_over(found.entry.report)
        self._trace.proposals.extend(found.entry.proposals)
        return found.report(self._trace.requested, self._trace.elapsed_ms)

    def _shared(self, report: Report) -> Report:
        """The report of an answer that was made for another request at the same time."""
        self._take_over(report)
        shared = spent_before(report, "flight")
        return replace(shared, strategy_requested=self._trace.requested, latency_ms=self._trace.elapsed_ms)

    def _take_over(self, report: Report) -> None:
        trace = self._trace
        trace.executed, trace.route, trace.plan = report.strategy_executed, report.route, report.plan

    def _given_alike(self, match: Match, owner: str) -> None:
        """Let an answer to a similar question be judged: by its caller, and now and then by asking again."""
        semantic = self._cache.semantic
        if semantic is None:
            return
        semantic.served(owner, self._id, match)
        if self._found is not None and semantic.rechecks():
            self._cache.behind(self._checked(match, self._found.entry.completion.text))

    async def _checked(self, match: Match, kept: str) -> None:
        """Answer once more, at nobody's cost, and compare."""
        own = self._trace
        trace = Trace(requested=own.requested, caller=RECHECK, experts=own.experts, recorder=own.recorder)
        try:
            completion = await self._work(trace, ignore)
        except MixtureError as error:
            logger.info("an answer of the cache could not be checked: %s", error.message)
            return
        if self._cache.semantic is not None and completion.degraded is None:
            self._cache.semantic.compared(match, kept, completion.text)
