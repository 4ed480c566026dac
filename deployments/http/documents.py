"""`/v1/mixture/documents` and `/v1/mixture/search`: documents kept, listed, deleted and looked through."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response

from deployments.http.connection import Receive, Send, read_body
from deployments.http.errors import send_bytes
from deployments.http.exchange import EXCHANGE, Exchange
from mixture import Mixture
from mixture.api.documents import (
    encode_entries,
    encode_kept,
    encode_passages,
    entry_fields,
    parse_documents,
    parse_search,
)
from mixture.api.errors import ErrorBody
from mixture.api.schemas import DocumentEntry, KeptDocuments
from mixture.config import ServerConfig
from mixture.retrieval.access import DEFAULT
from mixture.types import Caller

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": words}
    for status, words in {
        401: "No key, or a wrong one",
        403: "The key may read the collection and not write it",
        404: "There is no such collection or document for this key",
        503: "The index can't be reached",
    }.items()
}


class Documents:
    """Keeps documents."""

    def __init__(self, mixture: Mixture, server: ServerConfig) -> None:
        self._mixture = mixture
        self._server = server

    async def __call__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """Answer one request. Raises MixtureError while nothing has been sent."""
        body = await read_body(receive, exchange.headers.get(b"content-length"), self._server.max_body_bytes)
        collection, documents, private = parse_documents(body)
        entries = await self._mixture.documents.add(exchange.trace.caller, collection, documents, private)
        await _answer(exchange, encode_entries(collection, entries), send)


class Searches:
    """Finds passages."""

    def __init__(self, mixture: Mixture, server: ServerConfig) -> None:
        self._mixture = mixture
        self._server = server

    async def __call__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """Answer one request. Raises MixtureError while nothing has been sent."""
        body = await read_body(receive, exchange.headers.get(b"content-length"), self._server.max_body_bytes)
        search = parse_search(body, exchange.trace.caller)
        await _answer(exchange, encode_passages(await self._mixture.documents.search(search)), send)


async def _answer(exchange: Exchange, data: bytes, send: Send) -> None:
    exchange.status = 200
    await send_bytes(exchange.response_headers(b"application/json"), 200, data, send)


def add_documents(app: FastAPI, mixture: Mixture) -> None:
    """Listing and deleting, which FastAPI routes."""

    async def list_documents(request: Request, collection: str | None = None) -> Response:
        """The documents that the key may use."""
        kept = await mixture.documents.kept(_caller(request), collection)
        return Response(encode_kept(kept), media_type="application/json")

    async def delete_document(request: Request, document_id: str, collection: str = DEFAULT) -> DocumentEntry:
        """Delete a document. Its id may hold slashes."""
        entry = await mixture.documents.delete(_caller(request), collection, document_id)
        return DocumentEntry(**entry_fields(entry))

    known: dict[str, Any] = {"responses": ERRORS, "tags": ["documents"]}
    app.add_api_route("/v1/mixture/documents", list_documents, response_model=KeptDocuments, **known)
    one = "/v1/mixture/documents/{document_id:path}"
    app.add_api_route(one, delete_document, methods=["DELETE"], response_model=DocumentEntry, **known)


def _caller(request: Request) -> Caller:
    exchange: Exchange = request.scope[EXCHANGE]
    return exchange.trace.caller
