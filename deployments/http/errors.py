"""Errors on their way out: whatever was raised, as a response in the protocol's own shape."""

from __future__ import annotations

import logging
import math

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from deployments.http.connection import Send
from deployments.http.exchange import EXCHANGE, Exchange, HeaderList, report_headers
from mixture.api.parsing import shown
from mixture.errors import MixtureError, Overloaded, Unauthenticated

logger = logging.getLogger("mixture.gateway")


class InternalError(MixtureError):
    """Something broke that should not; the server's log has it."""

    default_code = "internal_error"


def as_mixture_error(error: Exception) -> MixtureError:
    """`error` itself when it is one of ours; anything else is logged with its traceback and told without."""
    if isinstance(error, MixtureError):
        return error
    logger.error("a request failed in a way that it should not", exc_info=error)
    return InternalError("something broke inside the server; its log says more")


async def send_error(exchange: Exchange, error: MixtureError, send: Send) -> None:
    """The whole response for `error`."""
    exchange.status = error.status
    exchange.error = error.code or error.type
    headers = exchange.response_headers(b"application/json")
    headers += _error_headers(error)
    if exchange.trace.calls:
        headers += report_headers(exchange.trace.report(), exchange.trace)
    await send_bytes(headers, error.status, exchange.encode_error(error, exchange.id), send)


def _error_headers(error: MixtureError) -> HeaderList:
    headers: HeaderList = []
    wait = error.retry_after
    if wait is None and isinstance(error, Overloaded):
        wait = 1.0
    if wait is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(wait))))
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


async def send_bytes(headers: HeaderList, status: int, body: bytes, send: Send) -> None:
    """A whole response."""
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def add_error_responses(app: FastAPI) -> None:
    """Let errors of ordinary routes leave in the shape that the client's protocol has."""

    async def ours(request: Request, error: Exception) -> Response:
        exchange: Exchange = request.scope[EXCHANGE]
        known = as_mixture_error(error)
        exchange.error = known.code or known.type
        body = exchange.encode_error(known, exchange.id)
        return Response(body, known.status, media_type="application/json")

    async def routing(request: Request, error: Exception) -> Response:
        exchange: Exchange = request.scope[EXCHANGE]
        status, headers = getattr(error, "status_code", 404), dict(getattr(error, "headers", None) or {})
        detail = getattr(error, "detail", "Not Found")
        if status == 405:
            headers["Allow"] = ", ".join(sorted(_methods(request)))
        words = f"{exchange.method} {shown(exchange.path, 128)}: {detail}; see /docs for what there is"
        exchange.error = "not_found" if status == 404 else "method_not_allowed"
        body = exchange.encode_error(_RoutingError(words, code=exchange.error), exchange.id)
        return Response(body, status, headers, media_type="application/json")

    app.add_exception_handler(MixtureError, ours)
    app.add_exception_handler(HTTPException, routing)


def _methods(request: Request) -> set[str]:
    """Every method that there is at this path; Starlette names those of the first route only."""
    path = request.scope["path"]
    routes = (route for route in request.app.routes if isinstance(route, Route) and route.path_regex.match(path))
    return {method for route in routes for method in route.methods or ()}


class _RoutingError(MixtureError):
    """There is nothing at this path, or not with this method."""

    status = 404
    type = "invalid_request_error"
