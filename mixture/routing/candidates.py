"""Experts as candidates for one request: what each would cost, how long it would take, how busy it is."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, nan
from typing import Any

from mixture.estimates import expected_usage
from mixture.routing.objective import Candidate
from mixture.types import IDLE, ExpertCard, Load, Query

ACQUAINTED = 5
"""Answers after which what an expert was seen to do counts for more than what a log says of it."""


def candidate(
    card: ExpertCard,
    query: Query,
    prompt: int,
    load: Load = IDLE,
    quality: float = nan,
    recorded: tuple[float, float, float] = (nan, nan, nan),
) -> Candidate:
    """The expert of `card` as a candidate for `query`, whose prompt has `prompt` tokens. `recorded` is what a log says
    of it, NaN where nothing: completion tokens, US dollars and seconds of an answer. A cost in the log stands in for a
    price that the card lacks.
    """
    tokens, usd, seconds = recorded
    written = _blended(load.completion_tokens, load.answers, tokens)
    latency = _blended(load.latency_ms, load.answers, seconds * 1e3)
    cost = usd if isfinite(usd) else None
    if card.price is not None:
        cost = card.price.cost(expected_usage(query, written, prompt))
    warmup = 0.0 if load.warmup is None else load.warmup.left_s * 1e3
    return Candidate(card.name, quality, cost, latency, load.waiting, load.available, warmup, load.engine)


def _blended(seen: float | None, answers: int, recorded: float) -> float | None:
    """What was seen here and what a log says, the more of the former the more answers were seen."""
    if seen is None:
        return recorded if isfinite(recorded) else None
    if not isfinite(recorded):
        return seen
    share = answers / (answers + ACQUAINTED)
    return share * seen + (1 - share) * recorded


def facts(found: Candidate, left_out: str | None = None) -> Mapping[str, Any]:
    """A candidate as plain data, as `Route.signals["candidates"]` lists it."""
    own: dict[str, Any] = {"warmup_ms": round(found.warmup_ms)} if found.warmup_ms else {}
    if (engine := found.engine) is not None:
        own["engine"] = {"running": engine.running, "waiting": engine.waiting, "kv_use": round(engine.kv_use, 4)}
    return {
        "expert": found.name,
        "quality": round(found.quality, 4) if isfinite(found.quality) else None,
        "cost_usd": found.cost_usd,
        "latency_ms": None if found.latency_ms is None else round(found.latency_ms, 1),
        "waiting": round(found.waiting, 3),
        "available": found.available,
        "left_out": left_out,
        **own,
    }
