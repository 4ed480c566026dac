"""What a client can look up: the models, the strategies, and whether the server is well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response

from deployments.http.exchange import EXCHANGE, Exchange
from mixture import Mixture, __version__
from mixture.api.errors import ErrorBody
from mixture.api.experiments import ExperimentPage, status_fields
from mixture.api.models import ModelList
from mixture.api.schemas import Health, ModelEntry, ModelPage, Strategies
from mixture.config import Config
from mixture.errors import Forbidden
from mixture.feedback import FeedbackHost
from mixture.models import Models
from mixture.types import Caller

ERRORS: dict[int | str, dict[str, Any]] = {401: {"model": ErrorBody, "description": "No key, or a wrong one"}}
OWNED: dict[int | str, dict[str, Any]] = {403: {"model": ErrorBody, "description": "The key is not the server's own"}}
MISSING: dict[int | str, dict[str, Any]] = {404: {"model": ErrorBody, "description": "There is no such model"}}
NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": Health, "description": "Starting or stopping"}}


class Information:
    """The answers to look-ups. `ready` is set while requests are welcome; `listed` makes the list of models."""

    def __init__(
        self, mixture: Mixture, listed: Callable[[Config, Models], ModelList], feedback: FeedbackHost | None = None
    ) -> None:
        self.ready = False
        self._mixture = mixture
        self._listed = listed
        self._list = mixture.models, listed(mixture.config, mixture.models)
        self._feedback = feedback

    @property
    def _models(self) -> ModelList:
        """The list, made anew when the configuration has changed."""
        if self._list[0] is not self._mixture.models:
            self._list = self._mixture.models, self._listed(self._mixture.config, self._mixture.models)
        return self._list[1]

    async def list_models(self, request: Request) -> Response:
        """Every name that can be sent as `model`, with what it can do."""
        return _json(self._models.page(_caller(request)))

    async def get_model(self, request: Request, model_id: str) -> Response:
        """One of the models. The id may hold slashes and colons."""
        return _json(self._models.one(model_id, _caller(request)))

    async def list_strategies(self, request: Request) -> Response:
        """What is configured and available: experts, strategies, aliases."""
        described = self._mixture.describe(_caller(request))
        if self._feedback is not None and _caller(request).owner:
            described["feedback"] = await self._feedback.facts()
        return _json(described)

    async def list_experiments(self, request: Request) -> Response:
        """Where each experiment stands: the difference between its two ways of answering, and whether it may stop. For
        the server's own key, since it tells of everybody's requests.
        """
        owned(request)
        configs = self._mixture.experiments.configs
        found = [] if self._feedback is None or not configs else await self._feedback.experiments(configs)
        return _json({"object": "list", "data": [status_fields(status) for status in found]})

    async def live(self) -> Response:
        """Whether the process answers."""
        return _json({"status": "ok", "version": __version__})

    async def is_ready(self) -> Response:
        """Whether requests are welcome."""
        if not self.ready:
            return _json({"status": "not ready", "version": __version__}, 503)
        return _json({"status": "ok", "version": __version__})


def add_information(app: FastAPI, information: Information) -> None:
    """The look-ups, with what they answer for the OpenAPI document."""
    known: dict[str, Any] = {"responses": ERRORS, "tags": ["models"]}
    app.add_api_route("/v1/models", information.list_models, response_model=ModelPage, **known)
    one: dict[str, Any] = {"responses": {**ERRORS, **MISSING}, "tags": ["models"]}
    owners: dict[str, Any] = {"responses": {**ERRORS, **OWNED}, "tags": ["models"]}
    app.add_api_route("/v1/models/{model_id:path}", information.get_model, response_model=ModelEntry, **one)
    app.add_api_route("/v1/mixture/strategies", information.list_strategies, response_model=Strategies, **known)
    app.add_api_route("/v1/mixture/experiments", information.list_experiments, response_model=ExperimentPage, **owners)
    health: dict[str, Any] = {"response_model": Health, "tags": ["health"], "openapi_extra": {"security": []}}
    app.add_api_route("/livez", information.live, **health)
    for path in ("/health", "/readyz"):
        app.add_api_route(path, information.is_ready, responses=NOT_READY, **health)
    for path in ("/health", "/livez", "/readyz"):  # some load balancers ask without wanting the body
        probe = information.live if path == "/livez" else information.is_ready
        app.add_api_route(path, probe, methods=["HEAD"], include_in_schema=False)


def _caller(request: Request) -> Caller:
    exchange: Exchange = request.scope[EXCHANGE]
    return exchange.trace.caller


def owned(request: Request) -> None:
    """Let only the server's own keys in. Raises Forbidden."""
    if not _caller(request).owner:
        raise Forbidden("this tells of everybody's requests: only the server's own key may see it", code="owner_only")


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
