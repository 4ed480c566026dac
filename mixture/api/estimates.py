"""An estimate as plain data: the answer of `POST /v1/mixture/estimate`."""

from __future__ import annotations

import math
from typing import Any

from mixture.api.report import plan_fields, route_fields
from mixture.dispatch.forecast import Foreseen
from mixture.estimation import Estimate


def estimate_fields(found: Estimate) -> dict[str, Any]:
    """`found` as plain data; what is unknown is null."""
    route = route_fields(found.route) or {}
    signals = {name: value for name, value in route.get("signals", {}).items() if name != "candidates"}
    return {
        "object": "mixture.estimate",
        "strategy_requested": found.requested,
        "strategy": found.strategy,
        "why": found.why,
        "route": {"experts": route["experts"], "why": route["why"]},
        "signals": signals,
        "candidates": [dict(candidate) for candidate in found.candidates],
        "plan": _plan(found),
        "calls": [_call(call) for call in found.calls],
        "expected_calls": round(found.expected_calls, 3),
        "expected_cost_usd": found.expected_cost_usd,
        "cost_complete": found.cost_complete,
        "expected_quality": None if found.expected_quality is None else round(found.expected_quality, 4),
        "not_asked": list(found.not_asked),
        "took_ms": round(found.took_ms, 3),
    }


def _plan(found: Estimate) -> list[dict[str, Any]] | None:
    tasks = plan_fields(found.plan)
    for task in tasks or ():
        route = (found.routes or {}).get(task["id"])
        task["experts"] = list(route.experts) if route else []
        task["why"] = route.why if route else ""
    return tasks


def _call(call: Foreseen) -> dict[str, Any]:
    cost = call.cost_usd if math.isfinite(call.cost_usd) else None
    return {"expert": call.expert, "role": call.role, "cost_usd": cost, "certain": call.certain}
