"""Wrappers: experts that protect an expert. Each concern is a class of its own; `wrap` puts them in their order.

    Cached     gives parts again that were answered before, in requests that may be cached
    Waking     waits for an expert that has to be started, or leaves it to others meanwhile
    Retrying   tries again what may pass, within the time for the whole
    Breaking   leaves an expert alone that keeps failing
    Limited    at most so many calls at once, first come, first served
    Metered    notes every attempt with its usage and its cost
    Timed      ends an attempt whose time is over

Breaking stands outside Limited, so that a dead expert fails at once and not after waiting for a place. Metered stands
outside Timed, so that a call that ran out of time is noted as that and not as one that somebody cancelled.
"""

from __future__ import annotations

from typing import cast

from mixture.config import Resilience
from mixture.types import EngineLoad, Expert, Load, Warmup
from mixture.wrappers.breaking import Breaker, Breaking, State
from mixture.wrappers.cached import Cached
from mixture.wrappers.limited import Limited, Limiter
from mixture.wrappers.metered import Metered
from mixture.wrappers.pace import Pace
from mixture.wrappers.retrying import Retrying
from mixture.wrappers.timed import Timed
from mixture.wrappers.waking import Sleeper, Waking
from mixture.wrappers.wrapper import Wrapper

__all__ = [
    "Breaker",
    "Breaking",
    "Cached",
    "Limited",
    "Limiter",
    "Metered",
    "Pace",
    "Retrying",
    "Sleeper",
    "State",
    "Timed",
    "Waking",
    "Wrapper",
    "begins_within",
    "cooling",
    "load",
    "state",
    "wrap",
]


def wrap(expert: Expert, resilience: Resilience) -> Expert:
    """`expert` with every protection. A persona comes back as it is: the expert that it is (`base`) is protected
    already, and what is shared upstream has to be limited and counted together.
    """
    if hasattr(expert, "base"):
        return expert
    attempt = Metered(Timed(expert, resilience.first_token_timeout))
    limited = Limited(attempt, Limiter(resilience.max_concurrency), resilience.first_token_timeout)
    breaking = Breaking(limited, Breaker(resilience.allowed_fails, resilience.cooldown_time))
    retrying = Retrying(breaking, resilience.num_retries, resilience.timeout)
    return Cached(Waking(retrying, cast(Sleeper, expert)) if hasattr(expert, "warmup") else retrying)


def state(expert: Expert) -> State | None:
    """The state of an expert's breaker, a persona's being that of its base; None when it has none."""
    inner: object | None = expert
    while inner is not None and not isinstance(inner, Breaking):
        inner = getattr(inner, "inner", None) or getattr(inner, "base", None)
    return inner.breaker.state if inner is not None else None


def cooling(expert: Expert) -> bool:
    """Whether a call would be refused at once, because the expert failed too often a moment ago."""
    return state(expert) == "open"


def load(expert: Expert) -> Load:
    """How busy an expert is and how fast it has been, by its wrappers, a persona's being those of its base. An
    expert may have a property `engine`, with the load that its replicas reported, and one `warmup`, see `Sleeper`: one
    that has to be started counts as fully taken, so that among equals one that runs comes first.
    """
    waiting, available, pace = 0.0, True, _UNSEEN
    engine: EngineLoad | None = None
    warmup: Warmup | None = None
    inner: object | None = expert
    while inner is not None:
        match inner:
            case Breaking(breaker=breaker):
                available = breaker.state != "open"
            case Limited(limiter=limiter):
                waiting = limiter.load
            case Metered(pace=seen):
                pace = seen
        engine = getattr(inner, "engine", None) or engine
        warmup = getattr(inner, "warmup", None) or warmup
        inner = getattr(inner, "inner", None) or getattr(inner, "base", None)
    waiting = max(waiting, engine.busy) if engine is not None else waiting
    waiting = max(waiting, 1.0) if warmup is not None else waiting
    if not pace.answers:
        return Load(waiting, available, engine=engine, warmup=warmup)
    return Load(waiting, available, pace.latency_ms, pace.completion_tokens, pace.answers, engine, warmup)


_UNSEEN = Pace()


def begins_within(expert: Expert, share: float, *, streamed: bool) -> float | None:
    """The milliseconds within which `share` of an expert's latest answers had begun; None while too few were given."""
    inner: object | None = expert
    while inner is not None and not isinstance(inner, Metered):
        inner = getattr(inner, "inner", None) or getattr(inner, "base", None)
    return inner.beginnings.quantile(share, streamed=streamed) if inner is not None else None
