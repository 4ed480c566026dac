"""What an expert writes out of material, passed on as it is written; its end goes out with what supports it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mixture.aggregation.provenance import Support, supports
from mixture.dispatch.gathering import MARGIN
from mixture.errors import ExpertTimeout, MixtureError
from mixture.streams import relay
from mixture.types import Chunk, Completion, Delta, Embedder, Emit, Event, Expert, Query

SLACK = 0.1
"""Seconds, at least, that are kept before the deadline for giving something else."""
SECONDS = 0.5
"""For finding by meaning what supports the sentences; what words alone say counts when it takes longer."""


async def in_time(expert: Expert, query: Query, held: Held) -> Completion:
    """What `expert` writes, when it begins before the deadline. Raises ExpertTimeout when it does not: there is still
    time then to give one of the proposals.
    """
    end = query.limits.deadline
    rest = None if end is None else max(0.0, end - time.time())
    seconds = None if rest is None else rest - max(MARGIN * rest, min(SLACK, rest))
    try:
        async with asyncio.timeout(seconds) as clock:
            held.begun = lambda: clock.reschedule(None)
            return await relay(expert, query, held)
    except TimeoutError:
        raise ExpertTimeout("it had not begun when the time was nearly over", expert=expert.card.name) from None


class Held:
    """An `Emit` that keeps back what carries no text, so that the end goes out with the annotations of the whole."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._last: Delta | None = None
        self.begun: Callable[[], None] = lambda: None
        """Called at the first token."""
        self.sent = False

    async def __call__(self, event: Event) -> None:
        """Pass on what there is to read."""
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


async def supported(answer: str, texts: Sequence[str], embedder: Embedder | None) -> list[Support]:
    """The sentences of `answer` with the numbers of those of `texts` that support them."""
    if embedder is not None:
        try:
            async with asyncio.timeout(SECONDS):
                return await supports(answer, texts, embedder)
        except (TimeoutError, MixtureError):
            return await supports(answer, texts)
    return await supports(answer, texts)
