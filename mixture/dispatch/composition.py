"""One answer written out of proposals, its tokens passed on as they come, its sentences traced back to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from mixture.aggregation.provenance import Support, support_notes, supports
from mixture.dispatch.gathering import MARGIN
from mixture.dispatch.outcomes import Failure, healable, no_answer, reason, told
from mixture.dispatch.spare import Played, replaced
from mixture.dispatch.verdicts import written_by
from mixture.errors import ExpertTimeout, MixtureError, StreamBroken
from mixture.streams import relay
from mixture.types import (
    Aggregation,
    Chunk,
    Completion,
    Delta,
    Embedder,
    Emit,
    Event,
    Expert,
    Panel,
    Query,
    Source,
    Verdict,
)

WRITERS = 3
"""Experts that are asked in turn to write, as long as nothing has been sent."""
SECONDS = 0.5
"""For finding by meaning what supports the sentences; what words alone say counts when it takes longer."""


async def composed(
    names: Sequence[str],
    proposals: Sequence[Completion],
    method: Literal["synthesis", "fusion"],
    query: Query,
    panel: Panel,
    emit: Emit,
) -> Played[Completion]:
    """The answer that the first of `names` that can writes out of `proposals`.

    Raises NoAnswer when nobody wrote, BudgetExceeded when all were too dear, StreamBroken when one failed after its
    first token, InvalidQuery when the request is at fault.
    """
    failures: list[Failure] = []
    for name in names[:WRITERS]:
        verdict = await written_by(name, query, proposals, panel, method)
        held = _Held(emit)
        try:
            completion = told(await _in_time(panel.experts[name], verdict.query or query, held))
        except MixtureError as error:
            if held.sent:
                raise _broken(error, name) from None
            if not healable(error):
                raise
            failures.append((name, error))
            continue
        completion = await _traced(completion, proposals, verdict, method, panel)
        await held.close(completion.choices[0].annotations)
        return replaced("writer", Played(name, completion, tuple(failures)))
    raise no_answer(failures, panel)


async def _in_time(expert: Expert, query: Query, held: _Held) -> Completion:
    """What `expert` writes, when it begins before the deadline. Raises ExpertTimeout when it does not: there is still
    time then to give one of the proposals.
    """
    end = query.limits.deadline
    seconds = None if end is None else max(0.0, end - time.time()) * (1 - MARGIN)
    try:
        async with asyncio.timeout(seconds) as clock:
            held.begun = lambda: clock.reschedule(None)
            return await relay(expert, query, held)
    except TimeoutError:
        raise ExpertTimeout("it had not begun when the time was nearly over", expert=expert.card.name) from None


class _Held:
    """An `Emit` that keeps back what carries no text, so that the end goes out with the annotations of the whole."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._last: Delta | None = None
        self.begun: Callable[[], None] = lambda: None
        """Called at the first token."""
        self.sent = False

    async def __call__(self, event: Event) -> None:
        if not isinstance(event, Delta):
            return await self._emit(event)
        chunk = event.chunk
        if chunk.finish_reason is not None or chunk.usage is not None:
            self._last = Delta(event.expert, _joined(self._last, chunk))
            chunk = replace(chunk, finish_reason=None, usage=None, annotations=())
        if chunk.text or chunk.tool_calls or chunk.logprobs:
            if not self.sent:
                self.begun()
            self.sent = True
            await self._emit(Delta(event.expert, chunk))
        return None

    async def close(self, annotations: tuple[Any, ...]) -> None:
        """Send the end. Without a stream there is none."""
        if self._last is not None:
            await self._emit(replace(self._last, chunk=replace(self._last.chunk, annotations=annotations)))


def _joined(last: Delta | None, chunk: Chunk) -> Chunk:
    """The end of a stream, whose parts may come in several chunks, without any text."""
    before = last.chunk if last else Chunk()
    return Chunk(usage=chunk.usage or before.usage, finish_reason=chunk.finish_reason or before.finish_reason)


async def _traced(
    completion: Completion, proposals: Sequence[Completion], verdict: Verdict, method: str, panel: Panel
) -> Completion:
    """`completion` with which proposals support its sentences. JSON has none: it is left as it is."""
    shown = [proposals[index] for index in verdict.order]
    found: list[Support] = []
    if verdict.query is not None and not verdict.query.needs & {"json"}:
        found = await _supported(completion.text, [proposal.text for proposal in shown], panel.embedder)
    counts = [sum(number in one.proposals for one in found) for number in range(1, len(shown) + 1)]
    made = Aggregation(
        method,
        completion.expert,
        sources=tuple(Source(number, proposal.expert, counts[number - 1]) for number, proposal in enumerate(shown, 1)),
        supported=sum(bool(one.proposals) for one in found) / len(found) if found else None,
    )
    first = completion.choices[0]
    choice = replace(first, annotations=(*first.annotations, *support_notes(found)))
    return replace(completion, choices=(choice, *completion.choices[1:]), aggregation=made, degraded=verdict.degraded)


async def _supported(answer: str, texts: Sequence[str], embedder: Embedder | None) -> list[Support]:
    if embedder is not None:
        try:
            async with asyncio.timeout(SECONDS):
                return await supports(answer, texts, embedder)
        except (TimeoutError, MixtureError):
            return await supports(answer, texts)
    return await supports(answer, texts)


def _broken(error: MixtureError, name: str) -> StreamBroken:
    return error if isinstance(error, StreamBroken) else StreamBroken(reason(error), expert=name)
