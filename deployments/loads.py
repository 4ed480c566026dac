"""The engines' loads as one gateway knows them, from what comes with the answers."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mixture.types import EngineLoad

STALE_SECONDS = 5.0
"""A report that is older says nothing any more."""
SUM_SECONDS = 0.1
"""For so long a sum over all replicas holds; replicas report every quarter of a second at most."""


class Reports:
    """The last report of each replica, and what this process has asked of it since. There is no polling: it would wake
    engines that are scaled to zero, and keep them awake.
    """

    def __init__(self, own: Mapping[str, int] | None = None) -> None:
        """`own`: the answers of this process that are under way, by replica, as they are at any moment."""
        self._own = {} if own is None else own
        self._last: dict[str, tuple[float, EngineLoad, int]] = {}
        self._sum: EngineLoad | None = None
        self._added = -math.inf

    def note(self, load: EngineLoad) -> None:
        """Take in a report."""
        self._last[load.replica] = (time.monotonic(), load, self._own.get(load.replica, 0))
        if self._sum is None:
            self._added = -math.inf  # that nothing is known is over at once

    def loads(self) -> tuple[EngineLoad, ...]:
        """Of each replica that reported lately, as far as this process knows by now."""
        oldest = time.monotonic() - STALE_SECONDS
        self._last = {replica: noted for replica, noted in self._last.items() if noted[0] >= oldest}
        return tuple(_since(load, then, self._own.get(load.replica, 0)) for _, load, then in self._last.values())

    def engine(self) -> EngineLoad | None:
        """All replicas together, the shares averaged; None when none reported lately. Added up once in `SUM_SECONDS`,
        since every request asks and there may be a thousand replicas.
        """
        now = time.monotonic()
        if now - self._added >= SUM_SECONDS:
            self._added, self._sum = now, _together(self.loads())
        return self._sum


def _since(load: EngineLoad, then: int, now: int) -> EngineLoad:
    """A report after which a process that had `then` answers of the replica under way has `now`. Reports are of one
    moment for all that decide by them, and what each has sent since is all that it can know better.
    """
    if now == then:
        return load
    requests = max(now, load.running + load.waiting + now - then)
    most = load.running if load.waiting else max(load.places, load.running)
    running = min(requests, most)
    return replace(load, running=running, waiting=requests - running)


def _together(loads: Sequence[EngineLoad]) -> EngineLoad | None:
    if not loads:
        return None
    measured = [one.tokens_per_s for one in loads if one.tokens_per_s]
    return EngineLoad(
        running=sum(one.running for one in loads),
        waiting=sum(one.waiting for one in loads),
        places=sum(one.places for one in loads),
        kv_use=sum(one.kv_use for one in loads) / len(loads),
        prefix_queries=sum(one.prefix_queries for one in loads),
        prefix_hits=sum(one.prefix_hits for one in loads),
        tokens_per_s=sum(measured) / len(measured) if measured else None,
    )
