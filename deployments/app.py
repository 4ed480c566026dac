"""The one place that says what is a process: `build(args) -> Application`.

`args` is the mapping of `mixture.config.Config`, as it stands under `args:` in serve_config.yaml. How many replicas a
deployment has and how it scales is said there too, under `deployments:`, and overrides what `build` sets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ray import serve
from ray.serve import Application

from actors.cache import CacheActor
from actors.feedback import FeedbackActor
from actors.ledger import LedgerActor
from actors.retrieval import RetrievalActor
from deployments.aggregator import HostedAggregator
from deployments.choosing import ROUTER
from deployments.decomposer import HostedDecomposer
from deployments.engine.placement import bound
from deployments.expert import HostedExpert, deployment_name
from deployments.gateway import Gateway
from deployments.remote import Hosted
from deployments.router import HostedRouter
from mixture.assembly import discovered
from mixture.catalogue import resolve
from mixture.config import Config, EngineConfig, ExpertConfig, parse
from mixture.keys import home, with_keys
from mixture.ledger import folder_of, url_of
from mixture.providers import Context, create
from mixture.retrieval.host import kept_at
from mixture.types import Expert, ExpertCard

PARTS: Mapping[str, type] = {"router": HostedRouter, "decomposer": HostedDecomposer, "aggregator": HostedAggregator}
SHARE = {"num_cpus": 0.1}
"""Processors reserved for a replica that mostly waits; what computes should reserve more in serve_config.yaml."""
AT_ONCE = 512
"""Calls that a hosted part takes at once: Serve's own default of five is meant for models that batch nothing."""


def build(args: dict[str, Any]) -> Application:
    """The application: a gateway, and what the configuration hosts beside it. Raises ConfigError."""
    config = _resolved(with_keys(discovered(parse(args), os.environ), os.environ))
    retrieval = _deployment(RetrievalActor, "retrieval", AT_ONCE).bind(kept_at(config.documents, os.environ))
    cards = _cards(config)
    desk = _desk(config)
    engines, unplaced = bound(config, cards, partial(_deployment, at_once=AT_ONCE))
    hosted = {expert.name: _expert(config, expert, retrieval) for expert in config.experts if expert.hosted}
    parts = Hosted(
        cards=cards,
        experts={**hosted, **engines},
        adapters={e.name: e.expert for e in config.experts if e.provider == "lora" and e.expert in engines},
        unplaced=unplaced,
        warmup_limits={
            e.name: (e.engine or EngineConfig()).warmup_limit_s for e in config.experts if e.name in engines
        },
        quoted=any(expert.provider == "extractive" for expert in config.experts),
        heartbeat_timeouts={e.name: config.resilience(e).heartbeat_timeout for e in config.experts},
        parts={
            "retrieval": retrieval,
            "ledger": _ledger(config),
            **{name: _part(name, config, retrieval, desk.get("feedback")) for name in config.hosted},
            **desk,
            **_shared(config),
        },
    )
    # The gateway sheds load by itself, with an error that clients understand: Serve's own limit lies above its.
    limit = 2 * config.server.max_concurrent_requests
    return _deployment(Gateway, "gateway", limit).bind(config, parts)


def _ledger(config: Config) -> Application:
    """The ledger: one replica, whatever is configured for others."""
    deployment = _deployment(LedgerActor, "ledger", AT_ONCE, num_replicas=1)
    return deployment.bind(url_of(config.ledger, os.environ))


def _desk(config: Config) -> dict[str, Application]:
    """The feedback desk, where feedback is switched on: one replica, whatever is configured for others."""
    folder = config.feedback.folder
    if folder is None:
        return {}
    feedback = config.feedback.model_copy(update={"folder": str(Path(folder).absolute())})
    return {"feedback": _deployment(FeedbackActor, "feedback", AT_ONCE, num_replicas=1).bind(feedback, config.router)}


def _shared(config: Config) -> dict[str, Application]:
    """The answers that gateways share, where they do so in a process of the cluster: one replica."""
    if config.cache.shared != "actor":
        return {}
    return {"cache": _deployment(CacheActor, "cache", AT_ONCE, num_replicas=1).bind(config.cache)}


def _deployment(hosted: Any, name: str, at_once: int, **more: Any) -> serve.Deployment:
    """`hosted` as a deployment. What serve_config.yaml says under `deployments:` goes before what is set here."""
    options: dict[str, Any] = {
        "name": name,
        "max_ongoing_requests": at_once,
        "ray_actor_options": SHARE,
        "logging_config": {"enable_access_log": False},  # the gateway writes its own, and Ray's costs on every call
        **more,
    }
    if isinstance(hosted, serve.Deployment):
        return hosted.options(**options)
    made: serve.Deployment = serve.deployment(**options)(hosted)
    return made


def _resolved(config: Config) -> Config:
    """With keys, addresses and folders from this process's environment, so that replicas on other nodes need none of
    it.
    """
    experts = tuple(resolve(expert, os.environ) for expert in config.experts)
    ledger = config.ledger.model_copy(update={"journal": str(folder_of(config.ledger, os.environ).absolute())})
    folder = Path(config.batches.folder or home(os.environ) / "batches").absolute()
    batches = config.batches.model_copy(update={"folder": str(folder)})
    learned = Path(config.cache.semantic.folder or home(os.environ) / "cache").absolute()
    semantic = config.cache.semantic.model_copy(update={"folder": str(learned)})
    cache = config.cache.model_copy(update={"semantic": semantic})
    return config.model_copy(update={"experts": experts, "ledger": ledger, "batches": batches, "cache": cache})


def _expert(config: Config, expert: ExpertConfig, retrieval: Application) -> Application:
    at_once = config.resilience(expert).max_concurrency
    name = deployment_name(expert.name)
    router = {"request_router_class": ROUTER}
    hosted = _deployment(HostedExpert, name, at_once, request_router_config=router)
    return hosted.bind(expert, config.documents, retrieval)


def _part(name: str, config: Config, retrieval: Application, desk: Application | None) -> Application:
    part = _deployment(PARTS[name], name, AT_ONCE)
    arguments: Mapping[str, tuple[Any, ...]] = {
        "router": (config.router, desk, config.feedback.refresh),
        "decomposer": (config.decomposer.max_subtasks,),
        "aggregator": (retrieval, config.aggregator),
    }
    return part.bind(*arguments.get(name, ()))


def _cards(config: Config) -> dict[str, ExpertCard]:
    """Of what runs apart. Made here once: providers open clients and load weights when they are first asked, not when
    they are made.
    """
    made: dict[str, Expert] = {}
    context = Context(environ=os.environ, experts=made, documents=config.documents)
    for expert in config.experts:
        if expert.apart:
            made[expert.name] = create(expert, context)
    for expert in config.experts:
        if expert.provider == "lora":
            made[expert.name] = create(expert, context)
    return {name: expert.card for name, expert in made.items()}
