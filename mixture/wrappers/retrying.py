"""Trying again, and the time for the whole."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from mixture.errors import ExpertTimeout, ExpertUnavailable, RateLimited, ReplicaLost, StreamBroken
from mixture.streams import chunks
from mixture.types import Chunk, Expert, Query
from mixture.wrappers.wrapper import Wrapper

FIRST_PAUSE = 0.25
"""Seconds, at most, before the second attempt; twice as long before each further one."""
LONGEST_PAUSE = 8.0
LONGEST_WISH = 30.0
"""A `Retry-After` beyond this is not waited for: whoever asked can turn to another expert meanwhile."""


class Retrying(Wrapper):
    """Tries again after a failure that may pass: RateLimited, ExpertTimeout, a connection that failed, a 5xx. Pauses
    grow exponentially with full jitter [1]; a `Retry-After` is the least that is waited. Nothing is tried again after
    the first chunk, after a key or an address was refused, or when the pause would outlast the time allowed.

    The attempts below have one deadline in common: `timeout` seconds from now, or the query's own when that is sooner.

    [1] https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    __slots__ = ("_draw", "_retries", "_sleep", "_timeout")

    def __init__(
        self,
        inner: Expert,
        num_retries: int,
        timeout: float,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(inner)
        self._retries = num_retries
        self._timeout = timeout
        self._sleep = sleep
        self._draw = draw

    async def stream(self, query: Query) -> AsyncGenerator[Chunk, None]:
        """The answer of `inner`. After the first chunk every failure is a StreamBroken."""
        query, end = self._limited(query)
        attempt, pause, begun = 0, 0.0, False
        while True:
            try:
                async with aclosing(chunks(self.inner, query)) as stream:
                    async for chunk in stream:
                        begun = True
                        yield chunk
                return
            except ExpertUnavailable as error:
                if begun:
                    raise broken(error, self.card.name) from None
                wait = self._pause(error, attempt, end)
                if wait is None:
                    raise
                pause = wait
            await self._sleep(pause)
            attempt += 1

    def _limited(self, query: Query) -> tuple[Query, float]:
        end, limits = time.time() + self._timeout, query.limits
        if limits.deadline is not None and limits.deadline <= end:
            return query, limits.deadline
        return replace(query, limits=replace(limits, deadline=end)), end

    def _pause(self, error: ExpertUnavailable, attempt: int, end: float) -> float | None:
        """Seconds to wait before the next attempt; None when there is to be none."""
        wish = error.retry_after or 0.0
        if attempt >= self._retries or not passing(error) or wish > LONGEST_WISH:
            return None
        pause = wish + self._draw() * min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**attempt)
        return pause if time.time() + pause < end else None


def passing(error: ExpertUnavailable) -> bool:
    """Whether the same call may succeed a moment later. A code of its own marks what will not change by itself: a
    refused key, an unknown model, an expert that is left alone.
    """
    return (
        type(error) in (ExpertUnavailable, ReplicaLost, ExpertTimeout, RateLimited) and error.code == error.default_code
    )


def broken(error: ExpertUnavailable, name: str) -> StreamBroken:
    """`error` as it looks after the first chunk, when no other expert can take over."""
    if isinstance(error, StreamBroken):
        return error
    return StreamBroken(f"{name} failed in the middle of its answer: {error.message}", expert=error.expert or name)
