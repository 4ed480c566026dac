"""A query as the body of `POST /v1/messages`.

The SDK speaks the API of 2026-10-21, which refuses `temperature`, `top_p` and `top_k` for every model, even at their
defaults. They are wishes about how an answer is drawn and change nothing in what it must be, so they are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from anthropic import transform_schema

from mixture.errors import Declined
from mixture.types import ImagePart, Message, Part, Query, ResponseFormat, TextPart, Tool, ToolCall

_OWN = frozenset({"metadata", "thinking", "output_config", "service_tier", "cache_control"})
"""Further fields of a request that are Anthropic's own; OpenAI's others have no meaning here and are left out."""
_EFFORTS: Mapping[str, str] = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh"}


def body(query: Query, model: str, max_tokens: int) -> dict[str, Any]:
    """The request's body. `max_tokens` is used where the query sets none, since the API must have one.

    Raises Declined for an answer that must be JSON of no particular schema, which the API can't promise.
    """
    system = "\n\n".join(text for item in query.messages if item.role == "system" and (text := item.text))
    spoken = turns(query.messages)
    if not spoken:  # the API must have a turn, and what there is to say is said to the model either way
        spoken, system = [{"role": "user", "content": [_text(system or " ")]}], ""
    made: dict[str, Any] = {
        **_extra(query.sampling.extra),
        "model": model,
        "messages": spoken,
        "max_tokens": query.sampling.max_tokens or max_tokens,
    }
    if query.sampling.stop:
        made["stop_sequences"] = list(query.sampling.stop)
    if system:
        made["system"] = system
    if query.tools:
        made["tools"] = [tool(item) for item in query.tools]
        if (choice := tool_choice(query)) is not None:
            made["tool_choice"] = choice
    if query.response_format is not None and query.response_format.type != "text":
        made["output_config"] = made.get("output_config", {}) | {"format": output_format(query.response_format)}
    if query.stream:
        made["stream"] = True
    return made


def _extra(extra: Mapping[str, Any]) -> dict[str, Any]:
    made = {name: value for name, value in extra.items() if name in _OWN}
    if (effort := _EFFORTS.get(str(extra.get("reasoning_effort")))) is not None:
        made["output_config"] = {"effort": effort} | made.get("output_config", {})
    if isinstance(user := extra.get("user"), str):
        made.setdefault("metadata", {"user_id": user})
    return made


def turns(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The conversation without system messages. Messages of one side that follow each other become one, because the
    results of tools that were called together must come together.
    """
    made: list[dict[str, Any]] = []
    for item in messages:
        if item.role == "system" or not (content := blocks(item)):
            continue
        role = "assistant" if item.role == "assistant" else "user"
        if made and made[-1]["role"] == role:
            made[-1]["content"].extend(content)
        else:
            made.append({"role": role, "content": content})
    return made


def blocks(item: Message) -> list[dict[str, Any]]:
    """A message's content as blocks; empty texts are refused by the API and left out."""
    parts = (TextPart(item.content),) if isinstance(item.content, str) else item.content
    made = [part(piece) for piece in parts if not isinstance(piece, TextPart) or piece.text.strip()]
    if item.role == "tool":
        return [{"type": "tool_result", "tool_use_id": item.tool_call_id or "", "content": made}]
    return made + [tool_use(call) for call in item.tool_calls]


def part(piece: Part) -> dict[str, Any]:
    """One part of a message's content."""
    if isinstance(piece, TextPart):
        return _text(piece.text)
    return {"type": "image", "source": _source(piece)}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _source(piece: ImagePart) -> dict[str, Any]:
    head, comma, data = piece.url.partition(",")
    if not (head.startswith("data:") and comma):
        return {"type": "url", "url": piece.url}
    return {"type": "base64", "media_type": head[5:].partition(";")[0], "data": data}


def tool_use(call: ToolCall) -> dict[str, Any]:
    """A call that the assistant made. Arguments that are no JSON object are kept, as text."""
    try:
        arguments = orjson.loads(call.arguments or "{}")
    except orjson.JSONDecodeError:
        arguments = None
    given = arguments if isinstance(arguments, dict) else {"arguments": call.arguments}
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": given}


def tool(item: Tool) -> dict[str, Any]:
    """A function that may be called."""
    made: dict[str, Any] = {"name": item.name, "input_schema": {"type": "object", **item.parameters}}
    if item.description is not None:
        made["description"] = item.description
    if item.strict is not None:
        made["strict"] = item.strict
    return made


def tool_choice(query: Query) -> dict[str, Any] | None:
    """Whether tools are to be called, and several at once; None leaves it to the API, which means auto."""
    alone = query.sampling.extra.get("parallel_tool_calls") is False
    choice = query.tool_choice
    if choice is None and not alone:
        return None
    mode = choice.mode if choice else "auto"
    made: dict[str, Any] = {"type": {"required": "any", "function": "tool"}.get(mode, mode)}
    if choice and mode == "function":
        made["name"] = choice.name
    if alone and mode != "none":
        made["disable_parallel_tool_use"] = True
    return made


def output_format(wish: ResponseFormat) -> dict[str, Any]:
    """The schema that the answer must have. Raises Declined when there is none."""
    if wish.schema is None:
        raise Declined("Claude models answer in JSON by a schema only: ask for `json_schema`, not `json_object`")
    return {"type": "json_schema", "schema": transform_schema(dict(wish.schema))}
