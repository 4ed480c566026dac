"""Routers: which experts suit a query, and why."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mixture.config import RouterConfig
from mixture.routing.encoders import embedder_of
from mixture.routing.fallback import FallbackRouter, Missing
from mixture.routing.keyword import KeywordRouter
from mixture.types import Router

if TYPE_CHECKING:
    from mixture.routing.calibration import Calibration

__all__ = ["make_router"]

logger = logging.getLogger("mixture.router")


def make_router(config: RouterConfig | None = None) -> Router:
    """The router that `config` describes, as it runs in this process. A file that can't be read does not keep a server
    from starting: keywords decide then, and every route says why. For `kind: llm` it is what stands behind the expert.
    """
    config = config or RouterConfig()
    embedder = embedder_of(config)
    if config.chosen == "embedding":
        from mixture.routing.semantic import SemanticRouter

        return SemanticRouter(embedder, config.encoder or "static")
    if config.chosen == "keyword" or config.file is None:
        return KeywordRouter()
    from mixture.routing.learned import LearnedRouter  # with numpy and scipy, which nobody else here needs
    from mixture.routing.storage import PredictorError, load

    def made(calibration: Calibration) -> Router:
        return FallbackRouter(LearnedRouter(calibration, config, embedder))

    try:
        return made(load(config.file))
    except PredictorError as error:
        logger.warning("router.file: %s; routing is by keywords", error.message)
        return Missing(error.message, made)
