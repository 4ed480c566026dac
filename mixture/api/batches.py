"""OpenAI's Batch API: what clients send and get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mixture.api.parsing import Body, parse
from mixture.batches import ENDPOINTS, Batch, File
from mixture.errors import InvalidQuery

PURPOSES = ("batch", "user_data")


class BatchRequest(Body):
    """What `POST /v1/batches` takes."""

    input_file_id: str
    """A file that was handed in with the purpose `batch`."""
    endpoint: str
    """What its requests are for: `/v1/chat/completions` or `/v1/embeddings`."""
    completion_window: str
    """The time for all of it: `24h`."""
    metadata: Annotated[dict[str, str], Field(max_length=16)] | None = None
    """The client's own notes."""


class FileAnswer(BaseModel):
    """A file."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    filename: str
    purpose: str
    status: Literal["processed"]


class FilePage(BaseModel):
    """Files, the latest first."""

    object: Literal["list"]
    data: list[FileAnswer]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedFile(BaseModel):
    """A file that is gone."""

    id: str
    object: Literal["file"]
    deleted: bool


class BatchAnswer(BaseModel):
    """A batch, with when each state began."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["batch"]
    endpoint: str
    input_file_id: str
    status: str
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    expires_at: int
    request_counts: dict[str, int]
    metadata: dict[str, str] | None


class BatchPage(BaseModel):
    """Batches, the latest first."""

    object: Literal["list"]
    data: list[BatchAnswer]
    first_id: str | None
    last_id: str | None
    has_more: bool


def parse_batch(body: bytes) -> BatchRequest:
    """The request in `body`. Raises InvalidQuery, naming the field."""
    asked = parse(body, BatchRequest)
    if asked.endpoint not in ENDPOINTS:
        raise InvalidQuery(f"endpoint: should be one of {', '.join(ENDPOINTS)}", param="endpoint")
    if asked.completion_window != "24h":
        raise InvalidQuery("completion_window: only 24h is possible", param="completion_window")
    return asked


def file_fields(file: File) -> dict[str, Any]:
    """A file as plain data."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created_at,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
    }


def batch_fields(batch: Batch) -> dict[str, Any]:
    """A batch as plain data."""
    times = batch.times
    states = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
    errors = {"object": "list", "data": list(batch.errors)} if batch.errors else None
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": errors,
        "input_file_id": batch.input_file_id,
        "completion_window": "24h",
        "status": batch.status,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "created_at": times["validating"],
        "expires_at": batch.expires_at,
        **{f"{state}_at": times.get(state) for state in states},
        "request_counts": {"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        "metadata": None if batch.metadata is None else dict(batch.metadata),
    }


def page(found: Sequence[dict[str, Any]], limit: int, after: str | None) -> dict[str, Any]:
    """A page of a list, in OpenAI's form. Raises InvalidQuery when `after` is not in it."""
    ids = [one["id"] for one in found]
    if after is not None and after not in ids:
        raise InvalidQuery(f"after: {after[:64]!r} is not in the list", param="after")
    start = 0 if after is None else ids.index(after) + 1
    part = list(found[start : start + limit])
    return {
        "object": "list",
        "data": part,
        "first_id": part[0]["id"] if part else None,
        "last_id": part[-1]["id"] if part else None,
        "has_more": start + limit < len(found),
    }
