"""An expert that may have to be started first: waited for with news, or left to others while it starts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from mixture.errors import ExpertStarting
from mixture.metering import adjusted, tell
from mixture.streams import chunks, stopped
from mixture.types import Adjusted, Awaited, Chunk, Expert, Query, Warmup
from mixture.wrappers.wrapper import Wrapper

NEWS_SECONDS = 2.0
"""Between two pieces of news for a client that waits."""


class Sleeper(Protocol):
    """An expert of which there is sometimes none: an engine that is scaled to zero, or between two replicas."""

    @property
    def warmup(self) -> Warmup | None:
        """What it needs before it can answer; None when it runs."""
        ...

    async def ready(self) -> None:
        """Have it started, and return when it runs. Raises ExpertUnavailable when it can't be."""
        ...

    def wake(self) -> None:
        """Have it started, without waiting for it."""
        ...


class Waking(Wrapper):
    """Waits for an expert that has to be started, and tells the client every few seconds. It stands outside all other
    wrappers, so that the time of the start counts as none of the answer's. Where the request may not wait so long, by
    its deadline or by the expert's own limit, the expert is started all the same, and refused for this time:
    ExpertStarting, upon which strategies turn to another one.
    """

    __slots__ = ("_sleeper",)

    def __init__(self, inner: Expert, sleeper: Sleeper) -> None:
        super().__init__(inner)
        self._sleeper = sleeper

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The answer of `inner`. Raises ExpertStarting."""
        warmup = self._sleeper.warmup
        if warmup is not None:
            await self._started(query, warmup)
        async with aclosing(chunks(self.inner, query)) as stream:
            async for chunk in stream:
                yield chunk

    async def _started(self, query: Query, warmup: Warmup) -> None:
        began, deadline = time.monotonic(), query.limits.deadline
        allowed = warmup.limit_s if deadline is None else min(warmup.limit_s, deadline - time.time())
        if warmup.left_s > allowed:
            raise self._refused(warmup, allowed)
        ready = asyncio.ensure_future(self._sleeper.ready())
        try:
            while not ready.done():
                waited = time.monotonic() - began
                now = self._sleeper.warmup or warmup
                if waited >= allowed:
                    raise self._refused(now, allowed)
                await tell(Awaited(self.card.name, now.left_s, waited))
                await asyncio.wait([ready], timeout=min(NEWS_SECONDS, allowed - waited))
            ready.result()
        finally:
            await stopped(ready)
        took = time.monotonic() - began
        adjusted(Adjusted("woken", f"it had to be started first, which took {took:.1f} s", (self.card.name,)))

    def _refused(self, warmup: Warmup, allowed: float) -> ExpertStarting:
        self._sleeper.wake()
        name, left = self.card.name, max(1.0, warmup.left_s)
        message = f"{name} is being started, which takes about {left:.0f} s more; {max(0.0, allowed):.0f} s are allowed"
        return ExpertStarting(message, retry_after=left, expert=name)
