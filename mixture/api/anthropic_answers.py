"""Anthropic's answers: a whole message, and the events of a stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from mixture.api.anthropic_citations import citations
from mixture.api.errors import anthropic_error
from mixture.api.events import progress_fields
from mixture.api.ids import new_id
from mixture.api.report import report_fields
from mixture.errors import MixtureError
from mixture.trace import Trace
from mixture.types import Answered, Chunk, Completion, Delta, Event, FinishReason, Report, ToolCall, Usage

STOP_REASONS: Mapping[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
PING = b'event: ping\ndata: {"type":"ping"}\n\n'


def encode_message(model: str, completion: Completion, report: Report, trace: Trace, *, expose: bool) -> bytes:
    """A whole answer as the JSON of a `message`. `model` is the name that was asked for."""
    content: list[dict[str, Any]] = []
    if completion.text or not completion.tool_calls:
        content.append(_text_fields(completion, report))
    content += [_use_fields(call) for call in completion.tool_calls]
    return orjson.dumps(
        {
            **_message_fields(model, content, usage_fields(report.usage)),
            "stop_reason": STOP_REASONS[completion.finish_reason],
            "mixture": report_fields(report, trace.proposals if expose else None),
        }
    )


def _text_fields(completion: Completion, report: Report) -> dict[str, Any]:
    text, notes = completion.text, completion.choices[0].annotations
    fields = {"type": "text", "text": text, "citations": list(citations(notes, text, report.passages)) or None}
    return fields | ({"annotations": list(notes)} if notes else {})


def _message_fields(model: str, content: list[dict[str, Any]], usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def usage_fields(usage: Usage) -> dict[str, int]:
    """Token counts as Anthropic gives them: the cached ones are not among the input tokens."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    }


def _use_fields(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": _arguments(call.arguments)}


def _arguments(text: str) -> dict[str, Any]:
    """The arguments as an object, which the protocol demands; what is none is kept under a name that says so."""
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        value = None
    return value if isinstance(value, dict) else {"invalid_json": text}


class MessageStream:
    """Writes one stream. Progress rides in `ping` events, which clients skip."""

    def __init__(self, model: str, trace: Trace, *, expose: bool = False) -> None:
        self._model = model
        self._trace = trace
        self._expose = expose
        self._block = -1
        self._open: str | int | None = None
        """What the open block is: "text", or the index of a tool call."""

    def opening(self) -> bytes:
        """The start of the message: sent at once, before any expert has answered."""
        message = _message_fields(self._model, [], usage_fields(Usage()))
        return _event("message_start", {"message": message})

    def keepalive(self) -> bytes:
        """What is sent into a silence."""
        return PING

    def event(self, event: Event) -> bytes:
        """What an event becomes; empty when it says nothing to the client."""
        if isinstance(event, Delta):
            return b"".join(self._delta(event.chunk))
        if isinstance(event, Answered):
            return b"".join(self._closing(event.completion, event.report))
        progress = progress_fields(event, expose=self._expose)
        return b"" if progress is None else _event("ping", {"mixture": progress})

    def failure(self, error: MixtureError, request_id: str) -> bytes:
        """A failure after the stream has begun, with the report of what was done until then; nothing follows it."""
        report = report_fields(self._trace.report())
        return b"event: error\ndata: " + anthropic_error(error, request_id, report) + b"\n\n"

    def _delta(self, chunk: Chunk) -> Iterator[bytes]:
        if chunk.text:
            yield from self._enter("text", {"type": "text", "text": "", "citations": None})
            yield self._piece({"type": "text_delta", "text": chunk.text})
        for call in chunk.tool_calls:
            start = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            yield from self._enter(call.index, start)
            if call.arguments:
                yield self._piece({"type": "input_json_delta", "partial_json": call.arguments})

    def _enter(self, what: str | int, block: dict[str, Any]) -> Iterator[bytes]:
        if self._open == what:
            return
        yield from self._leave()
        self._open = what
        self._block += 1
        yield _event("content_block_start", {"index": self._block, "content_block": block})

    def _leave(self) -> Iterator[bytes]:
        if self._open is not None:
            self._open = None
            yield _event("content_block_stop", {"index": self._block})

    def _piece(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", {"index": self._block, "delta": delta})

    def _closing(self, completion: Completion, report: Report) -> Iterator[bytes]:
        if self._block < 0:  # nothing of it was written live
            yield from self._delta(Chunk(completion.text, completion.tool_calls))
        notes = completion.choices[0].annotations
        if self._open == "text":
            for citation in citations(notes, completion.text, report.passages):
                yield self._piece({"type": "citations_delta", "citation": citation})
        yield from self._leave()
        delta = {"stop_reason": STOP_REASONS[completion.finish_reason], "stop_sequence": None}
        proposals = self._trace.proposals if self._expose else None
        fields = {"delta": delta, "usage": usage_fields(report.usage), "mixture": report_fields(report, proposals)}
        yield _event("message_delta", fields | ({"annotations": list(notes)} if notes else {}))
        yield _event("message_stop", {})


def _event(kind: str, fields: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))
