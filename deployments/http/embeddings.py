"""`POST /v1/embeddings`."""

from __future__ import annotations

from deployments.http.connection import Receive, Send, Watch, read_body
from deployments.http.errors import send_bytes
from deployments.http.exchange import Exchange
from mixture.api.embeddings import encode_embeddings, parse_embeddings
from mixture.config import ServerConfig
from mixture.errors import UnknownModel
from mixture.types import Embedder


class Embeddings:
    """Answers with sentence vectors."""

    def __init__(self, embedder: Embedder | None, server: ServerConfig) -> None:
        self._embedder = embedder
        self._server = server

    async def __call__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """Answer one request. Raises MixtureError while nothing has been sent, ClientGone when nobody listens."""
        body = await read_body(receive, exchange.headers.get(b"content-length"), self._server.max_body_bytes)
        asked = parse_embeddings(body)
        if self._embedder is None:
            raise UnknownModel("this server has no embedding model", param="model")
        exchange.model = asked.model
        with Watch(receive):
            vectors = await self._embedder.embed(asked.texts)
        data = encode_embeddings(asked, vectors)
        exchange.status = 200
        await send_bytes(exchange.response_headers(b"application/json"), 200, data, send)
