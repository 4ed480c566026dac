"""A world for `benchmarks.scale`: engines with measured service times, a clock that is set, demand by the hour.

Requests are so many that they are a fluid: of each engine is known how many it holds, and how fast they leave. What is
not simulated is who decides: Serve's rules and the policy of `deployments.engine.scaling` say how many replicas there
are, and the server's router says where requests go, by the loads that gateways would be told.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

from ray.serve import autoscaling_policy
from ray.serve.config import AutoscalingConfig

from benchmarks.service_times import ServiceTimes
from deployments.engine.arguments import scaled
from deployments.engine.scaling import BUSY, by_load
from mixture.config import EngineConfig
from mixture.types import EngineLoad, Load

PATIENCE = 30.0
"""Seconds of waiting after which a request gives up."""


@dataclass(slots=True)
class Fleet:
    """The replicas of one engine: those that run, those that load, and the requests that they have."""

    times: ServiceTimes
    config: AutoscalingConfig
    speed: float = 1.0
    """How many times as fast as measured."""
    replicas: int = 1
    loading: list[float] = field(default_factory=list)
    """When each of the replicas to come is ready."""
    requests: float = 0.0
    target: int = 1
    state: dict[str, object] = field(default_factory=dict)
    decided: int = 0

    @classmethod
    def of(cls, engine: EngineConfig, times: ServiceTimes, speed: float = 1.0, replicas: int = 1) -> Fleet:
        """With the replicas that `engine` asks for."""
        config = AutoscalingConfig(**scaled(engine)["autoscaling_config"])
        return cls(times, config, speed, replicas, target=replicas)

    def begin(self, rate: float, most: int) -> None:
        """Have as many replicas as so many requests a second take at seven tenths of what they can."""
        self.replicas = self.target = max(1, min(most, round(rate / self.capacity * self.replicas / 0.7)))

    @property
    def places(self) -> int:
        """Requests that are computed at once."""
        return self.times.places * self.replicas

    @property
    def load(self) -> Load:
        """What a gateway would be told of it."""
        running = min(self.requests, self.places)
        engine = EngineLoad(
            "", running=math.ceil(running), waiting=int(self.requests - running), places=max(1, self.places)
        )
        return Load(engine.busy, self.replicas > 0, self.latency * 1e3, float(self.times.tokens), 100, engine)

    @property
    def latency(self) -> float:
        """Seconds for an answer among those that are computed, waiting left aside."""
        each = max(1.0, min(self.requests / max(1, self.replicas), self.times.places))
        return each / self._rate(each)

    def first_token(self) -> float:
        """Seconds to the first token for who comes now, waiting included."""
        each = max(1.0, min(self.requests / max(1, self.replicas), self.times.places))
        begun = between(each, self.times.clients, self.times.first_token_s) / self.speed
        waiting = max(0.0, self.requests - self.places)
        return begun + waiting / self.capacity if self.capacity else math.inf

    @property
    def capacity(self) -> float:
        """Answers a second at most."""
        return self.replicas * self._rate(self.times.places)

    def _rate(self, each: float) -> float:
        """Answers a second of a replica that has `each` requests."""
        return between(each, self.times.clients, self.times.answers_per_s) * self.speed

    def pass_(self, seconds: float, arriving: float) -> float:
        """Let time go by while `arriving` requests come evenly. The requests that gave up waiting.

        Answers take far less time than a step, so that what comes and what leaves are even at its end, unless more came
        than can leave: that waits.
        """
        left_over = self.requests + arriving - self.capacity * seconds
        self.requests = max(left_over, self._under_way(arriving / seconds))
        lost = max(0.0, self.requests - self.places - self.capacity * PATIENCE)
        self.requests -= lost
        return lost

    def _under_way(self, rate: float) -> float:
        """Requests that are computed when so many come a second: as many as let just as many leave."""
        each = rate / max(1, self.replicas) / self.speed
        slowest = self.times.answers_per_s[0]
        if each <= slowest:
            return each / slowest * self.replicas
        computed = between(each, self.times.answers_per_s, self.times.clients)
        return self.replicas * min(float(self.times.places), computed)

    def scale(self, now: float, most: int) -> None:
        """Let Serve's autoscaler decide, with at most `most` replicas, and replicas come and go."""
        ready = sum(at <= now for at in self.loading)
        self.loading = [at for at in self.loading if at > now]
        self.replicas += ready
        self.decided += 1
        wanted = self._wanted(now)
        self.target = min(most, max(self.config.min_replicas, min(self.config.max_replicas, wanted)))
        coming = self.target - self.replicas - len(self.loading)
        if coming > 0:
            self.loading += [now + self.times.starts_s] * coming
        elif coming < 0:
            dropped = min(-coming, len(self.loading))
            self.loading = self.loading[: len(self.loading) - dropped]
            self.replicas = max(self.target, self.replicas - (-coming - dropped))

    def _wanted(self, now: float) -> int:
        """By our policy, and by Serve's own factors and delays over it, on the simulated clock."""
        busy = self.load.engine.busy if self.load.engine and self.replicas else 0.0
        context = SimpleNamespace(
            config=self.config,
            total_num_requests=self.requests,
            aggregated_metrics={BUSY: {"all of them": busy * self.replicas}},
        )
        desired, _ = by_load(context)
        if self.replicas == 0:
            return math.ceil(desired)
        whole = autoscaling_policy._apply_scaling_factors(desired, self.replicas, self.config)
        wanted, self.state = autoscaling_policy._apply_delay_logic(
            max(0, whole), self.target, self.config, self.state, _now=now
        )
        return wanted


def between(at: float, known: Sequence[float], values: Sequence[float]) -> float:
    """A value between those that are known, in a straight line."""
    above = min(max(bisect(known, at), 1), len(known) - 1)
    part = (min(max(at, known[0]), known[-1]) - known[above - 1]) / (known[above] - known[above - 1])
    return values[above - 1] + part * (values[above] - values[above - 1])


def day(peak: float, hour: float) -> float:
    """Requests a second at an hour of the day: least at five in the morning, at a fifth of the evening's peak."""
    return peak * (0.6 - 0.4 * math.cos((hour - 5) / 24 * 2 * math.pi))


def flash(usual: float, second: float) -> float:
    """Requests a second when ten times as many come within half a minute, stay for ten minutes, and leave again."""
    rise = min(1.0, max(0.0, (second - 120) / 30))
    fall = min(1.0, max(0.0, (second - 750) / 30))
    return usual * (1 + 9 * (rise - fall))
