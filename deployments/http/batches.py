"""`/v1/files` and `/v1/batches`: OpenAI's Batch API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.responses import FileResponse
from starlette.types import Message, Receive

from deployments.http.connection import read_body
from deployments.http.errors import as_mixture_error
from deployments.http.exchange import EXCHANGE, Exchange
from deployments.http.gate import Endpoint
from mixture.api.batches import (
    PURPOSES,
    BatchAnswer,
    BatchPage,
    BatchRequest,
    DeletedFile,
    FileAnswer,
    FilePage,
    batch_fields,
    file_fields,
    page,
    parse_batch,
)
from mixture.api.errors import ErrorBody, openai_error
from mixture.api.ids import new_id
from mixture.api.parsing import check_size
from mixture.batches import Batches
from mixture.config import BatchesConfig
from mixture.errors import InvalidQuery
from mixture.types import Caller

LONGEST = 100_000
"""Bytes of a request for a batch, which names a file and a few notes."""
COPIED = 1 << 20
"""Bytes that are copied at once."""


class BatchApi:
    """Takes files in, gives them out, and starts and stops batches."""

    def __init__(self, batches: Batches, config: BatchesConfig) -> None:
        self._batches = batches
        self._config = config

    async def upload(self, request: Request) -> Response:
        """Hand in a file, as a form with `file` and `purpose`."""
        request._receive = _bounded(request.receive, self._config.max_file_bytes)  # starlette has no limit for files
        async with _form(request) as form:
            sent, purpose = form.get("file"), form.get("purpose")
            if not isinstance(sent, UploadFile):
                raise InvalidQuery("file: send a form with the field `file`", param="file")
            if purpose not in PURPOSES:
                raise InvalidQuery(f"purpose: should be one of {', '.join(PURPOSES)}", param="purpose")
            name = (sent.filename or "file")[:255]
            kept = await asyncio.to_thread(self._keep, sent, _caller(request).id, name, str(purpose))
        return _json(file_fields(kept))

    def _keep(self, sent: UploadFile, owner: str, name: str, purpose: str) -> Any:
        incoming = self._batches.files.incoming()
        with incoming.open("wb") as data:
            while piece := sent.file.read(COPIED):
                data.write(piece)
        return self._batches.files.add(incoming, owner, name, purpose)

    async def list_files(
        self, request: Request, limit: int = 100, after: str | None = None, purpose: str | None = None
    ) -> Response:
        """Your files, the latest first."""
        mine = await asyncio.to_thread(self._batches.files.all, _caller(request).id)
        chosen = [file_fields(file) for file in mine if purpose is None or file.purpose == purpose]
        return _json(page(chosen, _limit(limit), after))

    async def get_file(self, request: Request, file_id: str) -> Response:
        """One of your files."""
        return _json(file_fields(self._batches.files.find(file_id, _caller(request).id)))

    async def file_content(self, request: Request, file_id: str) -> Response:
        """What is in one of your files."""
        found = self._batches.files.find(file_id, _caller(request).id)
        return FileResponse(self._batches.files.path(found), media_type="application/octet-stream")

    async def delete_file(self, request: Request, file_id: str) -> Response:
        """Remove one of your files."""
        self._batches.files.remove(self._batches.files.find(file_id, _caller(request).id))
        return _json({"id": file_id, "object": "file", "deleted": True})

    async def create(self, request: Request) -> Response:
        """Start a batch: every request of a file is answered, beside live traffic."""
        asked = parse_batch(await read_body(request.receive, None, LONGEST))
        made = self._batches.create(_caller(request), asked.endpoint, asked.input_file_id, asked.metadata)
        return _json(batch_fields(made))

    async def list_batches(self, request: Request, limit: int = 20, after: str | None = None) -> Response:
        """Your batches, the latest first."""
        mine = await asyncio.to_thread(self._batches.all, _caller(request).id)
        return _json(page([batch_fields(batch) for batch in mine], _limit(limit), after))

    async def get_batch(self, request: Request, batch_id: str) -> Response:
        """One of your batches, and how far it is."""
        return _json(batch_fields(self._batches.find(batch_id, _caller(request).id)))

    async def cancel(self, request: Request, batch_id: str) -> Response:
        """Stop a batch. What is under way is finished, and what was answered can be had."""
        return _json(batch_fields(self._batches.cancel(self._batches.find(batch_id, _caller(request).id))))


def add_batches(app: FastAPI, api: BatchApi) -> None:
    """The paths, with what they answer for the OpenAPI document."""
    known: dict[str, Any] = {
        "tags": ["batches"],
        "responses": {
            400: {"model": ErrorBody, "description": "The request is wrong; `param` names the field"},
            401: {"model": ErrorBody, "description": "No key, or a wrong one"},
            404: {"model": ErrorBody, "description": "There is no such file or batch"},
            413: {"model": ErrorBody, "description": "The file is too large"},
        },
    }
    form = {"type": "object", "required": ["file", "purpose"], "properties": FORM}
    upload = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}
    body = {"requestBody": {"required": True, "content": {"application/json": {"schema": _schema()}}}}
    app.add_api_route(
        "/v1/files", api.upload, methods=["POST"], response_model=FileAnswer, openapi_extra=upload, **known
    )
    app.add_api_route("/v1/files", api.list_files, response_model=FilePage, **known)
    app.add_api_route("/v1/files/{file_id}", api.get_file, response_model=FileAnswer, **known)
    app.add_api_route("/v1/files/{file_id}", api.delete_file, methods=["DELETE"], response_model=DeletedFile, **known)
    app.add_api_route("/v1/files/{file_id}/content", api.file_content, response_class=FileResponse, **known)
    app.add_api_route(
        "/v1/batches", api.create, methods=["POST"], response_model=BatchAnswer, openapi_extra=body, **known
    )
    app.add_api_route("/v1/batches", api.list_batches, response_model=BatchPage, **known)
    app.add_api_route("/v1/batches/{batch_id}", api.get_batch, response_model=BatchAnswer, **known)
    app.add_api_route(
        "/v1/batches/{batch_id}/cancel", api.cancel, methods=["POST"], response_model=BatchAnswer, **known
    )


FORM: dict[str, Any] = {
    "file": {"type": "string", "format": "binary"},
    "purpose": {"type": "string", "enum": list(PURPOSES)},
}


def _schema() -> dict[str, Any]:
    return BatchRequest.model_json_schema()


class Asking:
    """Answers requests of batches as the gateway answers those of clients, by the same endpoints."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints

    async def __call__(self, path: str, body: dict[str, Any], caller: Caller) -> tuple[int, str, Any]:
        """See `mixture.batches.Ask`."""
        scope: MutableMapping[str, Any] = {"type": "http", "method": "POST", "path": path, "headers": []}
        exchange = Exchange(scope, path, {}, new_id("req_"), lambda error, _: openai_error(error))
        exchange.trace.caller = caller
        waiting, sent = [{"type": "http.request", "body": orjson.dumps(body), "more_body": False}], bytearray()

        async def receive() -> Message:
            if not waiting:
                await asyncio.Event().wait()  # nobody leaves
            return waiting.pop()

        async def send(message: Message) -> None:
            sent.extend(message.get("body", b""))

        try:
            await self._endpoints[path](exchange, receive, send)
        except Exception as caught:
            error = as_mixture_error(caught)
            return error.status, exchange.id, orjson.loads(openai_error(error))
        return exchange.status, exchange.id, orjson.loads(bytes(sent))


@asynccontextmanager
async def _form(request: Request) -> AsyncIterator[FormData]:
    """The form that was sent; its files are closed at the end. Raises InvalidQuery."""
    try:
        form = await request.form(max_files=1, max_fields=8)
    except (MultiPartException, HTTPException) as error:  # inside an application starlette makes one of the other
        said = error.message if isinstance(error, MultiPartException) else error.detail
        raise InvalidQuery(f"the form can't be read: {said}", code="invalid_form") from None
    try:
        yield form
    finally:
        await form.close()


def _caller(request: Request) -> Caller:
    exchange: Exchange = request.scope[EXCHANGE]
    return exchange.trace.caller


def _limit(limit: int) -> int:
    if not 1 <= limit <= 10_000:
        raise InvalidQuery("limit: should be from 1 to 10000", param="limit")
    return limit


def _bounded(receive: Receive, most: int) -> Receive:
    """`receive` that raises QueryTooLarge once there are more than so many bytes, and a little for the form around."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        check_size(size, most + 10_000)
        return message

    return counted


def _json(value: Any) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
