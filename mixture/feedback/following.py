"""Routers follow what is learned from feedback, wherever they run."""

from __future__ import annotations

import asyncio
import logging

from mixture.errors import MixtureError
from mixture.feedback.notes import FeedbackHost
from mixture.routing.reloading import learned, use
from mixture.types import Router

logger = logging.getLogger("mixture.feedback")


async def heed(host: FeedbackHost, router: Router, every: float) -> None:
    """Have the learned router in `router` use each new version of `host`, asked for every so many seconds, until
    cancelled. Where there is no learned router yet, each version waits for one.
    """
    version: str | None = None
    while True:
        place = learned(router)
        if place is not None:
            try:
                newer = await host.newer(version)
            except MixtureError as error:
                logger.warning("the feedback desk does not answer: %s", error.message)
                newer = None
            if newer is not None:
                version = newer.version
                use(place, newer)
        await asyncio.sleep(every)
