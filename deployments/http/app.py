"""The HTTP application: every path, behind the gate."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from deployments.http.access_log import AccessLog, open_log
from deployments.http.auth import Keys
from deployments.http.batches import Asking, BatchApi, add_batches
from deployments.http.caching import add_cache
from deployments.http.completions import ANTHROPIC, OPENAI, Completions
from deployments.http.docs import add_docs
from deployments.http.documents import Documents, Searches, add_documents
from deployments.http.embeddings import Embeddings
from deployments.http.errors import add_error_responses
from deployments.http.estimates import Estimates
from deployments.http.feedback import Feedback
from deployments.http.gate import OPEN, Endpoint, Gate, Load
from deployments.http.information import Information, add_information
from deployments.http.metrics import Metrics, Teller, add_metrics
from deployments.http.routes import ESTIMATES, SCHEMES, declare
from deployments.http.usage import add_usage
from deployments.http.websocket import ChatSocket
from mixture import Mixture, __version__
from mixture.api.models import ModelList
from mixture.batches import Batches, Worker
from mixture.config import ServerConfig
from mixture.feedback import FeedbackHost
from mixture.types import Embedder

DESCRIPTION = (
    "Many language models behind one endpoint. Any OpenAI or Anthropic client works; `model` is an expert, a strategy, "
    "an alias, or `auto`. Send the server's key as `Authorization: Bearer KEY` or `x-api-key: KEY`. "
    "`/ws/chat` takes `{type: ask, id, messages, ...}` and `{type: cancel, id}` and sends events as they happen."
)


class GatedApp(FastAPI):
    """A FastAPI application that every request and every WebSocket reaches through `gate`."""

    gate: Gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry."""
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
        else:
            await self.gate(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with the ways to send a key."""
        document = super().openapi()
        document["components"]["securitySchemes"] = SCHEMES
        document["security"] = [{name: []} for name in SCHEMES]
        return document


@asynccontextmanager
async def _living(
    app: FastAPI,
    *,
    information: Information,
    mixture: Mixture,
    works: Sequence[Callable[[], Coroutine[Any, Any, None]]],
    log: AccessLog | None,
) -> AsyncIterator[None]:
    """The life of the application: `works` go on beside the requests until its end."""
    if mixture.ledger is not None:
        await mixture.ledger.start()
    app.openapi()  # made and kept now: it takes a while, and no request should wait for it
    information.ready = True
    working = [asyncio.create_task(work()) for work in works]
    yield
    information.ready = False
    for task in working:
        task.cancel()
    await asyncio.wait(working)
    await mixture.close()
    if log is not None:
        log.close()


def _counted(mixture: Mixture, server: ServerConfig) -> Load:
    """The count of requests, which strategies see too."""
    load = Load(server.max_concurrent_requests)
    mixture.panel = replace(mixture.panel, busy=lambda: load.share)
    return load


def _endpoints(
    mixture: Mixture, embedder: Embedder | None, server: ServerConfig, desk: Feedback
) -> Mapping[str, Endpoint]:
    """What the gate answers itself, by path."""
    return {
        "/v1/chat/completions": Completions(mixture, server, OPENAI, desk),
        "/v1/messages": Completions(mixture, server, ANTHROPIC, desk),
        "/v1/embeddings": Embeddings(embedder, server),
        "/v1/mixture/feedback": desk,
        "/v1/mixture/documents": Documents(mixture, server),
        "/v1/mixture/search": Searches(mixture, server),
        **dict.fromkeys(ESTIMATES, Estimates(mixture, server)),
    }


def create_app(
    mixture: Mixture,
    embedder: Embedder | None,
    server: ServerConfig,
    keys: Sequence[str],
    *,
    feedback: FeedbackHost | None = None,
    teller: Teller | None = None,
    batches: Batches | None = None,
    writes_ids: bool = True,
) -> FastAPI:
    """The whole application. Raises ValueError without a key.

    `embedder` None leaves `/v1/embeddings` out, `feedback` None what users say of answers, `batches` None files and
    batches; `teller` adds up what all gateways have counted, without one the ledger does. `writes_ids` False leaves the
    header x-request-id to whoever hosts the application (Ray Serve writes it by itself).
    """
    log = open_log(server.log, os.environ)
    listed = partial(ModelList, created=int(time.time()), embeds=embedder is not None)
    information = Information(mixture, listed, feedback)
    ledger = mixture.ledger
    metrics = Metrics(teller or (ledger.host if ledger is not None else None))
    desk = Feedback(feedback, mixture, server, mixture.config.feedback)

    load = _counted(mixture, server)
    endpoints = _endpoints(mixture, embedder, server, desk)
    works = [mixture.warm, desk.follow, mixture.follow, mixture.cache.follow, metrics.follow, mixture.documents.follow]
    if batches is not None:
        works.append(Worker(batches, mixture.config.batches, Asking(endpoints), lambda: load.share).run)
    living = partial(_living, information=information, mixture=mixture, works=works, log=log)
    app = GatedApp(
        title="Mixture", version=__version__, description=DESCRIPTION, lifespan=living, docs_url=None, redoc_url=None
    )
    declare(app)
    add_information(app, information)
    add_metrics(app, metrics)
    add_usage(app, mixture)
    add_cache(app, mixture)
    add_documents(app, mixture)
    if batches is not None:
        add_batches(app, BatchApi(batches, mixture.config.batches))
    checked = Keys(keys)
    if mixture.ledger is not None:
        mixture.ledger.changed = checked.issue
    add_docs(app, checked)
    add_error_responses(app)
    app.gate = Gate(
        app=super(GatedApp, app).__call__,
        endpoints=endpoints,
        socket=ChatSocket(mixture, server, checked, load, log, desk),
        keys=checked,
        load=load,
        log=log,
        writes_ids=writes_ids,
        open=OPEN | {"/metrics"} if server.open_metrics else OPEN,
    )
    return app
