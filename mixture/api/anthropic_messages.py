"""Anthropic's messages request, and the query that it means.

Source: `anthropic/types/message_create_params.py` of anthropic-python 2.11; sampling as in versions before.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mixture.api.anthropic_blocks import Block, MessageFields, messages_of, system_of
from mixture.api.openai_chat import Asked
from mixture.api.openai_tools import ToolName
from mixture.api.parsing import Body, Refused, check_count, check_free, parse
from mixture.api.wishes import MixtureFields, wishes_of
from mixture.errors import InvalidQuery
from mixture.types import Query, ResponseFormat, Sampling, Tool, ToolChoice


class MessagesTool(Body):
    """A tool of the client's own; Anthropic's server tools (`type` other than `custom`) are refused."""

    name: ToolName
    input_schema: dict[str, Any] | None = None
    type: str | None = None
    description: str | None = None
    strict: bool | None = None
    cache_control: Any = None
    allowed_callers: Any = None
    defer_loading: bool | None = None
    eager_input_streaming: bool | None = None
    input_examples: Any = None


class MessagesToolChoice(Body):
    """Whether tools may, must or must not be called."""

    type: Literal["auto", "any", "tool", "none"]
    name: ToolName | None = None
    disable_parallel_tool_use: bool | None = None


class OutputFormat(Body):
    """A JSON schema that the answer must fit."""

    type: Literal["json_schema"]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class OutputConfig(Body):
    """The effort and the form of the answer."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class Thinking(Body):
    """Taken and left: how much a model thinks is set by `output_config.effort`."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: int | None = None
    display: str | None = None


class MessagesRequest(Body):
    """A messages request."""

    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)]
    messages: Annotated[list[MessageFields], Field(min_length=1)]
    model: Annotated[str, Field(min_length=1, max_length=256)]
    """An expert, a strategy, an alias, or `auto`."""
    mixture: MixtureFields | None = None
    stream: bool | None = None
    system: Annotated[str | list[Block] | None, Field(union_mode="left_to_right")] = None
    stop_sequences: (
        Annotated[list[Annotated[str, Field(min_length=1, max_length=1_000)]], Field(max_length=64)] | None
    ) = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    tools: Annotated[list[MessagesTool], Field(max_length=512)] | None = None
    tool_choice: MessagesToolChoice | None = None
    output_config: OutputConfig | None = None
    thinking: Thinking | None = None

    cache_control: Any = None
    diagnostics: Any = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None
    speed: str | None = None
    user_profile_id: str | None = None
    workspace_id: str | None = None

    container: Refused = None
    """Not supported: refused."""
    context_management: Refused = None
    """Not supported: refused."""
    inference_geo: Refused = None
    """Not supported: refused."""
    mcp_servers: Refused = None
    """Not supported: refused."""


_REFUSED = ("container", "context_management", "inference_geo", "mcp_servers")


def parse_messages(
    body: bytes, max_messages: int = 2_000, *, request_id: str | None = None, session: str | None = None
) -> Asked:
    """The request in `body`. Raises InvalidQuery, naming the field and what to do."""
    request = parse(body, MessagesRequest)
    check_count("messages", len(request.messages), max_messages)
    for name in _REFUSED:
        if getattr(request, name) is not None:
            raise InvalidQuery(f"{name}: not supported; leave it out", param=name, code="unsupported_parameter")
    tools = tuple(_tool(tool, f"tools[{index}]") for index, tool in enumerate(request.tools or ()))
    output = request.output_config or OutputConfig()
    query = Query(
        messages=(*system_of(request.system), *messages_of(request.messages)),
        sampling=_sampling(request, output),
        tools=tools,
        tool_choice=_choice(request.tool_choice, tools),
        response_format=_format(output),
        stream=bool(request.stream),
        request_id=request_id,
        session=session,
    )
    return Asked(request.model, query, wishes_of(request.mixture))


def _sampling(request: MessagesRequest, output: OutputConfig) -> Sampling:
    extra: dict[str, Any] = {}
    if request.top_k is not None:
        extra["top_k"] = request.top_k
    if output.effort is not None:
        extra["reasoning_effort"] = output.effort
    if request.tool_choice is not None and request.tool_choice.disable_parallel_tool_use:
        extra["parallel_tool_calls"] = False
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        max_tokens=request.max_tokens,
        stop=tuple(request.stop_sequences or ()),
        extra=extra,
    )


def _tool(tool: MessagesTool, where: str) -> Tool:
    if tool.type not in (None, "custom"):
        raise InvalidQuery(
            f"{where}.type: only tools of your own ('custom') are supported",
            param=f"{where}.type",
            code="unsupported_parameter",
        )
    if tool.input_schema is None:
        raise InvalidQuery(f"{where}.input_schema: is required", param=f"{where}.input_schema")
    check_free(tool.input_schema, f"{where}.input_schema")
    return Tool(tool.name, tool.description, tool.input_schema, tool.strict)


def _choice(choice: MessagesToolChoice | None, tools: tuple[Tool, ...]) -> ToolChoice | None:
    if choice is None:
        return None
    if choice.type in ("any", "tool") and not tools:
        raise InvalidQuery(f"tool_choice: {choice.type!r} needs `tools`", param="tool_choice")
    if choice.type == "tool":
        if not any(tool.name == choice.name for tool in tools):
            raise InvalidQuery(f"tool_choice.name: `tools` has no tool {choice.name!r}", param="tool_choice.name")
        return ToolChoice("function", choice.name)
    return ToolChoice("required" if choice.type == "any" else choice.type)


def _format(output: OutputConfig) -> ResponseFormat | None:
    if output.format is None:
        return None
    check_free(output.format.schema_, "output_config.format.schema")
    return ResponseFormat("json_schema", "answer", output.format.schema_, strict=True)
