"""The tools and the answer's form in OpenAI's chat request."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from mixture.api.parsing import Body, check_free
from mixture.errors import InvalidQuery
from mixture.types import ResponseFormat, Tool, ToolChoice

ToolName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9_.:-]+$")]


class FunctionDefinition(Body):
    """A function that the model may call; `parameters` is a JSON schema."""

    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ChatTool(Body):
    """A tool. Only functions are supported."""

    type: Literal["function", "custom"]
    function: FunctionDefinition | None = None
    custom: Any = None
    cache_control: Any = None


class FunctionName(Body):
    """A function by its name."""

    name: ToolName


class NamedTool(Body):
    """The function that must be called."""

    type: Literal["function"]
    function: FunctionName


class AllowedToolList(Body):
    """The tools that may be called, and whether one must be."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedTool], Field(min_length=1, max_length=512)]


class AllowedTools(Body):
    """A choice among some of the tools."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedToolList


class JSONSchemaFormat(Body):
    """A JSON schema that the answer must fit."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    description: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None


class ResponseFormatFields(Body):
    """The form that the answer must have."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JSONSchemaFormat | None = None


def tools_of(tools: list[ChatTool] | None) -> tuple[Tool, ...]:
    """The tools in our vocabulary. Raises InvalidQuery."""
    if not tools:
        return ()
    return tuple(_tool(tool, f"tools[{index}]") for index, tool in enumerate(tools))


def _tool(tool: ChatTool, where: str) -> Tool:
    if tool.type != "function":
        raise InvalidQuery(
            f"{where}.type: {tool.type!r} is not supported; use 'function'",
            param=f"{where}.type",
            code="unsupported_parameter",
        )
    if tool.function is None:
        raise InvalidQuery(f"{where}.function: is required", param=f"{where}.function")
    parameters = tool.function.parameters or {}
    check_free(parameters, f"{where}.function.parameters")
    return Tool(tool.function.name, tool.function.description, parameters, tool.function.strict)


Choice = Literal["none", "auto", "required"] | NamedTool | AllowedTools | None


def tool_choice_of(choice: Choice, tools: tuple[Tool, ...]) -> tuple[ToolChoice | None, tuple[Tool, ...]]:
    """The choice in our vocabulary, and the tools that it leaves. Raises InvalidQuery."""
    if choice is None:
        return None, tools
    if isinstance(choice, str):
        if choice == "required" and not tools:
            raise InvalidQuery("tool_choice: 'required' needs `tools`", param="tool_choice")
        return ToolChoice(choice), tools
    if isinstance(choice, NamedTool):
        _known(choice.function.name, tools, "tool_choice.function.name")
        return ToolChoice("function", choice.function.name), tools
    allowed = choice.allowed_tools
    for index, item in enumerate(allowed.tools):
        _known(item.function.name, tools, f"tool_choice.allowed_tools.tools[{index}].function.name")
    names = {item.function.name for item in allowed.tools}
    return ToolChoice(allowed.mode), tuple(tool for tool in tools if tool.name in names)


def _known(name: str, tools: tuple[Tool, ...], where: str) -> None:
    if not any(tool.name == name for tool in tools):
        raise InvalidQuery(f"{where}: `tools` has no function {name!r}", param=where)


def format_of(fields: ResponseFormatFields | None) -> ResponseFormat | None:
    """The form in our vocabulary. Raises InvalidQuery."""
    if fields is None:
        return None
    if fields.type != "json_schema":
        return ResponseFormat(fields.type)
    if fields.json_schema is None:
        raise InvalidQuery("response_format.json_schema: is required", param="response_format.json_schema")
    schema = fields.json_schema.schema_ or {}
    check_free(schema, "response_format.json_schema.schema")
    return ResponseFormat("json_schema", fields.json_schema.name, schema, fields.json_schema.strict)
