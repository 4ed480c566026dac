"""Where engines go: their deployments, and whether the cluster has a place for them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import ray
from ray import serve
from ray.serve import Application

from deployments.engine.affinity import ROUTER
from deployments.engine.arguments import FIXED, default_gpus, reserved, scaled
from deployments.engine.host import HostedEngine
from deployments.expert import deployment_name
from mixture.config import Config, EngineConfig, ExpertConfig
from mixture.providers.vllm.nodes import Node
from mixture.providers.vllm.room import remaining, unplaced
from mixture.types import ExpertCard

logger = logging.getLogger("mixture.engine")

HEALTH_SECONDS = 2.0
"""Between two looks at whether an engine's process is alive; Serve's own ten would be ten seconds of failures."""

SMALL = 0.1
"""Processors that each other deployment reserves; see `deployments.app.SHARE`."""

Deploy = Callable[..., serve.Deployment]


def bound(
    config: Config, cards: Mapping[str, ExpertCard], deploy: Deploy
) -> tuple[dict[str, Application], dict[str, str]]:
    """The engines' deployments by expert; and, by expert, why there is none where this cluster can't have it."""
    engines = [expert for expert in config.experts if expert.provider == "vllm"]
    if not engines:
        return {}, {}
    nodes = _nodes()
    parts = 2 + len(config.hosted) + sum(expert.hosted for expert in config.experts)
    left: Sequence[Node] = [replace(node, cpus=node.cpus - parts * SMALL) for node in nodes]
    made: dict[str, Application] = {}
    without: dict[str, str] = {}
    for expert in engines:
        engine = expert.engine or EngineConfig()
        gpus = default_gpus(engine, {"GPU": sum(node.free for node in nodes)})
        why = unplaced(engine, gpus, left) if os.environ.get(FIXED) else None
        left = remaining(engine, gpus, left)
        if why is not None:
            logger.error("the engine of %s has no place: %s", expert.name, why)
            adapters = [e.name for e in config.experts if e.provider == "lora" and e.expert == expert.name]
            without |= dict.fromkeys((expert.name, *adapters), why)
        else:
            made[expert.name] = _deployed(config, expert, cards[expert.name], gpus, deploy)
    return made, without


def _deployed(config: Config, expert: ExpertConfig, card: ExpertCard, gpus: float, deploy: Deploy) -> Application:
    engine = expert.engine or EngineConfig()
    adapters = tuple(e for e in config.experts if e.provider == "lora" and e.expert == expert.name)
    options = {
        "health_check_period_s": HEALTH_SECONDS,
        "graceful_shutdown_timeout_s": 10.0,
        "request_router_config": {"request_router_class": ROUTER},
        **reserved(engine, gpus),
        **scaled(engine),
    }
    hosted = deploy(HostedEngine, deployment_name(expert.name), **options)
    return hosted.bind(expert, card, gpus, adapters)


def _nodes() -> list[Node]:
    """The cluster's nodes, with all that they have."""
    if not ray.is_initialized():
        return []
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [Node.of(node["Resources"], node.get("Labels")) for node in nodes if node["Alive"]]
