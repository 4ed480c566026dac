"""Which replica a call goes to: none that is silent while there are others. Serve loads this in the gateways.

Serve takes a replica for as busy as it was told last, and one on a machine that vanished looks idle until the cluster
has noticed. A replica acknowledges what it is sent at once, however busy it is.
"""

from __future__ import annotations

import random
import time
from typing import Any

from ray.serve._private.request_router.pow_2_router import PowerOfTwoChoicesRequestRouter

ROUTER = "deployments.choosing:ExpertRouter"
PROMPT = 1.0
"""Seconds after which a replica that has not acknowledged what it was sent is passed by."""
FORGIVEN = 20.0
"""Seconds after which it is tried again. The cluster takes about as long to notice that a machine is gone."""


class Listening:
    """A part of a request router, which notes what replicas acknowledge."""

    def initialize_state(self, **more: Any) -> None:
        """Serve calls it first."""
        super().initialize_state(**more)  # type: ignore[misc]
        self._unheard: dict[Any, float] = {}

    def on_send_request(self, replica_id: Any) -> None:
        """A replica is sent something."""
        super().on_send_request(replica_id)  # type: ignore[misc]
        now = time.monotonic()
        if now - self._unheard.get(replica_id, now) >= FORGIVEN:
            del self._unheard[replica_id]
        self._unheard.setdefault(replica_id, now)

    def on_new_queue_len_info(self, replica_id: Any, num_ongoing_requests: int) -> None:
        """It has acknowledged it."""
        super().on_new_queue_len_info(replica_id, num_ongoing_requests)  # type: ignore[misc]
        self._unheard.pop(replica_id, None)

    def update_replicas(self, replicas: list[Any]) -> None:
        """The replicas that take requests from now on."""
        super().update_replicas(replicas)  # type: ignore[misc]
        there = {replica.replica_id for replica in replicas}
        self._unheard = {name: since for name, since in self._unheard.items() if name in there}

    def without_silent(self, ranks: list[list[Any]], candidates: list[Any]) -> list[list[Any]]:
        """Chosen replicas, in ranks, without those that are silent; two others when none is left. When all are silent,
        as they were chosen.
        """
        now = time.monotonic()
        silent = {name for name, since in self._unheard.items() if PROMPT < now - since < FORGIVEN}
        if not silent:
            return ranks
        kept = [heard for rank in ranks if (heard := [one for one in rank if one.replica_id not in silent])]
        others = [one for one in candidates if one.replica_id not in silent]
        return kept or ([random.sample(others, min(2, len(others)))] if others else ranks)


class ExpertRouter(Listening, PowerOfTwoChoicesRequestRouter):
    """Serve's power of two choices among the replicas that are heard of."""

    async def choose_replicas(self, candidate_replicas: list[Any], pending_request: Any = None) -> list[list[Any]]:
        """The replicas to try, in ranks."""
        ranks: list[list[Any]] = await super().choose_replicas(candidate_replicas, pending_request)
        return self.without_silent(ranks, candidate_replicas)
