"""Several experts at once, each with a proposal of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from mixture.dispatch.gathering import LATE, Proposals, Terms, rejected
from mixture.dispatch.order import suited, working_first
from mixture.dispatch.outcomes import reason
from mixture.dispatch.samples import Sample, sampled
from mixture.dispatch.shares import shares
from mixture.envelope import left
from mixture.errors import BudgetExceeded, Declined, ExpertTimeout, MixtureError
from mixture.estimates import bound_cost, cost_of, expected_usage
from mixture.types import Adjusted, Completion, Emit, Panel, Proposed, Query

__all__ = ["Proposals", "Terms", "members", "propose", "spread"]


def members(panel: Panel, query: Query, listed: Sequence[str] | None) -> list[str]:
    """The experts of an ensemble, working ones first: those that are `listed`, else all that suit the query.

    A persona and the expert that it is would say the same twice, so personas stay away unless they are listed or there
    are not two experts without them.
    """
    if listed:
        return working_first([name for name in listed if name in panel.experts], panel, query)
    names = suited(panel, query)
    distinct = [name for name in names if _base(panel, name) not in names]
    return working_first(distinct if len(distinct) > 1 else names, panel, query)


def _base(panel: Panel, name: str) -> str | None:
    base = getattr(panel.experts[name], "base", None)
    return None if base is None else base.card.name


def spread(names: Sequence[str], n: int | None) -> list[str]:
    """Who writes each of `n` proposals: everyone once, then everyone again; everyone once when `n` is None."""
    return [names[i % len(names)] for i in range(n or len(names))] if names else []


NO_TERMS = Terms()


async def propose(
    names: Sequence[str],
    query: Query,
    panel: Panel,
    emit: Emit,
    asks: Sequence[Query] | None = None,
    terms: Terms = NO_TERMS,
) -> Proposals:
    """A proposal from each of `names` (one who stands there twice writes two), told as they finish. `asks` holds the
    query for each where they differ.

    An answer that is empty or does not count (see `mixture.dispatch.validation`) is a failure. Who declines is not told
    of: it was no proposal. Calls that `terms` end early are cancelled, and what they had produced is metered. Raises
    NoAnswer when fewer come than `terms` demand and that is to be an error.
    """
    gathering = _Gathering(query, panel, emit, terms)
    await gathering.ask(names, asks or [query] * len(names))
    if terms.on_partial == "retry":
        await gathering.retry()
    if terms.on_partial == "reject" and len(gathering.done) < terms.least:
        raise rejected(gathering.came(), terms.least)
    return gathering.came()


class _Gathering:
    """Proposals while they come in. Each has a place, in the order of asking."""

    def __init__(self, query: Query, panel: Panel, emit: Emit, terms: Terms) -> None:
        self._query, self._panel, self._emit, self._terms = query, panel, emit, terms
        self._names: list[str] = []
        self._asks: list[Query] = []
        self._settled: set[int] = set()
        self._ended: str | None = None
        self._failed: list[tuple[int, MixtureError]] = []
        self._cancelled: list[str] = []
        self.done: dict[int, Completion] = {}

    async def ask(self, names: Sequence[str], asks: Sequence[Query]) -> None:
        """Ask all of `names` at once, until they are done or the terms say that it is enough."""
        async with asyncio.TaskGroup() as group:
            waiting = {group.create_task(self._one(call)): call for call in self._calls(names, asks)}
            while waiting:
                ended, _ = await asyncio.wait(waiting, timeout=self._seconds(), return_when=asyncio.FIRST_COMPLETED)
                came = [place for task in ended for place in waiting.pop(task).places]
                if not ended:
                    await self._late(waiting)
                elif waiting and self._ended is None and any(place in self.done for place in came):
                    await self._enough(waiting)

    async def retry(self) -> None:
        """Ask spare experts, and then those that failed once more, for what is lacking."""
        spares = [name for name in self._terms.spares if name not in self._names]
        final = (Declined, BudgetExceeded)
        again = [self._names[place] for place, error in self._failed if not isinstance(error, final)]
        for pool in (spares, again):
            asks = [self._asks[place] for place, _ in self._failed]
            lacking = min(self._terms.least - len(self.done), len(asks))
            if lacking > 0 and pool and self._ended is None:
                why = f"{lacking} of {self._terms.least} needed proposals are lacking"
                await self._emit(Adjusted("retried", why, tuple(pool[:lacking])))
                await self.ask(pool[:lacking], asks)

    def came(self) -> Proposals:
        """What came so far, the completions of the cheaper experts first."""
        usage, experts = expected_usage(self._query), self._panel.experts
        cheap = sorted(self.done, key=lambda place: (cost_of(experts[self._names[place]].card, usage), place))
        failures = [(self._names[place], error) for place, error in self._failed]
        return Proposals([self.done[place] for place in cheap], failures, list(self._cancelled))

    def _calls(self, names: Sequence[str], asks: Sequence[Query]) -> list[Sample]:
        """The calls for `names`, each with its share of what may be spent. Where a call may be stopped its answer is
        streamed, so that what it had produced by then is known.
        """
        first = len(self._names)
        self._names += names
        self._asks += asks[: len(names)]
        stream = self._terms.stop is not None or self._terms.until is not None
        calls = sampled(names, self._query, asks, self._panel)
        costs = [bound_cost(self._panel.experts[call.expert].card, call.query) for call in calls]
        made = []
        for call, most in zip(calls, shares(costs, left() - self._terms.keep), strict=True):
            limits = call.query.limits if most is None else replace(call.query.limits, max_cost_usd=most)
            places = tuple(first + place for place in call.places)
            made.append(replace(call, places=places, query=replace(call.query, stream=stream, limits=limits)))
        return made

    async def _one(self, call: Sample) -> None:
        try:
            completions = await call.drawn(self._panel)
        except MixtureError as error:
            completions = [error] * len(call.places)
        self._settled.update(call.places)
        for place, came in zip(call.places, completions, strict=True):
            if isinstance(came, Completion):
                self.done[place] = came
                await self._emit(Proposed(call.expert, came))
            else:
                await self._failure(place, came)

    async def _failure(self, place: int, error: MixtureError) -> None:
        self._failed.append((place, error))
        if not isinstance(error, Declined):
            await self._emit(Proposed(self._names[place], error=reason(error)))

    def _seconds(self) -> float | None:
        """Seconds until the answer goes on with what came; None while nothing came: there is nothing to go on with."""
        if self._terms.until is None or self._ended is not None or not self.done:
            return None
        return max(0.0, self._terms.until - time.time())

    async def _late(self, waiting: dict[asyncio.Task[None], Sample]) -> None:
        self._ended = "the time for proposals was over"
        for place in await self._stop(waiting):
            message = "it was not done when the time for proposals was over"
            await self._failure(place, ExpertTimeout(message, code=LATE, expert=self._names[place]))

    async def _enough(self, waiting: dict[asyncio.Task[None], Sample]) -> None:
        """Stop what is under way when the terms are met without it."""
        if self._terms.stop is None or len(self.done) < self._terms.least:
            return
        pending = [self._names[place] for place in self._pending(waiting)]
        self._ended = await self._terms.stop(self.came(), pending)
        if self._ended is not None:
            self._cancelled += [self._names[place] for place in await self._stop(waiting)]

    def _pending(self, waiting: dict[asyncio.Task[None], Sample]) -> list[int]:
        """The places for which an answer may still come; not those of a call that is only being told of."""
        return sorted(place for call in waiting.values() for place in call.places if place not in self._settled)

    async def _stop(self, waiting: dict[asyncio.Task[None], Sample]) -> list[int]:
        """Cancel what is under way, and tell; the places that stay empty."""
        places = self._pending(waiting)
        for task, call in list(waiting.items()):
            if call.places[0] in places:
                task.cancel()
                del waiting[task]
        if places:
            names = tuple(self._names[place] for place in places)
            await self._emit(Adjusted("cancelled", self._ended or "", names))
        return places
