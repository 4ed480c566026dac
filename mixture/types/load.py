"""What is known of an expert at this moment: how busy it is, whether it is left alone, how fast it has been."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """The state of one replica's engine: requests that are computed and that wait, how many it computes at once at
    most, the used share of its KV cache, and tokens that were looked up in its prefix cache and found there since it
    began.
    """

    replica: str = ""
    running: int = 0
    waiting: int = 0
    places: int = 1
    kv_use: float = 0.0
    prefix_queries: int = 0
    prefix_hits: int = 0
    start_s: float = 0.0
    """Seconds that it took to start; 0 where that is not known."""
    tokens_per_s: float | None = None
    """What it computes in a second of work, see `mixture.providers.vllm.cost`; None where it was not measured."""

    @property
    def busy(self) -> float:
        """Requests for each place: 1 when all are taken and nobody waits. Where requests wait, there are no more places
        than are taken, whether their number or the KV cache is the limit; where none waits, the scarcer of the two
        counts.
        """
        if self.waiting:
            return (self.running + self.waiting) / max(1, self.running)
        return max(self.running / self.places, self.kv_use)


@dataclass(frozen=True, slots=True)
class Warmup:
    """An expert has to be started before it answers: in about `left_s` seconds, as its last starts took. A request
    waits for that at most `limit_s` seconds.
    """

    left_s: float
    limit_s: float


@dataclass(frozen=True, slots=True)
class Load:
    """The state of an expert as this process sees it. `waiting` is the number of calls at work or queued for each place
    it has; `available` is false while it is left alone after failures. `latency_ms` and `completion_tokens` are moving
    averages over its last answers (None before the first), `answers` how many there have been. `engine` is what the
    replicas of an engine of ours reported lately; `waiting` counts it already.
    """

    waiting: float = 0.0
    available: bool = True
    latency_ms: float | None = None
    completion_tokens: float | None = None
    answers: int = 0
    engine: EngineLoad | None = None
    warmup: Warmup | None = None
    """What it needs before it can answer; None when it runs."""


IDLE = Load()
"""An expert of which nothing is known."""

Loads = Mapping[str, Load]
"""The state of experts by their names; one that is not named is taken to be idle."""
