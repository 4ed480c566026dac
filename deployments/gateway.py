"""The ingress: the HTTP application of `deployments.http`, in a Ray Serve replica."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from ray import serve

from deployments.http.app import create_app
from deployments.remote import Hosted
from mixture import Mixture
from mixture.batches import Batches
from mixture.config import Config, ConfigError, parse_live
from mixture.logs import write_log
from mixture.types import Message

logger = logging.getLogger("mixture.gateway")

OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""Python's own 700 come together within a few requests, which hardly leave cycles behind: looking for them that often
takes processor time that requests need."""


@serve.deployment
@serve.ingress()
class Gateway:
    """Runs strategies where the requests arrive, so that tokens cross no further process.

    `config` is complete: discovery is done, `server.api_keys` is not empty and `batches.folder` is set. `hosted` says
    which experts and parts run in deployments of their own; everything else is made here, in the replica.
    """

    def __init__(self, config: Config, hosted: Hosted) -> None:
        write_log("gateway", os.environ)
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 20, 20)
        self._config = config
        self._embedder = hosted.embedder
        self._feedback = hosted.feedback
        self._ledger = hosted.ledger
        self._batches = Batches(Path(config.batches.folder)) if config.batches.folder else None
        self._mixture = Mixture.from_config(config, hosts=hosted.hosts())
        if hosted.cache is not None:
            self._mixture.cache.share(hosted.cache)
        hosted.warm()

    async def reconfigure(self, user_config: Mapping[str, Any] | None) -> None:
        """Answer by a `user_config` (`mixture.config.LiveConfig`) from the next request on. One that is wrong is told
        in the log and changes nothing: raised, it would have Serve replace this replica, and the next, without end.
        """
        try:
            self._mixture.reconfigure(parse_live(user_config, os.environ))
        except ConfigError as error:
            logger.error("user_config of the gateway is refused, and the one before stays: %s", error.message)
        else:
            logger.info("the gateway answers by a new user_config")

    async def attempt(self, messages: Sequence[Message], model: str) -> dict[str, Any]:
        """For batches, which ask through the handle: what `model` says, as the plain data of an
        `mixture.evaluation.attempts.Attempt`.
        """
        from mixture.evaluation.arms import LocalAnswerer  # for those who evaluate

        return asdict(await LocalAnswerer(self._mixture).ask(messages, model))

    def __serve_build_asgi_app__(self) -> FastAPI:  # the name is Ray Serve's
        return create_app(
            self._mixture,
            self._embedder,
            self._config.server,
            self._config.server.api_keys,
            feedback=self._feedback,
            teller=self._ledger,
            batches=self._batches,
            writes_ids=False,
        )
