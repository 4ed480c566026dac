"""All stream handling, once: collecting chunks, relaying them, coalescing them, and driving a coroutine that emits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from mixture.types import (
    Choice,
    Chunk,
    Completion,
    Delta,
    Emit,
    Event,
    Expert,
    FinishReason,
    Query,
    ToolCall,
    Usage,
)

T = TypeVar("T")


async def ignore(event: Event) -> None:
    """An `Emit` for callers who want only the answer."""


def chunks(expert: Expert, query: Query) -> AsyncGenerator[Chunk, None]:
    """`expert.stream(query)` as a generator that can be closed."""
    return cast(AsyncGenerator[Chunk, None], expert.stream(query))


@dataclass(slots=True)
class _Draft:
    """One choice while it is being written."""

    texts: list[str] = field(default_factory=list)
    calls: dict[int, ToolCall] = field(default_factory=dict)
    finish_reason: FinishReason | None = None
    logprobs: list[Any] = field(default_factory=list)
    annotations: list[Any] = field(default_factory=list)

    def add(self, chunk: Chunk) -> None:
        if chunk.text:
            self.texts.append(chunk.text)
        for call in chunk.tool_calls:
            known = self.calls.get(call.index)
            self.calls[call.index] = (
                call if known is None else replace(known, arguments=known.arguments + call.arguments)
            )
        self.finish_reason = chunk.finish_reason or self.finish_reason
        self.logprobs.extend(chunk.logprobs)
        self.annotations.extend(chunk.annotations)

    def choice(self) -> Choice:
        calls = tuple(self.calls[index] for index in sorted(self.calls))
        reason = self.finish_reason or ("tool_calls" if calls else "stop")
        return Choice("".join(self.texts), calls, reason, tuple(self.logprobs), tuple(self.annotations))


class Collector:
    """Adds chunks up to a completion."""

    __slots__ = ("_drafts", "usage")

    def __init__(self) -> None:
        self._drafts: dict[int, _Draft] = {}
        self.usage: Usage | None = None

    def add(self, chunk: Chunk) -> None:
        """Take in the next chunk."""
        draft = self._drafts.get(chunk.index)
        if draft is None:
            draft = self._drafts[chunk.index] = _Draft()
        draft.add(chunk)
        self.usage = chunk.usage or self.usage

    def completion(self, expert: str) -> Completion:
        """Everything taken in so far, as the answer of `expert`."""
        choices = tuple(self._drafts[index].choice() for index in sorted(self._drafts))
        return Completion(expert, choices or (Choice(),), self.usage or Usage())


async def complete(expert: Expert, query: Query) -> Completion:
    """The whole answer of `expert`; being cancelled closes its stream."""
    collector = Collector()
    async with aclosing(chunks(expert, query)) as stream:
        async for chunk in stream:
            collector.add(chunk)
    return collector.completion(expert.card.name)


async def relay(expert: Expert, query: Query, emit: Emit) -> Completion:
    """The whole answer of `expert`, each chunk emitted as a `Delta` when it comes."""
    if not query.stream:
        return await complete(expert, query)
    collector, name = Collector(), expert.card.name
    async with aclosing(chunks(expert, query)) as stream:
        async for chunk in stream:
            collector.add(chunk)
            await emit(Delta(name, chunk))
    return collector.completion(name)


def as_chunks(completion: Completion) -> list[Chunk]:
    """A finished answer as one chunk a choice: sent whole, since it was not written live."""
    pieces = [
        Chunk(c.text, c.tool_calls, None, c.finish_reason, i, c.logprobs, c.annotations)
        for i, c in enumerate(completion.choices)
    ]
    return [*pieces[:-1], replace(pieces[-1], usage=completion.usage)]


async def present(completion: Completion, query: Query, emit: Emit) -> Completion:
    """Emit a finished answer (a vote's winner, say) and return it."""
    if query.stream:
        for chunk in as_chunks(completion):
            await emit(Delta(completion.expert, chunk))
    return completion


async def drive(run: Callable[[Emit], Awaitable[T]], ended: Callable[[T], Event]) -> AsyncGenerator[Event, None]:
    """Turn a coroutine that emits events into an iterator of them; `ended` makes the last one from its result.

    Closing the iterator cancels the coroutine and waits until it has let go of everything. The queue is bounded, so a
    slow reader slows the writer down and nothing piles up.
    """
    queue: asyncio.Queue[Event | None] = asyncio.Queue(maxsize=64)

    async def work() -> T:
        try:
            return await run(queue.put)
        finally:
            if not _cancelling():
                await queue.put(None)

    task = asyncio.ensure_future(work())
    try:
        while (event := await queue.get()) is not None:
            yield event
        yield ended(await task)
    finally:
        await stopped(task)


async def stopped(task: asyncio.Task[Any]) -> None:
    """Cancel `task` and wait until it has let go of everything, also when one is cancelled again meanwhile: a server
    that ends cancels requests whose clients have left already, and what their calls cost must still be noted.
    """
    cancelled: asyncio.CancelledError | None = None
    task.cancel()
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
            task.cancel()
    if not task.cancelled():
        task.exception()  # whoever stops it does not want to know
    if cancelled is not None:
        raise cancelled


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def coalesce(
    stream: AsyncGenerator[Chunk, None], interval: float = 0.02, beat: float | None = None
) -> AsyncGenerator[list[Chunk], None]:
    """Batches of chunks: the first at once, then whatever came in each `interval` seconds, the tail without waiting.
    With `beat` an empty batch after each `beat` seconds in which nothing came.

    A hop between processes costs about as much for many chunks as for one, so chunks cross it in batches. When the
    reader is slower than the writer, at most `_MOST` chunks are held and the writer waits.
    """
    inbox = _Inbox()
    task = asyncio.ensure_future(inbox.fill(stream))
    try:
        while (batch := await inbox.take(beat)) or not inbox.ended:
            yield batch
            if batch:
                await inbox.settle(interval)
        await task
    finally:
        try:
            await stopped(task)
        finally:
            await stream.aclose()


def joined(batch: Sequence[Chunk]) -> list[Chunk]:
    """The chunks with those put together that go on in the same choice, as long as nothing but text, its log
    probabilities and counts of tokens came before; the last count stands for all.
    """
    made: list[Chunk] = []
    for chunk in batch:
        last = made[-1] if made else None
        if last is None or last.index != chunk.index or not _open(last):
            made.append(chunk)
        else:
            text, logprobs = last.text + chunk.text, last.logprobs + chunk.logprobs
            made[-1] = replace(chunk, text=text, logprobs=logprobs, usage=chunk.usage or last.usage)
    return made


def _open(chunk: Chunk) -> bool:
    return not (chunk.tool_calls or chunk.finish_reason or chunk.annotations)


_MOST = 256


class _Inbox:
    """Chunks that came and were not taken yet."""

    def __init__(self) -> None:
        self._chunks: list[Chunk] = []
        self._came = asyncio.Event()
        self._taken = asyncio.Event()
        self._full = asyncio.Event()
        self.ended = False

    async def fill(self, stream: AsyncIterator[Chunk]) -> None:
        """Take in all of `stream`, waiting while too much lies here."""
        try:
            async for chunk in stream:
                self._chunks.append(chunk)
                self._came.set()
                if len(self._chunks) >= _MOST:
                    self._full.set()
                    self._taken.clear()
                    await self._taken.wait()
        finally:
            self.ended = True
            self._came.set()
            self._full.set()

    async def take(self, seconds: float | None) -> list[Chunk]:
        """What lies here, at least one chunk; empty when the stream has ended, and when nothing comes for `seconds`."""
        if not self.ended and not self._came.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._came.wait()
        batch, self._chunks = self._chunks, []
        self._came.clear()
        if not self.ended:
            self._full.clear()
        self._taken.set()
        return batch

    async def settle(self, interval: float) -> None:
        """Wait `interval` seconds, or until it is full or the stream has ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(interval):
                await self._full.wait()
