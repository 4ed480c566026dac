"""An answer of `POST /chat/completions`, whole or in pieces, as chunks.

Servers that speak OpenAI's protocol differ at its edges. What is read kindly here: a finish reason of their own, calls
of tools without an index or an id, usage that comes with every piece, content in parts. Reasoning is not the answer:
`reasoning_content` is left aside, so that an answer which is nothing else stays empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import orjson

from mixture.types import Chunk, FinishReason, ToolCall, Usage
from mixture.upstream.failures import Reported
from mixture.upstream.reading import Failed

_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_length": "length",
    "refusal": "content_filter",
    "safety": "content_filter",
}
_FAILED = frozenset({"error", "abort", "aborted", "insufficient_system_resource"})


def finish_reason(word: str) -> FinishReason:
    """The reason in our words; one that is not known reads as a normal end. Raises Failed."""
    if word in _FAILED:
        raise Failed(Reported(500, f"finish reason {word!r}"))
    return _REASONS.get(word, "stop")


def usage(body: Mapping[str, Any]) -> Usage | None:
    """The `usage` of an answer, None when there is none."""
    found = body.get("usage")
    if not isinstance(found, dict) or "prompt_tokens" not in found:
        return None
    prompt = found.get("prompt_tokens_details") or {}
    completion = found.get("completion_tokens_details") or {}
    return Usage(
        found.get("prompt_tokens") or 0,
        found.get("completion_tokens") or 0,
        # DeepSeek's own name for the second; older versions of its API have no other.
        prompt.get("cached_tokens") or found.get("prompt_cache_hit_tokens") or 0,
        prompt.get("cache_write_tokens") or 0,
        completion.get("reasoning_tokens") or 0,
    )


def whole(body: Mapping[str, Any]) -> Iterator[Chunk]:
    """The chunks of an answer that came in one piece, one a choice.

    Raises Failed, and LookupError, TypeError or AttributeError when it is not in OpenAI's form.
    """
    choices = body.get("choices")
    if not choices:
        raise Failed(Reported.read(body)) if "error" in body else LookupError("choices")
    counted = usage(body)
    for position, choice in enumerate(choices):
        said = choice["message"]
        calls = Calls().read(said.get("tool_calls"))
        reason = choice.get("finish_reason") or ("tool_calls" if calls else "stop")
        yield Chunk(
            text(said),
            calls,
            counted if position == len(choices) - 1 else None,
            finish_reason(reason),
            choice.get("index", position),
            logprobs(choice),
            tuple(said.get("annotations") or ()),
        )


def text(said: Mapping[str, Any]) -> str:
    """The text of a message or delta; a refusal is text as well."""
    content = said.get("content")
    if isinstance(content, list):
        content = "".join(piece.get("text") or "" for piece in content if piece.get("type") == "text")
    return content or said.get("refusal") or ""


def logprobs(choice: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The choice's entries of `logprobs.content`."""
    found = choice.get("logprobs")
    return tuple(found.get("content") or ()) if found else ()


class Calls:
    """Numbers the tool calls of one choice, for servers that leave out the index or the id."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}

    def read(self, found: Any) -> tuple[ToolCall, ...]:
        """The fragments in `found`, the `tool_calls` of a message or a delta."""
        return tuple(self._call(call) for call in found) if found else ()

    def _call(self, call: Mapping[str, Any]) -> ToolCall:
        function = call.get("function") or {}
        index = call.get("index")
        if index is None:
            index = self._place(call.get("id"))
        opening = index not in self._known
        if opening:
            self._known[index] = call.get("id") or f"call_{uuid4().hex[:24]}"
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            arguments = orjson.dumps(arguments).decode() if arguments else ""
        name = (function.get("name") or "") if opening else ""
        return ToolCall(self._known[index] if opening else "", name, arguments, index)

    def _place(self, name: str | None) -> int:
        """Without an index, a known id continues its call, no id the latest one, a new id begins another."""
        for index, known in self._known.items():
            if known == name:
                return index
        return len(self._known) - 1 if name is None and self._known else len(self._known)


class Reading:
    """An answer in pieces. The end of each choice is held back until the stream is over, since usage comes after it.
    With `counting` each piece carries the tokens so far, where the upstream tells them.
    """

    def __init__(self, counting: bool = False) -> None:
        self.done = False
        self._counting = counting
        self._ends: dict[int, FinishReason] = {}
        self._calls: dict[int, Calls] = {}
        self._usage: Usage | None = None

    def read(self, data: bytes) -> Iterator[Chunk]:
        """The chunks in one event; none where it says nothing. Raises as `whole` does."""
        if data == b"[DONE]":
            self.done = True
            return
        body = orjson.loads(data)
        if body.get("error"):
            raise Failed(Reported.read(body))
        self._usage = usage(body) or self._usage
        counted = self._usage if self._counting else None
        for choice in body.get("choices") or ():
            index = choice.get("index") or 0
            said = choice.get("delta") or {}
            found = said.get("tool_calls")
            calls = self._calls.setdefault(index, Calls()).read(found) if found else ()
            words, entries, notes = text(said), logprobs(choice), tuple(said.get("annotations") or ())
            if words or calls or entries or notes or counted:
                yield Chunk(words, calls, counted, index=index, logprobs=entries, annotations=notes)
            if reason := choice.get("finish_reason"):
                self._ends[index] = finish_reason(reason)

    @property
    def complete(self) -> bool:
        """Whether the upstream said that it is at its end."""
        return self.done or bool(self._ends)

    def end(self) -> Iterator[Chunk]:
        """The closing chunk of each choice, usage with the last. Some servers never give a reason: a plain stop."""
        ends = self._ends or {0: "tool_calls" if self._calls else "stop"}
        last = len(ends) - 1
        for position, index in enumerate(sorted(ends)):
            yield Chunk(finish_reason=ends[index], index=index, usage=self._usage if position == last else None)
