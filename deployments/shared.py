"""The answers that gateways share, in a process of the cluster, called as if they were here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from mixture.caching.shared import Stored


class RemoteCache:
    """A `mixture.caching.shared.SharedCache` behind a handle to `actors.cache.CacheActor`. What fails is raised as it
    comes: whoever asks takes any failure for a miss.
    """

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def get(self, owner: str, key: bytes) -> Stored | None:
        """See `SharedCache`."""
        found: Stored | None = await _called(self._handle.get.remote(owner, key))
        return found

    async def put(self, owner: str, key: bytes, stored: Stored) -> None:
        """See `SharedCache`."""
        await _called(self._handle.put.remote(owner, key, stored))

    async def clear(self, owner: str) -> int:
        """See `SharedCache`."""
        cleared: int = await _called(self._handle.clear.remote(owner))
        return cleared

    async def cleared(self) -> Mapping[str, float]:
        """See `SharedCache`."""
        found: Mapping[str, float] = await _called(self._handle.cleared.remote())
        return found


async def _called(call: Any) -> Any:
    """The result of a call. Ray raises CancelledError also when it is the replica that is shutting down, which must not
    look like our own.
    """
    try:
        return await call
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling() > 0:
            call.cancel()
            raise
        raise ConnectionError("the process of the shared cache is going away") from None
