"""OpenAI's chat answers: a whole completion, and the chunks of a stream. These run for every request and every token.

The chunks are what official clients survive: a role chunk first, progress as a `mixture` field in chunks with an empty
delta, and the report with the finish reason. `choices` is empty only in the usage chunk.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import orjson

from mixture.api.errors import openai_error
from mixture.api.events import call_fields, progress_fields
from mixture.api.ids import new_id
from mixture.api.report import report_fields
from mixture.errors import MixtureError
from mixture.trace import Trace
from mixture.types import Answered, Choice, Chunk, Completion, Delta, Event, Report, ToolCall, Usage

DONE = b"data: [DONE]\n\n"
KEEPALIVE = b": keepalive\n\n"


def encode_chat(model: str, completion: Completion, report: Report, trace: Trace, *, expose: bool) -> bytes:
    """A whole answer as the JSON of a `chat.completion`. `model` is the name that was asked for."""
    return orjson.dumps(
        {
            "id": new_id("chatcmpl-"),
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
            "choices": [_choice_fields(index, choice) for index, choice in enumerate(completion.choices)],
            "usage": usage_fields(report.usage),
            "system_fingerprint": None,
            "mixture": report_fields(report, trace.proposals if expose else None),
        }
    )


def _choice_fields(index: int, choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
    if choice.tool_calls:
        message["content"] = choice.text or None
        message["tool_calls"] = [call_fields(call) for call in choice.tool_calls]
    if choice.annotations:
        message["annotations"] = choice.annotations
    return {
        "index": index,
        "message": message,
        "logprobs": {"content": choice.logprobs, "refusal": None} if choice.logprobs else None,
        "finish_reason": choice.finish_reason,
    }


def usage_fields(usage: Usage) -> dict[str, Any]:
    """Token counts as OpenAI gives them."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


class ChatStream:
    """Writes one stream. `include_usage` and `expose` (the texts of proposals) are what the request asked for."""

    def __init__(
        self, model: str, trace: Trace, *, n: int = 1, include_usage: bool = False, expose: bool = False
    ) -> None:
        head = {
            "id": new_id("chatcmpl-"),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        self._head = b"data: " + orjson.dumps(head)[:-1]
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._trace = trace
        self._n = n
        self._include_usage = include_usage
        self._expose = expose
        self._begun: set[int] = set()
        self._plain = [self._head + b',"choices":[{"index":%d,"delta":{"content":' % index for index in range(n)]
        self._plain_tail = b'},"logprobs":null,"finish_reason":null}]' + self._tail

    def opening(self) -> bytes:
        """The role chunk of each choice: sent at once, before any expert has answered."""
        delta = {"role": "assistant", "content": "", "refusal": None}
        return b"".join(self._chunk([_delta_fields(index, delta)]) for index in range(self._n))

    def keepalive(self) -> bytes:
        """What is sent into a silence: a comment, which clients skip."""
        return KEEPALIVE

    def event(self, event: Event) -> bytes:
        """What an event becomes; empty when it says nothing to the client."""
        if type(event) is Delta:
            return self._delta(event.chunk)
        if isinstance(event, Answered):
            return b"".join(self._closing(event.completion, event.report))
        progress = progress_fields(event, expose=self._expose)
        return b"" if progress is None else self._chunk([_delta_fields(0, {})], {"mixture": progress})

    def failure(self, error: MixtureError, request_id: str) -> bytes:
        """A failure after the stream has begun, behind the report of what was done until then; nothing follows it."""
        report = {"mixture": report_fields(self._trace.report())}
        return self._chunk([_delta_fields(0, {})], report) + b"data: " + openai_error(error) + b"\n\n"

    def _delta(self, chunk: Chunk) -> bytes:
        # The finish reason waits for the report, which goes out with it.
        if chunk.text and not (chunk.tool_calls or chunk.logprobs or chunk.annotations) and chunk.index < self._n:
            self._begun.add(chunk.index)
            return self._plain[chunk.index] + orjson.dumps(chunk.text) + self._plain_tail
        if chunk.text or chunk.tool_calls or chunk.logprobs or chunk.annotations:
            self._begun.add(chunk.index)
            return self._chunk([_chunk_fields(chunk)])
        return b""

    def _closing(self, completion: Completion, report: Report) -> Iterator[bytes]:
        last = len(completion.choices) - 1
        for index, choice in enumerate(completion.choices):
            if index not in self._begun:  # nothing of it was written live
                yield self._delta(_whole(choice, index))
            fields = _delta_fields(index, {}, choice.finish_reason)
            proposals = self._trace.proposals if self._expose else None
            yield self._chunk([fields], {"mixture": report_fields(report, proposals)} if index == last else None)
        if self._include_usage:
            usage = orjson.dumps(usage_fields(report.usage))
            yield self._head + b',"choices":[],"usage":' + usage + b"}\n\n"
        yield DONE

    def _chunk(self, choices: list[dict[str, Any]], more: dict[str, Any] | None = None) -> bytes:
        extra = b"," + orjson.dumps(more)[1:-1] if more else b""
        return self._head + b',"choices":' + orjson.dumps(choices) + extra + self._tail


def _whole(choice: Choice, index: int) -> Chunk:
    """All of a choice; its finish reason goes out with the report."""
    return Chunk(choice.text, choice.tool_calls, None, None, index, choice.logprobs, choice.annotations)


def _delta_fields(index: int, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _chunk_fields(chunk: Chunk) -> dict[str, Any]:
    delta: dict[str, Any] = {"content": chunk.text} if chunk.text else {}
    if chunk.tool_calls:
        delta["tool_calls"] = [_fragment_fields(call) for call in chunk.tool_calls]
    if chunk.annotations:
        delta["annotations"] = chunk.annotations
    fields = _delta_fields(chunk.index, delta)
    if chunk.logprobs:
        fields["logprobs"] = {"content": chunk.logprobs, "refusal": None}
    return fields


def _fragment_fields(call: ToolCall) -> dict[str, Any]:
    if call.id or call.name:
        return {"index": call.index, **call_fields(call)}
    return {"index": call.index, "function": {"arguments": call.arguments}}
