"""Errors in the shape that each protocol's clients understand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import orjson
from pydantic import BaseModel

from mixture.errors import MixtureError


class ErrorObject(BaseModel):
    """What went wrong: `param` names the field at fault, `code` is a stable word for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """OpenAI's error."""

    error: ErrorObject


class MessagesErrorObject(BaseModel):
    """What went wrong, in Anthropic's kinds."""

    type: str
    message: str


class MessagesErrorBody(BaseModel):
    """Anthropic's error."""

    type: Literal["error"]
    error: MessagesErrorObject
    request_id: str | None = None


ANTHROPIC_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error_fields(error: MixtureError) -> dict[str, Any]:
    """OpenAI's error object: `message`, `type`, `param`, `code`."""
    return {"message": error.message, "type": error.type, "param": error.param, "code": error.code}


def openai_error(error: MixtureError) -> bytes:
    """`{"error": {"message", "type", "param", "code"}}` as JSON."""
    return orjson.dumps({"error": error_fields(error)})


def anthropic_error(
    error: MixtureError, request_id: str | None = None, report: Mapping[str, Any] | None = None
) -> bytes:
    """Anthropic's `{"type": "error", "error": {"type", "message"}, "request_id"}` as JSON; `report` is the `mixture`
    field of an error that ends a stream.
    """
    kind = ANTHROPIC_TYPES.get(error.status, "api_error")
    inner = {"type": kind, "message": error.message}
    fields: dict[str, Any] = {"type": "error", "error": inner, "request_id": request_id}
    return orjson.dumps(fields if report is None else {**fields, "mixture": report})
