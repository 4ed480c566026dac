"""The level behind a gateway's own: answers of all gateways, elsewhere. It never holds a request up for long."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from typing import Protocol, TypeVar

logger = logging.getLogger("mixture.cache")

T = TypeVar("T")
PAUSE = 5.0
"""Seconds for which it is not asked after it failed or was late."""

Stored = tuple[float, bytes]
"""When an answer was given, in seconds since the epoch, and its entry as JSON."""


class SharedCache(Protocol):
    """Answers by owner and key."""

    async def get(self, owner: str, key: bytes) -> Stored | None:
        """The answer with this key."""
        ...

    async def put(self, owner: str, key: bytes, stored: Stored) -> None:
        """Keep an answer."""
        ...

    async def clear(self, owner: str) -> int:
        """Forget an owner's answers, here and, before long, in every gateway; returns how many there were here."""
        ...

    async def cleared(self) -> Mapping[str, float]:
        """When each owner's answers were last forgotten, in seconds since the epoch."""
        ...


class Patient:
    """A shared cache that answers in time or not at all: what fails or is late is a miss, and said in the log."""

    def __init__(self, shared: SharedCache, seconds: float) -> None:
        self._shared = shared
        self._seconds = seconds
        self._until = 0.0
        self._writing: set[asyncio.Task[None]] = set()
        self.failures = 0

    async def get(self, owner: str, key: bytes) -> Stored | None:
        """See `SharedCache`."""
        return await self._within(self._shared.get(owner, key), self._seconds)

    def put(self, owner: str, key: bytes, stored: Stored) -> None:
        """See `SharedCache`; nobody waits for it."""

        async def write() -> None:
            await self._within(self._shared.put(owner, key, stored), PAUSE)

        if len(self._writing) < _MOST:
            task = asyncio.ensure_future(write())
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def clear(self, owner: str) -> int:
        """See `SharedCache`. Raises what it raises: who deletes wants to know."""
        async with asyncio.timeout(PAUSE):
            return await self._shared.clear(owner)

    async def cleared(self) -> Mapping[str, float]:
        """See `SharedCache`; nothing where it can't be known."""
        return await self._within(self._shared.cleared(), PAUSE) or {}

    async def _within(self, call: Awaitable[T], seconds: float) -> T | None:
        if time.monotonic() < self._until:
            _abandoned(call)
            return None
        try:
            async with asyncio.timeout(seconds):
                return await call
        except Exception as error:  # a cache of others must not fail a request, whatever goes wrong there
            self._until = time.monotonic() + PAUSE
            self.failures += 1
            words = f"no answer within {seconds * 1e3:g} ms" if isinstance(error, TimeoutError) else repr(error)
            logger.warning("the shared cache is left alone for %g s: %s", PAUSE, words[:200])
            return None


_MOST = 64
"""Answers that may be on their way to the shared cache at once; further ones are kept here only."""


def _abandoned(call: Awaitable[object]) -> None:
    close = getattr(call, "close", None)
    if close is not None:
        close()
