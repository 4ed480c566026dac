"""What each request and each look of the autoscaler costs the real code, by the number of replicas."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace

from benchmarks.scale_requests import Workload
from deployments.engine.affinity import home
from deployments.engine.scaling import BUSY, by_load
from deployments.loads import Reports
from mixture.routing.keyword import KeywordRouter
from mixture.routing.objective import Aim, Candidate, choose
from mixture.types import EngineLoad, Load, Router

REPLICAS = (1, 10, 100, 1_000)


def decisions_per_s(work: Workload, count: int) -> dict[str, float]:
    """Whole decisions a second of one processor, from the query to the route."""
    loads = {card.name: Load(0.5, True, 800.0, 64.0, 100) for card in work.cards}

    async def timed(router: Router) -> float:
        for query in work.queries:
            await router.route(query, work.cards, loads)
        began = time.process_time()
        for at in range(count):
            await router.route(work.queries[at % len(work.queries)], work.cards, loads)
        return count / (time.process_time() - began)

    routers = {"learned": work.router, "keyword": KeywordRouter()}
    return {name: round(asyncio.run(timed(router)), 1) for name, router in routers.items()}


def microseconds(replicas: Sequence[int] = REPLICAS) -> list[dict[str, float]]:
    """By the number of replicas: reading the loads that they reported, finding a conversation's home among them, one
    look of the autoscaling policy; and the objective over as many experts.
    """
    return [_at(count) for count in replicas]


def _at(count: int) -> dict[str, float]:
    reports = Reports()
    names = [f"replica-{number:04d}" for number in range(count)]
    for name in names:
        reports.note(EngineLoad(name, running=4, places=16, kv_use=0.3))
    config = SimpleNamespace(get_target_ongoing_requests=lambda: 32)
    told = SimpleNamespace(total_num_requests=10.0, aggregated_metrics={BUSY: dict.fromkeys(names, 0.5)}, config=config)
    candidates = [Candidate(name, 0.5 + number / 4_000, 0.001, 500.0) for number, name in enumerate(names)]
    aim = Aim(usd_per_second=0.0001)
    return {
        "replicas": count,
        "read_loads_us": _each(reports.engine),
        "find_home_us": _each(lambda: home(b"a conversation's beginning", names)),
        "policy_us": _each(lambda: by_load(told)),
        "objective_us": _each(lambda: choose(candidates, aim)),
    }


def _each(work: Callable[[], object], seconds: float = 0.15) -> float:
    """Microseconds of processor time of one call."""
    calls, began, end = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        work()
        calls += 1
    return round((time.process_time() - began) / calls * 1e6, 2)
