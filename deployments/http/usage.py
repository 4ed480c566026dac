"""`GET /v1/mixture/usage`: what a key asked and spent; the owner's key sees everybody's."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import FastAPI, Request, Response

from deployments.http.exchange import EXCHANGE, Exchange
from deployments.http.information import ERRORS
from mixture import Mixture
from mixture.api.errors import ErrorBody
from mixture.api.schemas import UsageAnswer
from mixture.errors import InvalidQuery
from mixture.ledger.usage import checked

WRONG: dict[int | str, dict[str, Any]] = {
    **ERRORS,
    400: {"model": ErrorBody, "description": "An unknown group or day; or there is no ledger"},
    503: {"model": ErrorBody, "description": "The ledger does not answer"},
}


def add_usage(app: FastAPI, mixture: Mixture) -> None:
    """The path, and what the OpenAPI document says of it."""

    async def usage(request: Request, by: str = "day", since: str | None = None, until: str | None = None) -> Response:
        """What was asked and spent from the day `since` to the day `until` (UTC), by what `by` names: `day`, `key`,
        `expert`, `strategy`, `model`, `purpose`, `outcome`, `request`, separated by commas.

        A key sees its own calls, the server's own key everybody's.
        """
        exchange: Exchange = request.scope[EXCHANGE]
        if mixture.ledger is None:
            raise InvalidQuery("this server keeps no ledger (ledger.url: off)", code="unsupported_parameter")
        groups = [name for name in by.split(",") if name]
        checked(groups, since, until)
        caller = exchange.trace.caller
        rows = await mixture.ledger.host.usage(None if caller.owner else caller.id, groups, since, until)
        return Response(orjson.dumps({"object": "list", "data": rows}), media_type="application/json")

    app.add_api_route("/v1/mixture/usage", usage, response_model=UsageAnswer, responses=WRONG, tags=["usage"])
