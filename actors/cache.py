"""The answers that all gateways share, in one process of this cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from mixture.caching.shared import Stored
from mixture.caching.store import Store
from mixture.config import CacheConfig
from mixture.logs import write_log


class CacheActor:
    """A plain class, to be made an actor where it is started, once."""

    def __init__(self, config: CacheConfig) -> None:
        write_log("cache", os.environ)
        self._store = Store(config.max_bytes, config.key_share, config.ttl)
        self._cleared: dict[str, float] = {}

    async def get(self, owner: str, key: bytes) -> Stored | None:
        """See `mixture.caching.shared.SharedCache`."""
        slot = self._store.get(owner, key)
        return None if slot is None else (slot.created, slot.data)

    async def put(self, owner: str, key: bytes, stored: Stored) -> None:
        """See `mixture.caching.shared.SharedCache`. What was answered before its owner's answers were forgotten stays
        forgotten.
        """
        created, data = stored
        if created > self._cleared.get(owner, 0.0):
            self._store.put(owner, key, data, created)

    async def clear(self, owner: str) -> int:
        """See `mixture.caching.shared.SharedCache`."""
        self._cleared[owner] = time.time()
        return self._store.clear(owner)

    async def cleared(self) -> Mapping[str, float]:
        """See `mixture.caching.shared.SharedCache`."""
        return self._cleared
