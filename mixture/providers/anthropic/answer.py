"""An answer of `POST /v1/messages`, whole or in pieces, as chunks. Thinking is not the answer and is left aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from mixture.types import Chunk, FinishReason, ToolCall, Usage
from mixture.upstream.failures import Reported
from mixture.upstream.reading import Failed

_REASONS: Mapping[str, FinishReason] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def finish_reason(word: str) -> FinishReason:
    """The stop reason in our words; one that is not known reads as a normal end."""
    return _REASONS.get(word, "stop")


def usage(found: Mapping[str, Any]) -> Usage:
    """The API counts cached and newly cached prompt tokens apart from the others; ours includes them."""
    cached = found.get("cache_read_input_tokens") or 0
    written = found.get("cache_creation_input_tokens") or 0
    details = found.get("output_tokens_details") or {}
    return Usage(
        prompt_tokens=(found.get("input_tokens") or 0) + cached + written,
        completion_tokens=found.get("output_tokens") or 0,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=details.get("thinking_tokens") or 0,
    )


def whole(body: Mapping[str, Any]) -> Iterator[Chunk]:
    """The chunk of an answer that came in one piece. Raises Failed, and LookupError when it is none."""
    if body.get("type") == "error":
        raise Failed(Reported.read(body))
    content = body["content"]
    text = "".join(block["text"] for block in content if block["type"] == "text")
    used = [block for block in content if block["type"] == "tool_use"]
    calls = tuple(ToolCall(b["id"], b["name"], orjson.dumps(b["input"]).decode(), i) for i, b in enumerate(used))
    yield Chunk(text, calls, usage(body.get("usage") or {}), finish_reason(body.get("stop_reason") or ""))


class Reading:
    """An answer in pieces: Anthropic's event stream."""

    def __init__(self) -> None:
        self.done = False
        self._reason: FinishReason | None = None
        self._counts: dict[str, Any] = {}
        self._calls: dict[int, int] = {}
        """Content block -> number of the tool call that it is."""
        self._bare: set[int] = set()
        """Calls whose arguments have not begun."""

    @property
    def complete(self) -> bool:
        """Whether the API gave a reason for the end."""
        return self._reason is not None

    def read(self, data: bytes) -> Iterator[Chunk]:
        """The chunks in one event; none where it says nothing. Raises Failed."""
        event = orjson.loads(data)
        match event.get("type"):
            case "message_start":
                self._count(event["message"].get("usage"))
            case "content_block_start":
                yield from self._begin(event["index"], event["content_block"])
            case "content_block_delta":
                yield from self._continue(event["index"], event["delta"])
            case "content_block_stop" if self._calls.get(event["index"]) in self._bare:
                yield Chunk(tool_calls=(ToolCall("", "", "{}", self._calls[event["index"]]),))
            case "message_delta":
                self._count(event.get("usage"))
                if word := event["delta"].get("stop_reason"):
                    self._reason = finish_reason(word)
            case "message_stop":
                self.done = True
            case "error":
                raise Failed(Reported.read(event))

    def end(self) -> Iterator[Chunk]:
        """The closing chunk, with the usage of the whole call."""
        yield Chunk(finish_reason=self._reason, usage=usage(self._counts))

    def _begin(self, index: int, block: Mapping[str, Any]) -> Iterator[Chunk]:
        if block["type"] == "tool_use":
            number = self._calls[index] = len(self._calls)
            self._bare.add(number)
            yield Chunk(tool_calls=(ToolCall(block["id"], block["name"], "", number),))
        elif block["type"] == "text" and block.get("text"):
            yield Chunk(block["text"])

    def _continue(self, index: int, delta: Mapping[str, Any]) -> Iterator[Chunk]:
        if delta["type"] == "text_delta" and delta["text"]:
            yield Chunk(delta["text"])
        elif delta["type"] == "input_json_delta" and delta["partial_json"] and index in self._calls:
            self._bare.discard(self._calls[index])
            yield Chunk(tool_calls=(ToolCall("", "", delta["partial_json"], self._calls[index]),))

    def _count(self, found: Mapping[str, Any] | None) -> None:
        """Counts are cumulative, and those that a later event leaves out stay."""
        self._counts |= {name: value for name, value in (found or {}).items() if value is not None}
