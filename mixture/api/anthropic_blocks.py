"""The messages of Anthropic's request and the blocks in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field

from mixture.api.openai_messages import image_url
from mixture.api.parsing import Body, check_free
from mixture.errors import InvalidQuery
from mixture.types import ImagePart, Message, Part, TextPart, ToolCall

Id = Annotated[str, Field(max_length=256)]


class ImageSource(Body):
    """Where an image is: in the request (`base64`) or on the web (`url`). Uploaded files are refused."""

    type: Literal["base64", "url", "file"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"] | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None


class Block(Body):
    """A block of content. The last four types are known and refused; thinking is taken and left out."""

    type: Literal[
        "text", "image", "tool_use", "tool_result", "thinking", "redacted_thinking",
        "document", "search_result", "server_tool_use", "container_upload",
    ]  # fmt: skip
    text: str | None = None
    source: Annotated[ImageSource | dict[str, Any] | None, Field(union_mode="left_to_right")] = None
    id: Id | None = None
    name: Id | None = None
    input: Any = None
    tool_use_id: Id | None = None
    content: Annotated[str | list[Block] | None, Field(union_mode="left_to_right")] = None
    is_error: bool | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    cache_control: Any = None
    caller: Any = None
    citations: Any = None
    annotations: Any = None
    context: Any = None
    title: Any = None
    toolset_name: Any = None
    transformations: Any = None


class MessageFields(Body):
    """One message."""

    role: Literal["user", "assistant", "system"]
    content: Annotated[str | Annotated[list[Block], Field(min_length=1)], Field(union_mode="left_to_right")]


def system_of(system: str | list[Block] | None) -> tuple[Message, ...]:
    """The system prompt as a message, if there is one. Raises InvalidQuery."""
    if not system:
        return ()
    if isinstance(system, str):
        return (Message("system", system),)
    texts = [_text(block, f"system[{index}]") for index, block in enumerate(system)]
    return (Message("system", "\n\n".join(texts)),)


def messages_of(messages: list[MessageFields]) -> Iterator[Message]:
    """The messages in our vocabulary: results of tools become messages of their own. Raises InvalidQuery."""
    for index, message in enumerate(messages):
        where = f"messages[{index}].content"
        if isinstance(message.content, str):
            yield Message(message.role, message.content)
        elif message.role == "assistant":
            yield _assistant(message.content, where)
        else:
            yield from _others(message.role, message.content, where)


def _assistant(blocks: list[Block], where: str) -> Message:
    texts, calls = list[str](), list[ToolCall]()
    for index, block in enumerate(blocks):
        place = f"{where}[{index}]"
        if block.type == "tool_use":
            calls.append(_call(block, place, len(calls)))
        elif block.type not in ("thinking", "redacted_thinking"):
            texts.append(_text(block, place))
    return Message("assistant", "".join(texts), tuple(calls))


def _others(role: Literal["user", "system"], blocks: list[Block], where: str) -> Iterator[Message]:
    parts: list[Part] = []
    for index, block in enumerate(blocks):
        place = f"{where}[{index}]"
        if block.type == "tool_result" and role == "user":
            yield _result(block, place)
        else:
            parts.append(_part(block, place))
    if parts:
        single = parts[0]
        yield Message(role, single.text if len(parts) == 1 and isinstance(single, TextPart) else tuple(parts))


def _call(block: Block, where: str, index: int) -> ToolCall:
    for name in ("id", "name"):
        if not getattr(block, name):
            raise _fault(f"{where}.{name}", "is required")
    if not isinstance(block.input, dict):
        raise _fault(f"{where}.input", "should be an object")
    check_free(block.input, f"{where}.input")
    return ToolCall(block.id or "", block.name or "", _json(block.input, f"{where}.input"), index)


def _json(value: Any, where: str) -> str:
    try:
        return orjson.dumps(value).decode()
    except (TypeError, orjson.JSONEncodeError):
        raise _fault(where, "holds a number that is too large") from None


def _result(block: Block, where: str) -> Message:
    if not block.tool_use_id:
        raise _fault(f"{where}.tool_use_id", "is required")
    content: str | tuple[Part, ...]
    if isinstance(block.content, list):
        parts = tuple(_part(inner, f"{where}.content[{i}]") for i, inner in enumerate(block.content))
        images = any(isinstance(part, ImagePart) for part in parts)
        content = parts if images else "\n".join(part.text for part in parts if isinstance(part, TextPart))
    else:
        content = block.content or ""
    if block.is_error and isinstance(content, str):
        content = f"Error: {content}"
    return Message("tool", content, tool_call_id=block.tool_use_id)


def _part(block: Block, where: str) -> Part:
    return _image(block, where) if block.type == "image" else TextPart(_text(block, where))


def _text(block: Block, where: str) -> str:
    if block.type != "text":
        raise _fault(f"{where}.type", f"{block.type!r} is not supported here; send text")
    if block.text is None:
        raise _fault(f"{where}.text", "is required")
    return block.text


def _image(block: Block, where: str) -> ImagePart:
    source = block.source
    if not isinstance(source, ImageSource):
        raise _fault(f"{where}.source", "should be an image source of type 'base64' or 'url'")
    if source.type == "url" and source.url:
        return ImagePart(image_url(source.url, f"{where}.source.url"))
    if source.type == "base64" and source.data and source.media_type:
        return ImagePart(f"data:{source.media_type};base64,{source.data}")
    if source.type == "file":
        raise _fault(f"{where}.source.type", "uploaded files are not supported; send 'base64' or 'url'")
    missing = "url" if source.type == "url" else "data" if not source.data else "media_type"
    raise _fault(f"{where}.source.{missing}", "is required")


def _fault(where: str, words: str) -> InvalidQuery:
    return InvalidQuery(f"{where}: {words}", param=where)
