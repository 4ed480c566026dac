"""What the OpenAPI document says of the endpoints that the gate answers itself.

Each function here is a declaration: its signature and docstring are the document's, and the gate, which knows the same
paths, answers before routing gets to it. (Validation by FastAPI would cost more than the whole rest of a request.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI

from mixture.api.anthropic_messages import MessagesRequest
from mixture.api.documents import DocumentsRequest, SearchRequest
from mixture.api.embeddings import MODELS, EmbeddingsRequest
from mixture.api.errors import ErrorBody, MessagesErrorBody
from mixture.api.feedback import FeedbackRequest
from mixture.api.openai_chat import ChatRequest
from mixture.api.schemas import (
    ChatAnswer,
    DocumentsAnswer,
    EmbeddingsAnswer,
    EstimateAnswer,
    FeedbackAnswer,
    MessageAnswer,
    SearchAnswer,
)

STATUSES: dict[int, str] = {
    400: "The request is wrong; `param` names the field",
    401: "No key, or a wrong one",
    402: "The budget is spent",
    403: "The key may not do this",
    404: "There is no such model, request, collection or document, or not for this key",
    413: "The body is too large",
    422: "No expert takes such a request",
    429: "The experts ask to wait",
    499: "The client left",
    500: "Something broke inside the server",
    502: "No expert could answer",
    503: "The server has too much to do",
    504: "It took too long",
}
EVENTS: dict[str, Any] = {
    "text/event-stream": {
        "schema": {
            "type": "object",
            "description": "One server-sent event; the data is JSON, or [DONE] at the end of an OpenAI stream",
            "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
            "required": ["data"],
        }
    }
}


async def chat_completions(request: ChatRequest) -> None:
    """Answer a conversation, in OpenAI's form.

    With `stream`, the answer comes as server-sent events: a role chunk at once, progress of an ensemble in a `mixture`
    field beside an empty delta, tokens as they are written, and the report with the finish reason.
    """


async def messages(request: MessagesRequest) -> None:
    """Answer a conversation, in Anthropic's form, with Anthropic's own events when `stream` is set."""


async def embeddings(request: EmbeddingsRequest) -> None:
    """Turn texts into vectors with MiniLM."""


async def estimate(request: ChatRequest) -> None:
    """Say what would be done for a conversation, why, and what it is likely to cost; no expert is asked.

    The body is that of `/v1/chat/completions`; `/v1/mixture/explain` is the same.
    """


async def feedback(request: FeedbackRequest) -> None:
    """Say how good an answer was. Its request is named by the `x-request-id` of the answer, and by the same key."""


async def documents(request: DocumentsRequest) -> None:
    """Keep documents, so that answers can draw on them. One with an id that is there takes its place."""


async def search(request: SearchRequest) -> None:
    """Find passages of documents."""


SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
"""The ways to send a key."""


def declare(app: FastAPI) -> None:
    """Put the endpoints into the document."""
    _declare(app, "/v1/chat/completions", chat_completions, ChatAnswer, ErrorBody, streams=True)
    _declare(app, "/v1/messages", messages, MessageAnswer, MessagesErrorBody, streams=True)
    _declare(app, "/v1/embeddings", embeddings, EmbeddingsAnswer, ErrorBody, streams=False)
    _declare(app, "/v1/mixture/feedback", feedback, FeedbackAnswer, ErrorBody, streams=False)
    _declare(app, "/v1/mixture/documents", documents, DocumentsAnswer, ErrorBody, streams=False)
    _declare(app, "/v1/mixture/search", search, SearchAnswer, ErrorBody, streams=False)
    for path in ESTIMATES:
        _declare(app, path, estimate, EstimateAnswer, ErrorBody, streams=False)


_QUESTION: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "What is 15% of 80 plus 3/7?"}]}
ESTIMATES = ("/v1/mixture/estimate", "/v1/mixture/explain")
"""The two names of one endpoint."""
EXAMPLES: dict[str, dict[str, Any]] = {
    **dict.fromkeys(ESTIMATES, _QUESTION),
    "/v1/mixture/documents": {"documents": [{"id": "tea.md", "text": "# Tea\n\nGreen tea takes two minutes."}]},
    "/v1/mixture/search": {"query": "How long does green tea take?"},
    "/v1/mixture/feedback": {"request_id": "req_...", "thumbs": "up"},
    "/v1/chat/completions": _QUESTION,
    "/v1/messages": {**_QUESTION, "max_tokens": 1024},
    "/v1/embeddings": {"model": MODELS[0], "input": ["A text.", "Another."]},
}
"""Requests that a server answers with no model at all, for those who try it in the browser."""


def _declare(
    app: FastAPI, path: str, endpoint: Callable[..., Any], answer: type, error: type, *, streams: bool
) -> None:
    example = {"requestBody": {"content": {"application/json": {"example": EXAMPLES[path]}}}}
    responses: dict[int | str, dict[str, Any]] = {
        status: {"model": error, "description": words} for status, words in STATUSES.items()
    }
    responses[200] = {"model": answer, "description": "The answer"}
    if streams:
        responses[200]["content"] = EVENTS
    app.add_api_route(path, endpoint, methods=["POST"], responses=responses, tags=["answers"], openapi_extra=example)
