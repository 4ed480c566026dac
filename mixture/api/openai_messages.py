"""The messages of OpenAI's chat request."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mixture.api.parsing import Body
from mixture.errors import InvalidQuery
from mixture.types import ImagePart, Message, Part, TextPart, ToolCall

Name = Annotated[str, Field(max_length=256)]


class ImageURL(Body):
    """An image: an `https:`, `http:` or `data:image/...;base64,` URL."""

    url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class ContentPart(Body):
    """A part of a message's content. `input_audio` and `file` are known and refused."""

    type: Literal["text", "image_url", "refusal", "input_audio", "file"]
    text: str | None = None
    image_url: ImageURL | None = None
    refusal: str | None = None
    input_audio: Any = None
    file: Any = None
    prompt_cache_breakpoint: Any = None
    cache_control: Any = None


class FunctionCall(Body):
    """Which function, with which arguments (JSON text)."""

    name: Name
    arguments: str


class ChatToolCall(Body):
    """A tool call that an assistant made earlier."""

    id: Name
    type: Literal["function"] = "function"
    function: FunctionCall
    index: int | None = None


class ChatMessage(Body):
    """One message. The fields after `tool_call_id` are in answers that clients send back; they change nothing."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[str | list[ContentPart] | None, Field(union_mode="left_to_right")] = None
    name: Name | None = None
    tool_calls: list[ChatToolCall] | None = None
    tool_call_id: Name | None = None
    refusal: str | None = None
    annotations: Any = None
    audio: Any = None
    function_call: Any = None
    reasoning: Any = None
    reasoning_content: Any = None


def message_of(message: ChatMessage, index: int) -> Message:
    """The message in our vocabulary. Raises InvalidQuery for what its role does not allow."""
    role = message.role
    content = message.content
    if role == "user" and type(content) is str:  # by far the most frequent
        return Message("user", content, name=message.name)
    where = f"messages[{index}]"
    _check(message, where)
    calls = tuple(
        ToolCall(call.id, call.function.name, call.function.arguments, number)
        for number, call in enumerate(message.tool_calls or ())
    )
    return Message(
        "system" if role == "developer" else role,
        _content(content if content is not None else message.refusal, f"{where}.content"),
        calls,
        message.tool_call_id,
        message.name,
    )


def _check(message: ChatMessage, where: str) -> None:
    if message.content is None and message.role != "assistant":
        raise _fault(f"{where}.content", f"is required for the role {message.role!r}")
    if message.role == "assistant":
        if message.content is None and not message.tool_calls and message.refusal is None:
            raise _fault(f"{where}.content", "is required unless there are tool_calls")
        if message.audio is not None or message.function_call is not None:
            name = "audio" if message.audio is not None else "function_call"
            raise _fault(f"{where}.{name}", "not supported; leave it out")
    elif message.tool_calls:
        raise _fault(f"{where}.tool_calls", "only the role 'assistant' has tool calls")
    if message.role == "tool" and not message.tool_call_id:
        raise _fault(f"{where}.tool_call_id", "is required for the role 'tool'")


def _content(content: str | list[ContentPart] | None, where: str) -> str | tuple[Part, ...]:
    if content is None or isinstance(content, str):
        return content or ""
    if not content:
        raise _fault(where, "has no parts; send text or at least one part")
    return tuple(_part(part, f"{where}[{index}]") for index, part in enumerate(content))


def _part(part: ContentPart, where: str) -> Part:
    if part.type in ("input_audio", "file"):
        raise _fault(f"{where}.type", f"{part.type!r} is not supported; send text or images")
    value = getattr(part, part.type)
    if value is None:
        raise _fault(f"{where}.{part.type}", "is required")
    if isinstance(value, ImageURL):
        return ImagePart(image_url(value.url, f"{where}.image_url.url"), value.detail)
    return TextPart(value)


def image_url(url: str, where: str) -> str:
    """`url` when it is one that an image may have. Raises InvalidQuery."""
    head = url[:64].lower()
    if head.startswith(("https://", "http://")) and len(url) <= 8_192:
        return url
    if head.startswith("data:image/") and ";base64," in head:
        return url
    raise _fault(where, "should be an https: URL or data:image/...;base64,...")


def _fault(where: str, words: str) -> InvalidQuery:
    return InvalidQuery(f"{where}: {words}", param=where)
