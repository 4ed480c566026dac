"""What would be done for a request and why, without calling any expert: `mixture explain`, `/v1/mixture/estimate`."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mixture.config import StrategyOptions
from mixture.dispatch.arranging import Arranged, arranged
from mixture.dispatch.asking import quiet
from mixture.dispatch.bounds import aiming, narrowed
from mixture.dispatch.forecast import Forecast, Foreseen, forecast
from mixture.models import Target
from mixture.strategies import STRATEGIES
from mixture.types import Panel, Plan, Query, Route


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a request would become. `calls` are those to be expected, `expected_calls` and `expected_cost_usd` count one
    that may not be needed by its likelihood where that is known, else not at all; the cost is the sum of known ones.
    `not_asked` names experts that would be asked for a decision, with what was decided without them here.
    """

    requested: str
    strategy: str
    why: str
    route: Route
    calls: tuple[Foreseen, ...]
    expected_calls: float
    expected_cost_usd: float
    cost_complete: bool
    plan: Plan | None = None
    routes: Mapping[str, Route] | None = None
    expected_quality: float | None = None
    not_asked: tuple[str, ...] = ()
    took_ms: float = 0.0

    @property
    def candidates(self) -> Sequence[Mapping[str, Any]]:
        """What the router knew of each expert; see `Route.signals`."""
        found: Sequence[Mapping[str, Any]] = self.route.signals.get("candidates") or ()
        return found


async def estimate(requested: str, target: Target, query: Query, panel: Panel) -> Estimate:
    """What `target` would do with `query`. Raises NoAnswer when there is no expert."""
    began = time.perf_counter()
    panel, not_asked = quiet(panel)
    strategy, why, options, found = target.executed, "", target.options, None
    query = aiming(narrowed(query, options.max_cost_usd, options.max_latency_ms), options.quality)
    query = replace(query, session=None)  # an estimate seats no session
    if strategy == "auto":
        found = await arranged(query, panel, options, STRATEGIES)
        strategy, why = found.strategy, f"auto: {found.why}"
        options = target.inner(strategy, StrategyOptions(**found.options))
    seen = await forecast(strategy, query, panel, options, found)
    made = _made(requested, strategy, why, seen, found)
    return replace(made, not_asked=not_asked, took_ms=(time.perf_counter() - began) * 1e3)


def _made(requested: str, strategy: str, why: str, seen: Forecast, found: Arranged | None) -> Estimate:
    sure = [call for call in seen.calls if call.certain]
    weighed = found.weighed if found is not None and strategy == "cascade" else None
    known = [call.cost_usd for call in sure if math.isfinite(call.cost_usd)]
    return Estimate(
        requested,
        strategy,
        why or f"asked for as {requested}",
        seen.route,
        seen.calls,
        float(len(sure)) if weighed is None else weighed.calls,
        sum(known) if weighed is None else weighed.cost_usd,
        all(math.isfinite(call.cost_usd) for call in seen.calls),
        seen.plan or (found.plan if found is not None else None),
        seen.routes,
        found.weighed.right if found is not None and found.weighed is not None else None,
    )
