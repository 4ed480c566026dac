"""Which replica of an engine a request goes to: the one that has seen the beginning of it before.

Serve loads this in the gateways. A conversation goes on with the messages that it began with, and the calls of an
ensemble begin alike, so the beginning names a home: by rendezvous hashing, which every gateway computes alike, and by
which few conversations move when replicas come and go. Where the home is overloaded Serve's power of two choices
decides.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from typing import Any

from ray.serve._private.request_router.pow_2_router import PowerOfTwoChoicesRequestRouter
from ray.serve._private.request_router.request_router import LocalityMixin, MultiplexMixin, RequestRouter

from deployments.choosing import Listening
from deployments.engine import (  # modules, and nothing out of them: Serve copies this file's globals by value
    direct,
    starts,
)
from mixture.types import Query

ROUTER = "deployments.engine.affinity:PrefixRouter"
SLACK = 4
"""Requests by which the home's queue may be longer than half as long again as the shortest, before it is passed by: a
prefix that is computed twice costs less than waiting behind others."""


class PrefixRouter(Listening, LocalityMixin, MultiplexMixin, RequestRouter):
    """Serve's protocol for a router of requests. Without first in, first out, which would give one request the replica
    that was chosen for another. What Serve tells it of the replicas is noted for those who ask whether an engine runs.
    """

    def initialize_state(self, **more: Any) -> None:
        """Serve says nothing of a deployment that has no replica from the beginning."""
        super().initialize_state(**more)
        self._places: dict[Any, direct.Place] = {}
        direct.CHOOSERS[self._deployment_id.name] = self
        self._note()

    def update_replicas(self, replicas: list[Any]) -> None:
        """The replicas that take requests from now on."""
        super().update_replicas(replicas)
        self._places = {
            one.replica_id: direct.Place.of(one.replica_id.unique_id, told)
            for one in self.curr_replicas.values()
            if (told := one.replica_metadata)
        }
        self._note()

    def on_replica_actor_died(self, replica_id: Any) -> None:
        """A replica is gone, which a call to it has shown."""
        super().on_replica_actor_died(replica_id)
        self._note()

    def _note(self) -> None:
        starts.RUNNING[self._deployment_id.name] = len(self.curr_replicas)

    async def choose_replicas(self, candidate_replicas: list[Any], pending_request: Any = None) -> list[list[Any]]:
        """The replicas to try, in ranks: the home of the request unless it is overloaded, then two at random; none that
        is silent while there are others.
        """
        return self.without_silent(await self._ranked(candidate_replicas, pending_request), candidate_replicas)

    async def _ranked(self, candidate_replicas: list[Any], pending_request: Any) -> list[list[Any]]:
        two: Any = PowerOfTwoChoicesRequestRouter.choose_replicas
        anywhere: list[list[Any]] = await two(self, candidate_replicas, pending_request)
        arguments = pending_request.args if pending_request is not None else ()
        by_id = {replica.replica_id.unique_id: replica for replica in candidate_replicas}
        if arguments and isinstance(arguments[0], direct.Attendance):
            there = by_id.get(arguments[0].replica)
            return anywhere if there is None else [[there], *anywhere]
        key = beginning(arguments)
        if key is None or len(candidate_replicas) < 2:
            return anywhere
        chosen = self._home(key, candidate_replicas)
        return anywhere if chosen is None else [[by_id[chosen]], *anywhere]

    def pick(self, arguments: tuple[Any, ...]) -> direct.Place | None:
        """See `deployments.engine.direct.Chooser`: the same choice as above, among replicas that can be reached and
        have room.
        """
        running = list(self.curr_replicas.values())
        if not running or any(one.replica_id not in self._places for one in running):
            return None
        (candidates,) = self.without_silent([running], running)
        queues = self._queues(candidates)
        key = beginning(arguments)
        chosen = self._home(key, candidates) if key is not None else None
        if chosen is None:
            chosen = min(random.sample(sorted(queues), min(2, len(queues))), key=queues.__getitem__)
        (replica,) = (one for one in candidates if one.replica_id.unique_id == chosen)
        return self._places[replica.replica_id] if queues[chosen] < replica.max_ongoing_requests else None

    def _home(self, key: bytes, candidates: list[Any]) -> str | None:
        queues = self._queues(candidates)
        chosen = home(key, queues)
        return None if overloaded(chosen, queues) else chosen

    def _queues(self, candidates: list[Any]) -> dict[str, int]:
        """Requests of each replica: as Serve was told last, and at least those of this process."""
        known = {one.replica_id.unique_id: self.replica_queue_len_cache.get(one.replica_id) or 0 for one in candidates}
        return {name: max(length, direct.OPEN[name]) for name, length in known.items()}


def beginning(arguments: Iterable[Any]) -> bytes | None:
    """What a request's prefix is known by: the adapter, and the messages up to the first answer. None for what is no
    query.
    """
    query, *more = [*arguments, None]
    if not isinstance(query, Query):
        return None
    texts = [str(name) for name in more]
    for message in query.messages:
        if message.role == "assistant":
            break
        texts.append(f"{message.role}:{message.text}")
    return hashlib.blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def home(key: bytes, replicas: Iterable[str]) -> str:
    """The replica that has the highest hash together with the key."""
    return max(replicas, key=lambda name: hashlib.blake2b(key + b"\0" + name.encode(), digest_size=8).digest())


def overloaded(name: str, queues: Mapping[str, int]) -> bool:
    """Whether a replica has much more to do than the one that has least."""
    return queues[name] > 1.5 * min(queues.values()) + SLACK
