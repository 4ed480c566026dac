"""Where experiments stand, as plain data."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, Field

from mixture.experiments import Status
from mixture.experiments.sequences import Interval


class IntervalAnswer(BaseModel):
    """A mean difference, candidate less control, and where the true one lies; `n` comparisons went into it."""

    mean: float | None
    low: float
    high: float
    n: int


class ExperimentAnswer(BaseModel):
    """One experiment. `score` and `failed` hold however often one looks, costs and latencies for large numbers."""

    experiment: str
    mode: Literal["split", "shadow"]
    sessions: dict[str, int]
    judged: dict[str, int]
    score: IntervalAnswer
    failed: IntervalAnswer
    cost_usd: IntervalAnswer | None
    latency_s: IntervalAnswer | None
    agreement: IntervalAnswer | None
    may_stop: bool
    verdict: str = Field(description="Why it may stop, or why not")


class ExperimentPage(BaseModel):
    """Every experiment of the server."""

    object: Literal["list"]
    data: list[ExperimentAnswer]


def status_fields(status: Status) -> dict[str, Any]:
    """`status` as plain data."""
    intervals = ("score", "failed", "cost_usd", "latency_s", "agreement")
    return {
        "experiment": status.experiment,
        "mode": status.mode,
        "sessions": dict(status.sessions),
        "judged": dict(status.judged),
        **{name: _interval(getattr(status, name)) for name in intervals},
        "may_stop": status.may_stop,
        "verdict": status.verdict,
    }


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    mean = None if math.isnan(interval.mean) else interval.mean
    return {"mean": mean, "low": interval.low, "high": interval.high, "n": interval.n}
