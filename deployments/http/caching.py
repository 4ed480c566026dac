"""`/v1/mixture/cache`: what a caller has in the cache, and how to be rid of it."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import FastAPI, Request, Response

from deployments.http.exchange import EXCHANGE, Exchange
from mixture import Mixture
from mixture.api.errors import ErrorBody
from mixture.api.schemas import CacheDeleted, CacheFacts

ERRORS: dict[int | str, dict[str, Any]] = {401: {"model": ErrorBody, "description": "No key, or a wrong one"}}
PATH = "/v1/mixture/cache"


def add_cache(app: FastAPI, mixture: Mixture) -> None:
    """The look-up and the deletion. Each key sees and deletes what is its own."""

    async def show(request: Request) -> Response:
        """Answers of this key that the cache of this gateway holds, and what became of this key's requests there."""
        return _json({"object": "mixture.cache", **mixture.cache.facts(_owner(request))})

    async def forget(request: Request) -> Response:
        """Forget all answers of this key."""
        return _json({"object": "mixture.cache.deleted", "deleted": await mixture.cache.clear(_owner(request))})

    known: dict[str, Any] = {"responses": ERRORS, "tags": ["cache"]}
    app.add_api_route(PATH, show, methods=["GET"], response_model=CacheFacts, **known)
    app.add_api_route(PATH, forget, methods=["DELETE"], response_model=CacheDeleted, **known)


def _owner(request: Request) -> str:
    exchange: Exchange = request.scope[EXCHANGE]
    return exchange.trace.caller.id


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
