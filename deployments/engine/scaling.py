"""How many replicas an engine should have, for Ray Serve's autoscaler: by its requests, and by how busy they are.

Serve applies its own delays, factors and bounds to what is said here. The controller loads this module.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

POLICY = "deployments.engine.scaling:by_load"
BUSY = "engine_busy"
"""The name under which a replica reports its engine's `EngineLoad.busy` to Serve."""
NEEDED = 0.01
"""How busy a replica is at least that has answered since its last report: not idle, and no reason for a second one."""
BUSY_TARGET = 0.8
"""How busy an engine should be: above it, its places or its KV cache are nearly used up and requests begin to wait."""


def by_load(context: Any) -> tuple[float, dict[str, Any]]:
    """Serve's protocol for a policy: from its `AutoscalingContext` the replicas that are wanted, and no state."""
    target = context.config.get_target_ongoing_requests()
    busy = (context.aggregated_metrics or {}).get(BUSY) or {}
    return wanted(context.total_num_requests, target, busy.values()), {}


def wanted(requests: float, target: float, busy: Iterable[float]) -> float:
    """Replicas for so many requests, `target` each, or for engines that are so busy: whichever asks for more. Few
    requests can fill an engine when they are long, which their number does not show.
    """
    return max(requests / target, sum(busy) / BUSY_TARGET)
