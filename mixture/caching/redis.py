"""The shared level in Redis: one string an answer, which Redis itself forgets when its time is over."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from typing import Any

from mixture.caching.shared import Stored

PREFIX = b"mixture:cache:"
CLEARED = b"mixture:cache-cleared"
"""A hash: when each owner's answers were forgotten."""
_TIME = struct.Struct("<d")
BATCH = 500


class RedisCache:
    """See `mixture.caching.shared.SharedCache`. It connects when it is first asked."""

    def __init__(self, url: str, ttl: float) -> None:
        self._url, self._ttl = url, ttl
        self._opened: Any = None

    async def get(self, owner: str, key: bytes) -> Stored | None:
        """See `SharedCache`."""
        data = await self._client.get(_name(owner, key))
        return None if data is None or len(data) < _TIME.size else (_TIME.unpack_from(data)[0], data[_TIME.size :])

    async def put(self, owner: str, key: bytes, stored: Stored) -> None:
        """See `SharedCache`."""
        created, data = stored
        left = self._ttl - (time.time() - created)
        if left > 0:
            await self._client.set(_name(owner, key), _TIME.pack(created) + data, px=max(1, int(left * 1e3)))

    async def clear(self, owner: str) -> int:
        """See `SharedCache`."""
        await self._client.hset(CLEARED, owner, repr(time.time()))
        names = [name async for name in self._client.scan_iter(match=_name(owner, b"") + b"*", count=BATCH)]
        for start in range(0, len(names), BATCH):
            await self._client.unlink(*names[start : start + BATCH])
        return len(names)

    async def cleared(self) -> Mapping[str, float]:
        """See `SharedCache`."""
        found = await self._client.hgetall(CLEARED)
        return {owner.decode(): float(when) for owner, when in found.items()}

    async def close(self) -> None:
        """Close its connections."""
        if self._opened is not None:
            await self._opened.aclose()
            self._opened = None

    @property
    def _client(self) -> Any:
        if self._opened is None:
            from redis.asyncio import Redis  # only those who use it load it

            self._opened = Redis.from_url(self._url)
        return self._opened


def _name(owner: str, key: bytes) -> bytes:
    return PREFIX + owner.encode() + b":" + key.hex().encode()
