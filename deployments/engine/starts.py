"""Which engines run, and how long they take to start, as one gateway sees it."""

from __future__ import annotations

import time
from collections.abc import Callable

from mixture.types import Warmup

RUNNING: dict[str, int] = {}
"""Replicas that take requests, by deployment: kept by this process's `deployments.engine.affinity.PrefixRouter`, which
Serve tells of every change. Of a deployment that is not here nothing is known yet.
"""
UNSEEN_SECONDS = 60.0
"""Taken for an engine's start before one was seen."""
PROCESS_SECONDS = 5.0
"""From the wish for a replica to its engine's start: a place is found, and a process begins."""


class Starts:
    """The starts of one engine. `limit_s` is how long a request waits for one at most."""

    def __init__(self, deployment: str, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._deployment = deployment
        self._limit = limit_s
        self._clock = clock
        self._took: float | None = None
        self._reported: float | None = None
        self._since: float | None = None

    @property
    def warmup(self) -> Warmup | None:
        """What is left of the start; None when a replica runs, and while nothing is known. A start that takes longer
        than the last one is expected to take as long again as it is late.
        """
        if RUNNING.get(self._deployment) != 0:
            self._since = None
            return None
        passed = 0.0 if self._since is None else self._clock() - self._since
        return Warmup(abs(self.expected_s - passed), self._limit)

    @property
    def expected_s(self) -> float:
        """Seconds from the wish for a replica to its first answer: as the last start took here, else as the replica
        said.
        """
        if self._took is not None:
            return self._took
        return UNSEEN_SECONDS if self._reported is None else self._reported + PROCESS_SECONDS

    def begin(self) -> float:
        """The engine is wanted. The time at which it was first so."""
        if self._since is None:
            self._since = self._clock()
        return self._since

    def end(self, began: float) -> None:
        """It runs, and was wanted since `began`."""
        self._took = self._clock() - began
        self._since = None

    def reported(self, seconds: float) -> None:
        """A replica says how long its engine took to start; 0 says nothing."""
        self._reported = seconds or self._reported
