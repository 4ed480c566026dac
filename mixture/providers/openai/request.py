"""A query as the body of `POST /chat/completions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixture.types import (
    ImagePart,
    Message,
    Part,
    Query,
    ResponseFormat,
    Sampling,
    TextPart,
    Tool,
    ToolCall,
    ToolChoice,
)


def body(query: Query, model: str, fields: Mapping[str, str | None], counting: bool = False) -> dict[str, Any]:
    """The request's body. `fields` gives a field another name, or leaves it out (None), for upstreams that differ;
    `counting` asks for the tokens so far with every chunk, which counts one choice only.
    """
    made: dict[str, Any] = {
        **query.sampling.extra,
        "model": model,
        "messages": [message(item) for item in query.messages],
        **sampling(query.sampling),
    }
    if query.tools:
        made["tools"] = [tool(item) for item in query.tools]
        if query.tool_choice is not None:
            made["tool_choice"] = tool_choice(query.tool_choice)
    if query.response_format is not None and query.response_format.type != "text":
        made["response_format"] = response_format(query.response_format)
    if query.stream:
        made["stream"] = True
        made["stream_options"] = {"include_usage": True}
        if counting and query.sampling.n == 1:
            made["stream_options"]["continuous_usage_stats"] = True
    for name, other in fields.items():
        if name in made:
            value = made.pop(name)
            if other is not None:
                made[other] = value
    return made


def sampling(wish: Sampling) -> dict[str, Any]:
    """The sampling fields that are set."""
    made = {
        "temperature": wish.temperature,
        "top_p": wish.top_p,
        "max_tokens": wish.max_tokens,
        "seed": wish.seed,
        "presence_penalty": wish.presence_penalty,
        "frequency_penalty": wish.frequency_penalty,
        "stop": list(wish.stop) or None,
        "n": wish.n if wish.n > 1 else None,
        "logprobs": wish.logprobs or None,
        "top_logprobs": wish.top_logprobs if wish.logprobs else None,
    }
    return {name: value for name, value in made.items() if value is not None}


def message(item: Message) -> dict[str, Any]:
    """One message in OpenAI's form."""
    content = item.content if isinstance(item.content, str) else [part(piece) for piece in item.content]
    made: dict[str, Any] = {"role": item.role, "content": content}
    if item.tool_calls:
        made["tool_calls"] = [tool_call(call) for call in item.tool_calls]
        made["content"] = content or None
    if item.tool_call_id is not None:
        made["tool_call_id"] = item.tool_call_id
    if item.name is not None:
        made["name"] = item.name
    return made


def part(piece: Part) -> dict[str, Any]:
    """One part of a message's content."""
    if isinstance(piece, TextPart):
        return {"type": "text", "text": piece.text}
    return {"type": "image_url", "image_url": _image(piece)}


def _image(piece: ImagePart) -> dict[str, Any]:
    return {"url": piece.url} if piece.detail is None else {"url": piece.url, "detail": piece.detail}


def tool_call(call: ToolCall) -> dict[str, Any]:
    """A call that an assistant's message made."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def tool(item: Tool) -> dict[str, Any]:
    """A function that may be called."""
    made: dict[str, Any] = {"name": item.name, "parameters": dict(item.parameters)}
    if item.description is not None:
        made["description"] = item.description
    if item.strict is not None:
        made["strict"] = item.strict
    return {"type": "function", "function": made}


def tool_choice(choice: ToolChoice) -> Any:
    """Whether tools are to be called."""
    if choice.mode == "function":
        return {"type": "function", "function": {"name": choice.name}}
    return choice.mode


def response_format(wish: ResponseFormat) -> dict[str, Any]:
    """The form that the answer must have."""
    if wish.type != "json_schema":
        return {"type": wish.type}
    made: dict[str, Any] = {"name": wish.name or "answer", "schema": dict(wish.schema or {})}
    if wish.strict is not None:
        made["strict"] = wish.strict
    return {"type": "json_schema", "json_schema": made}
