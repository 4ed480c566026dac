"""At most so many calls at once."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from mixture.errors import ExpertTimeout
from mixture.streams import chunks
from mixture.types import Chunk, Expert, Query
from mixture.wrappers.wrapper import Wrapper


class Limiter:
    """Places for `most` calls, given out in the order of asking.

    Unlike `asyncio.Semaphore` it belongs to no event loop, so that an expert can be used from one loop after another.
    """

    __slots__ = ("_waiting", "free", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.free = most
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    @property
    def load(self) -> float:
        """Calls at work or waiting for each place: 1 when all places are taken and nobody waits."""
        return (self.most - self.free + len(self._waiting)) / self.most

    async def acquire(self, seconds: float | None = None) -> None:
        """Take a place, waiting at most `seconds`. Raises TimeoutError."""
        if self.free > 0:
            self.free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            async with asyncio.timeout(seconds):
                await place
        except BaseException:
            if place.done() and not place.cancelled():
                self.release()  # it was given to us in the moment in which we gave up
            with suppress(ValueError):
                self._waiting.remove(place)
            raise

    def release(self) -> None:
        """Give a place back: to the one who has waited longest, if there is one."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # one that is done was cancelled a moment ago
                place.set_result(None)
                return
        self.free += 1


class Limited(Wrapper):
    """Waits for a place, at most `patience` seconds and never beyond the query's deadline."""

    __slots__ = ("_patience", "limiter")

    def __init__(self, inner: Expert, limiter: Limiter, patience: float) -> None:
        super().__init__(inner)
        self.limiter = limiter
        self._patience = patience

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The answer of `inner`. Raises ExpertTimeout with the code `expert_busy` when no place came free."""
        if self.limiter.free > 0:
            self.limiter.free -= 1
        else:
            await self._wait(query)
        try:
            async with aclosing(chunks(self.inner, query)) as stream:
                async for chunk in stream:
                    yield chunk
        finally:
            self.limiter.release()

    async def _wait(self, query: Query) -> None:
        end, patience = query.limits.deadline, self._patience
        seconds = patience if end is None else min(patience, end - time.time())
        try:
            await self.limiter.acquire(seconds)
        except TimeoutError:
            name = self.card.name
            raise ExpertTimeout(f"{name} has too many calls waiting", code="expert_busy", expert=name) from None
