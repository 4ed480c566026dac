"""The engines' loads as one gateway knows them, from what comes with the answers."""

from __future__ import annotations

import time
from dataclasses import replace

from mixture.types import EngineLoad

STALE_SECONDS = 5.0
"""A report that is older says nothing any more."""


class Reports:
    """The last report of each replica. There is no polling: it would wake engines that are scaled to zero, and keep
    them awake.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, EngineLoad]] = {}

    def note(self, load: EngineLoad) -> None:
        """Take in a report."""
        self._last[load.replica] = (time.monotonic(), load)

    def loads(self) -> tuple[EngineLoad, ...]:
        """Of each replica that reported lately."""
        oldest = time.monotonic() - STALE_SECONDS
        self._last = {replica: noted for replica, noted in self._last.items() if noted[0] >= oldest}
        return tuple(load for _, load in self._last.values())

    def engine(self) -> EngineLoad | None:
        """All replicas together, the shares averaged; None when none reported lately."""
        loads = self.loads()
        if not loads:
            return None
        total = EngineLoad("", places=0)
        for one in loads:
            total = replace(
                total,
                running=total.running + one.running,
                waiting=total.waiting + one.waiting,
                places=total.places + one.places,
                kv_use=total.kv_use + one.kv_use / len(loads),
                prefix_queries=total.prefix_queries + one.prefix_queries,
                prefix_hits=total.prefix_hits + one.prefix_hits,
            )
        measured = [one.tokens_per_s for one in loads if one.tokens_per_s]
        return replace(total, tokens_per_s=sum(measured) / len(measured) if measured else None)
