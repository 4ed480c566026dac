"""What the real APIs put on the wire: OpenAI's chat completions and Anthropic's messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import orjson

from mixture.types import Usage
from tests.contract.upstream import response


class Dialect(Protocol):
    """One API's way to say the same things."""

    path: str
    usage: Usage
    """What every answer reports."""
    begun: int
    """How many events of `pieces` come before the first text."""

    def whole(self, text: str, calls: Sequence[tuple[str, str, str]] = ()) -> bytes: ...
    def pieces(self, texts: Sequence[str], calls: Sequence[tuple[str, str, str]] = ()) -> list[bytes]: ...
    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> bytes: ...
    def overflow(self) -> bytes: ...
    def late_error(self) -> bytes: ...


def data(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


HEAD = {"id": "chatcmpl-1", "created": 1763650000, "model": "gpt"}
COUNTS = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 100, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 10, "audio_tokens": 0},
}


class OpenAIDialect:
    path = "/v1/chat/completions"
    usage = Usage(120, 30, 100, 0, 10)
    begun = 1

    def whole(self, text: str, calls: Sequence[tuple[str, str, str]] = ()) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None, "annotations": []}
        if calls:
            message["tool_calls"] = [
                {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
                for id_, name, arguments in calls
            ]
        reason = "tool_calls" if calls else "stop"
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        return response({**HEAD, "object": "chat.completion", "choices": [choice], "usage": COUNTS})

    def pieces(self, texts: Sequence[str], calls: Sequence[tuple[str, str, str]] = ()) -> list[bytes]:
        events = [self.piece({"role": "assistant", "content": "", "refusal": None})]
        events += [self.piece({"content": text}) for text in texts]
        for index, (id_, name, arguments) in enumerate(calls):
            head = {"index": index, "id": id_, "type": "function", "function": {"name": name, "arguments": ""}}
            events.append(self.piece({"tool_calls": [head]}))
            for half in (arguments[:3], arguments[3:]):
                events.append(self.piece({"tool_calls": [{"index": index, "function": {"arguments": half}}]}))
        events.append(self.piece({}, "tool_calls" if calls else "stop"))
        events.append(data({**HEAD, "object": "chat.completion.chunk", "choices": [], "usage": COUNTS}))
        return [*events, b"data: [DONE]\n\n"]

    def piece(self, delta: dict[str, Any], reason: str | None = None, index: int = 0) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}
        return data({**HEAD, "object": "chat.completion.chunk", "choices": [choice], "usage": None})

    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> bytes:
        body = {"error": {"message": message, "type": "some_error", "param": None, "code": None}}
        return response(body, status, headers)

    def overflow(self) -> bytes:
        message = (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. Please"
            " reduce the length of the messages."
        )
        code = "context_length_exceeded"
        return response({"error": {"message": message, "type": "invalid_request_error", "code": code}}, 400)

    def late_error(self) -> bytes:
        return data({"error": {"message": "The server had an error", "type": "server_error", "code": None}})


class AnthropicDialect:
    path = "/v1/messages"
    usage = Usage(120, 30, 80, 20, 10)
    begun = 3

    def whole(self, text: str, calls: Sequence[tuple[str, str, str]] = ()) -> bytes:
        content: list[dict[str, Any]] = [{"type": "thinking", "thinking": "Hm.", "signature": "x"}]
        content += [{"type": "text", "text": text}] if text else []
        content += [
            {"type": "tool_use", "id": id_, "name": name, "input": orjson.loads(arguments)}
            for id_, name, arguments in calls
        ]
        body = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": content,
            "stop_reason": "tool_use" if calls else "end_turn",
            "usage": {
                "input_tokens": 20,
                "cache_creation_input_tokens": 20,
                "cache_read_input_tokens": 80,
                "output_tokens": 30,
                "output_tokens_details": {"thinking_tokens": 10},
            },
        }
        return response(body)

    def pieces(self, texts: Sequence[str], calls: Sequence[tuple[str, str, str]] = ()) -> list[bytes]:
        counts = {"input_tokens": 20, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 80}
        message = {"id": "msg_1", "type": "message", "content": [], "usage": {**counts, "output_tokens": 1}}
        text_block = {"type": "text", "text": ""}
        events = [
            self.event("message_start", message=message),
            self.event("ping"),
            self.event("content_block_start", index=0, content_block=text_block),
        ]
        events += [
            self.event("content_block_delta", index=0, delta={"type": "text_delta", "text": text}) for text in texts
        ]
        events.append(self.event("content_block_stop", index=0))
        for index, (id_, name, arguments) in enumerate(calls, 1):
            block = {"type": "tool_use", "id": id_, "name": name, "input": {}}
            events.append(self.event("content_block_start", index=index, content_block=block))
            for half in ("", arguments[:3], arguments[3:]):
                delta = {"type": "input_json_delta", "partial_json": half}
                events.append(self.event("content_block_delta", index=index, delta=delta))
            events.append(self.event("content_block_stop", index=index))
        usage = {"output_tokens": 30, "output_tokens_details": {"thinking_tokens": 10}}
        reason = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
        events.append(self.event("message_delta", delta=reason, usage=usage))
        return [*events, self.event("message_stop")]

    def event(self, kind: str, **fields: Any) -> bytes:
        return b"event: " + kind.encode() + b"\n" + data({"type": kind, **fields})

    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> bytes:
        return response({"type": "error", "error": {"type": "some_error", "message": message}}, status, headers)

    def overflow(self) -> bytes:
        message = "prompt is too long: 213000 tokens > 200000 maximum"
        return response({"type": "error", "error": {"type": "invalid_request_error", "message": message}}, 400)

    def late_error(self) -> bytes:
        return self.event("error", error={"type": "overloaded_error", "message": "Overloaded"})
