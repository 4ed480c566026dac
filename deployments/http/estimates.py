"""`POST /v1/mixture/estimate`, and `/v1/mixture/explain`, which is the same."""

from __future__ import annotations

import orjson

from deployments.http.connection import Receive, Send, read_body
from deployments.http.errors import send_bytes
from deployments.http.exchange import Exchange
from mixture import Mixture
from mixture.api.estimates import estimate_fields
from mixture.api.openai_chat import parse_chat
from mixture.config import ServerConfig


class Estimates:
    """Says what would be done for a request, without asking any expert."""

    def __init__(self, mixture: Mixture, server: ServerConfig) -> None:
        self._mixture = mixture
        self._server = server

    async def __call__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """Answer one request. Raises MixtureError while nothing has been sent."""
        body = await read_body(receive, exchange.headers.get(b"content-length"), self._server.max_body_bytes)
        asked = parse_chat(body, self._server.max_messages, request_id=exchange.id, session=exchange.session)
        exchange.model = asked.model
        if self._server.log_prompts:
            exchange.prompt = asked.query.text
        found = await self._mixture.estimate(asked.query, asked.model, asked.wishes, trace=exchange.trace)
        data = orjson.dumps(estimate_fields(found), default=str)
        exchange.status = 200
        await send_bytes(exchange.response_headers(b"application/json"), 200, data, send)
