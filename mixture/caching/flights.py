"""One run for all who ask the same at the same time: each sees all of it, from its beginning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from mixture.streams import stopped
from mixture.types import Completion, Delta, Emit, Event, Report

AHEAD = 64
"""Events by which the run may be ahead of who reads it fastest, so that nothing piles up for nobody."""

Outcome = tuple[Completion, Report]
Run = Callable[[Emit], Awaitable[Outcome]]


class Flight:
    """A run in progress, and who waits for it. It ends with its last waiter.

    Its events are kept for those who come later. Once they hold more than `most` characters nobody can join any more,
    what all have read is dropped, and the run waits for its slowest reader.
    """

    def __init__(self, run: Run, most: int) -> None:
        self._most = most
        self._size = 0
        self._events: list[Event] = []
        self._dropped = 0
        self._waiters = 0
        self._places: dict[object, int] = {}
        self._changed = asyncio.Event()
        self._read = asyncio.Event()
        self._ending = False
        self.task = asyncio.ensure_future(self._watched(run))

    @property
    def joinable(self) -> bool:
        """Whether one more may wait for it, from the beginning."""
        return not (self._ending or self.task.done() or self._size > self._most)

    @property
    def lasting(self) -> bool:
        """Whether it can still be read from the beginning, by one who knew of it before it was over."""
        return not self._ending and not self._dropped

    async def outcome(self) -> Outcome:
        """The end of the run, without its events. Raises what it raised."""
        async with self._waiting():
            return await asyncio.shield(self.task)

    async def events(self) -> AsyncGenerator[Event | Outcome, None]:
        """All events, those of the past at once, and the outcome the last. Raises what the run raised."""
        async with self._waiting(reads=True) as me:
            while True:
                while (place := self._places[me]) < self._dropped + len(self._events):
                    event = self._events[place - self._dropped]
                    self._places[me] = place + 1
                    self._read.set()
                    yield event
                if self.task.done():
                    yield self.task.result()
                    return
                self._changed.clear()
                await self._changed.wait()

    async def _watched(self, run: Run) -> Outcome:
        try:
            return await run(self._emit)
        finally:
            asyncio.get_running_loop().call_soon(self._changed.set)  # the task is done by then

    async def _emit(self, event: Event) -> None:
        self._events.append(event)
        self._size += len(event.chunk.text) if isinstance(event, Delta) else 0
        self._changed.set()
        while self._ahead():
            self._read.clear()
            await self._read.wait()
        if self._size > self._most:
            passed = min(self._places.values(), default=self._dropped) - self._dropped
            del self._events[:passed]
            self._dropped += passed

    def _ahead(self) -> bool:
        if not self._places:
            return False
        reached = (min if self._size > self._most else max)(self._places.values())
        return self._dropped + len(self._events) - reached > AHEAD

    @asynccontextmanager
    async def _waiting(self, *, reads: bool = False) -> AsyncGenerator[object, None]:
        me = object()
        self._waiters += 1
        if reads:
            self._places[me] = 0
        try:
            yield me
        finally:
            self._waiters -= 1
            self._places.pop(me, None)
            self._read.set()
            if not self._waiters:
                self._ending = True
                await stopped(self.task)
